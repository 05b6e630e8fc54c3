"""What real clients send, brought into the form of the specification before it is read: read-only
attributes and those that the gateway has not are left out of whole resources, names of operations
are lower case, booleans are no words (Okta, Microsoft Entra, OneLogin). A PATCH of a read-only
attribute is refused, and so is a password."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from scim2_models import (
    InvalidSyntaxException,
    InvalidValueException,
    MutabilityException,
    PayloadTooLargeException,
    SCIMException,
)

from registration_bridge.mapping_profile import Profile

MAX_BODY = 262_144
MAX_BULK_BODY = 4_194_304
MAX_OPERATIONS = 100
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PARTICIPANT = "urn:ieso:params:scim:schemas:core:2.0:Participant"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
#: Entra's name of the group schema, of 2006.
GROUP_ALIAS = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/Group"
#: The core schema under names that it has elsewhere.
CORE_ALIASES = (
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0",
    "urn:ietf:params:scim:schemas:core:2.0",
)
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
#: Standard attributes that are never written here, or that the gateway has not (N75).
DROPPED = frozenset(
    {
        "id", "meta", "password", "groups", "roles", "entitlements", "displayname", "title",
        "usertype", "profileurl", "addresses", "ims", "photos", "x509certificates", "locale",
        ENTERPRISE,
    }
)  # fmt: skip
#: Of groups and participants.
DROPPED_OF_OTHERS = frozenset({"id", "meta"})


@dataclass(frozen=True)
class Form:
    """How a body is read at one place: what is left out of it, what a PATCH of it may not name, and
    the profile of the pusher, if it has one."""

    name: str
    dropped: frozenset[str]
    read_only: frozenset[str]
    profile: Profile | None = None

    def of(self, profile: Profile | None) -> Form:
        """For one pusher."""
        if profile is None:
            return self
        return replace(self, profile=profile, read_only=self.read_only - {"displayname"})


PLACES = {
    "Users": Form("Users", DROPPED, frozenset({"id", "meta", "groups", "displayname"})),
    "Groups": Form("Groups", DROPPED_OF_OTHERS, DROPPED_OF_OTHERS),
    "Participants": Form("Participants", DROPPED_OF_OTHERS, DROPPED_OF_OTHERS),
}
_PLACES = {name.casefold(): name for name in PLACES}
DROPPED_OF_NAME = frozenset({"formatted", "honorificprefix", "honorificsuffix"})
#: The last part of the schemas of resources and their extensions.
_RESOURCES = ("User", "Group", "Participant", "user", "group", "participant")
BOOLEANS = {"true": True, "false": False}


def place_of(path: str) -> str:
    """What a path below the service's address begins with, resource types as they are published."""
    place = path.strip("/").partition("/")[0]
    return _PLACES.get(place.casefold(), place)


def id_of(path: str) -> str:
    """The id in a path below the service's address."""
    return path.strip("/").partition("/")[2]


def parse(body: bytes, longest: int = MAX_BODY) -> Any:
    """JSON without repeated keys: of two values nobody knows which was meant. Raises the errors of
    SCIM."""
    if len(body) > longest:
        raise PayloadTooLargeException(detail=f"A body has at most {longest} bytes.")
    try:
        return json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InvalidSyntaxException(detail="The body is no JSON object.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len({name.casefold() for name in found}) != len(pairs):
        raise InvalidSyntaxException(detail="An attribute is given twice.")
    return found


def resource(body: bytes, form: Form, *, is_new: bool) -> bytes:
    """The body of a POST (``is_new``) or PUT."""
    return json.dumps(_whole(parse(body), form, is_new=is_new)).encode()


def _whole(value: Any, form: Form, *, is_new: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidSyntaxException(detail="The body is no JSON object.")
    if form.profile is not None:
        # Clients with a profile send a password of their own making with every new User.
        value = form.profile.complete(form.name, value, is_new=is_new)
    else:
        _check_password(value)
    return _resource(value, form.dropped)


def _check_password(value: dict[str, Any]) -> None:
    if any(entry and _head(name) == "password" for name, entry in value.items()):
        raise InvalidValueException(
            detail="password is not taken: people choose their own, by the link in their mail."
        )


def _resource(value: dict[str, Any], dropped: frozenset[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, entry in value.items():
        key = name.casefold()
        if key in dropped:
            if key == "locale" and isinstance(entry, str):
                kept.setdefault("preferredLanguage", entry)
        elif key == "schemas" and isinstance(entry, list):
            kept[name] = _schemas(entry)
        else:
            kept[name] = _value(key, entry)
    return kept


def _schemas(names: Iterable[Any]) -> list[Any]:
    known = [
        CORE if name in CORE_ALIASES else GROUP if name == GROUP_ALIAS else name for name in names
    ]
    return list(dict.fromkeys(n for n in known if str(n).casefold() != ENTERPRISE))


def _value(key: str, entry: Any) -> Any:
    if key == "active" and isinstance(entry, str):
        if entry.casefold() not in BOOLEANS:
            raise InvalidValueException(detail="active is true or false.")
        return BOOLEANS[entry.casefold()]
    if key == "name" and isinstance(entry, dict):
        return _name({k: v for k, v in entry.items() if k.casefold() not in DROPPED_OF_NAME})
    if key == "members" and isinstance(entry, list):
        return [
            {k: v for k, v in member.items() if k.casefold() != "display"}
            if isinstance(member, dict)
            else member
            for member in entry
        ]
    return entry


def _name(parts: dict[str, Any]) -> dict[str, Any]:
    """An only name is the family name, wherever the client has it."""
    known = {part.casefold(): part for part in parts}
    given, family = (known.get(name, name) for name in ("givenname", "familyname"))
    if parts.get(family) or not isinstance(parts.get(given), str):
        return parts
    rest = {k: v for k, v in parts.items() if k not in (given, family)}
    return rest | {"familyName": parts[given]}


def patch(body: bytes, form: Form, resource_id: str) -> bytes:
    """The body of a PATCH; operations on what the gateway has not change nothing."""
    return json.dumps(_patch(parse(body), form, resource_id)).encode()


def _patch(value: Any, form: Form, resource_id: str) -> dict[str, Any]:
    operations = _operations(value)
    if not isinstance(operations, list):
        raise InvalidSyntaxException(detail="Operations is missing.")
    if not operations:
        raise InvalidValueException(detail="Operations is empty.")
    if len(operations) > MAX_OPERATIONS:
        raise InvalidValueException(detail=f"At most {MAX_OPERATIONS} operations.")
    kept = [
        done
        for given in operations
        for part in _apart(given)
        for entry in (form.profile.patched(form.name, part) if form.profile else [part])
        if (done := _operation(entry, form, resource_id)) is not None
    ]
    rest = {name: entry for name, entry in value.items() if name.casefold() != "operations"}
    return rest | {"Operations": kept}


def has_operations(body: bytes) -> bool:
    """Whether anything is left of a normalised PATCH."""
    return bool(_operations(json.loads(body)))


@dataclass
class BulkBody:
    """A normalised Bulk: what it says, how many operations it has, which of them are refused
    already, and which ask for nothing."""

    body: bytes
    count: int
    faults: dict[int, SCIMException]
    empty: frozenset[int]


def bulk(body: bytes, profile: Profile | None = None) -> BulkBody:
    """The body of a Bulk, each operation brought into form as if it came alone. Raises the errors
    of SCIM for the whole; those of one operation are for its own answer."""
    value = parse(body, MAX_BULK_BODY)
    operations = _operations(value)
    faults: dict[int, SCIMException] = {}
    empty: set[int] = set()
    if isinstance(operations, list):
        for index, entry in enumerate(operations):
            try:
                if _bulk_operation(entry, profile):
                    empty.add(index)
            except SCIMException as error:
                faults[index] = error
    count = len(operations) if isinstance(operations, list) else 1
    return BulkBody(json.dumps(value).encode(), count, faults, frozenset(empty))


def _bulk_operation(entry: Any, profile: Profile | None) -> bool:
    """Normalise one operation in place; True for a PATCH of which nothing is left."""
    if not isinstance(entry, dict):
        return False
    names = {name.casefold(): name for name in entry}
    method = str(entry.get(names.get("method", ""), "")).upper()
    path = str(entry.get(names.get("path", ""), "")).removesuffix("/")
    form = PLACES.get(place_of(path))
    if "method" in names:
        entry[names["method"]] = method
    if isinstance(entry.get(names.get("path", "")), str):
        entry[names["path"]] = path
    if form is None or "data" not in names or method not in ("POST", "PUT", "PATCH"):
        return False
    data, form = entry[names["data"]], form.of(profile)
    if method != "PATCH":
        entry[names["data"]] = _whole(data, form, is_new=method == "POST")
        return False
    entry[names["data"]] = left = _patch(data, form, id_of(path))
    return not left["Operations"]


def _operations(value: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidSyntaxException(detail="The body is no JSON object.")
    return next((entry for name, entry in value.items() if name.casefold() == "operations"), None)


def _apart(entry: Any) -> list[Any]:
    """An operation without a path; of its members, and of each key that is a path itself (dotted,
    with a filter, or with its schema), an operation of its own."""
    if not isinstance(entry, dict):
        return [entry]
    given = {name.casefold(): part for name, part in entry.items()}
    value, is_removal = given.get("value"), str(given.get("op")).casefold() == "remove"
    if given.get("path") not in (None, "") or not isinstance(value, dict):
        return [entry]
    paths = {
        name: "members" if _head(name) == "members" else name
        for name in value
        if _head(name) == "members" or (_is_path(name) and not is_removal)
    }
    rest = {name: part for name, part in value.items() if name not in paths}
    parts: list[Any] = [
        {"op": given.get("op"), "path": path, "value": value[name]} for name, path in paths.items()
    ]
    return [{"op": given.get("op"), "value": rest}, *parts] if rest else parts or [entry]


def _is_path(key: str) -> bool:
    """Whether a key names a part of an attribute, or an attribute with its schema."""
    is_schema = key.casefold().startswith("urn:") and key.rpartition(":")[2] in _RESOURCES
    return not is_schema and any(sign in key for sign in ".[:")


def _operation(entry: Any, form: Form, resource_id: str) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        raise InvalidSyntaxException(detail="An operation is no object.")
    given = {name.casefold(): part for name, part in entry.items()}
    op, path = given.get("op"), given.get("path")
    done: dict[str, Any] = {"op": op.casefold() if isinstance(op, str) else op}
    if path not in (None, ""):
        head = _head(str(path))
        _check_writable({str(path): given.get("value")}, form, resource_id)
        if head in form.dropped or str(path).casefold() in ("name.formatted",):
            return None
        if form.profile is not None and form.profile.is_other_telephone(str(path)):
            return None
        done["path"] = path
        if "value" in given:
            done["value"] = _value(head, given["value"])
        return done
    if "value" in given:
        value = given["value"]
        if isinstance(value, dict):
            _check_writable(value, form, resource_id)
        done["value"] = _resource(value, form.dropped) if isinstance(value, dict) else value
        if value and done["value"] == {}:
            return None
    return done


def _check_writable(value: dict[str, Any], form: Form, resource_id: str) -> None:
    """Nothing read-only is changed (RFC 7644 section 3.5.2), though clients say of whom they speak;
    and no password."""
    _check_password(value)
    for path, entry in value.items():
        if _head(path) in form.read_only and (path.casefold(), entry) != ("id", resource_id):
            raise MutabilityException(attribute=path, mutability="readOnly")


def _head(path: str) -> str:
    """The attribute that a path begins with, without its schema."""
    text = path.casefold()
    for schema in (
        CORE.casefold(),
        GROUP.casefold(),
        PARTICIPANT.casefold(),
        *(alias.casefold() for alias in CORE_ALIASES),
    ):
        text = text.removeprefix(f"{schema}:")
    if text.startswith(ENTERPRISE):
        return ENTERPRISE
    return text.partition("[")[0].partition(".")[0]
