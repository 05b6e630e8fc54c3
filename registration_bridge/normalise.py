"""Convert what real clients send to the form of the specification before it is read.

Read-only attributes and those that the gateway does not have are removed from whole resources.
Names of operations become lower case, and words such as "True" become booleans (Okta, Microsoft
Entra, OneLogin). A PATCH of a read-only attribute is refused, and so is a password.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from scim2_models import (
    InvalidSyntaxException,
    InvalidValueException,
    MutabilityException,
    PayloadTooLargeException,
)

from registration_bridge.body_rules import (
    CORE,
    CORE_ALIASES,
    ENTERPRISE,
    GROUP,
    GROUP_ALIAS,
    MAX_BODY,
    MAX_OPERATIONS,
    BodyRules,
    attribute_of,
)

DROPPED_OF_NAME = frozenset({"formatted", "honorificprefix", "honorificsuffix"})
#: The last part of the schemas of resources and their extensions.
_RESOURCES = ("User", "Group", "Participant", "user", "group", "participant")
BOOLEANS = {"true": True, "false": False}


def parse(body: bytes, longest: int = MAX_BODY) -> Any:
    """JSON without repeated keys, because it is unknown which of two values was meant. Raises the
    errors of SCIM."""
    if len(body) > longest:
        raise PayloadTooLargeException(detail=f"The body must not exceed {longest} bytes.")
    try:
        return json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise InvalidSyntaxException(detail="The body must be a JSON object.") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len({name.casefold() for name in found}) != len(pairs):
        raise InvalidSyntaxException(detail="An attribute is repeated.")
    return found


def resource(body: bytes, rules: BodyRules, *, is_new: bool) -> bytes:
    """The body of a POST (``is_new``) or PUT."""
    return json.dumps(normalise_resource(parse(body), rules, is_new=is_new)).encode()


def normalise_resource(value: Any, rules: BodyRules, *, is_new: bool) -> dict[str, Any]:
    """A whole resource. Raises the errors of SCIM."""
    if not isinstance(value, dict):
        raise InvalidSyntaxException(detail="The body must be a JSON object.")
    if rules.profile is not None:
        # Clients with a profile send a generated password with every new User.
        value = rules.profile.complete(rules.name, value, is_new=is_new)
    else:
        _check_password(value)
    return _resource(value, rules.dropped)


def _check_password(value: dict[str, Any]) -> None:
    if any(entry and attribute_of(name) == "password" for name, entry in value.items()):
        raise InvalidValueException(
            detail="password is not supported: people choose it with the link in their e-mail."
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
            raise InvalidValueException(detail="active must be true or false.")
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
    """A single name is the family name, wherever the client has it."""
    known = {part.casefold(): part for part in parts}
    given, family = (known.get(name, name) for name in ("givenname", "familyname"))
    if parts.get(family) or not isinstance(parts.get(given), str):
        return parts
    rest = {k: v for k, v in parts.items() if k not in (given, family)}
    return rest | {"familyName": parts[given]}


def patch(body: bytes, rules: BodyRules, resource_id: str) -> bytes:
    """The body of a PATCH. Operations on attributes that the gateway does not have are removed."""
    return json.dumps(normalise_patch(parse(body), rules, resource_id)).encode()


def normalise_patch(value: Any, rules: BodyRules, resource_id: str) -> dict[str, Any]:
    """The body of a PATCH. Raises the errors of SCIM."""
    operations = operations_of(value)
    if not isinstance(operations, list):
        raise InvalidSyntaxException(detail="Operations is missing.")
    if not operations:
        raise InvalidValueException(detail="Operations is empty.")
    if len(operations) > MAX_OPERATIONS:
        raise InvalidValueException(
            detail=f"The request must not exceed {MAX_OPERATIONS} operations."
        )
    kept = [
        done
        for given in operations
        for part in _split(given)
        for entry in (rules.profile.patched(rules.name, part) if rules.profile else [part])
        if (done := _operation(entry, rules, resource_id)) is not None
    ]
    rest = {name: entry for name, entry in value.items() if name.casefold() != "operations"}
    return rest | {"Operations": kept}


def has_operations(body: bytes) -> bool:
    """Whether a normalised PATCH has any operations."""
    return bool(operations_of(json.loads(body)))


def operations_of(value: Any) -> Any:
    """The operations of a PATCH or a Bulk. Raises InvalidSyntaxException."""
    if not isinstance(value, dict):
        raise InvalidSyntaxException(detail="The body must be a JSON object.")
    return next((entry for name, entry in value.items() if name.casefold() == "operations"), None)


def _split(entry: Any) -> list[Any]:
    """Split an operation without a path: one operation for each attribute, and for each key that is
    a path (dotted, with a filter, or with its schema)."""
    if not isinstance(entry, dict):
        return [entry]
    given = {name.casefold(): part for name, part in entry.items()}
    value, is_removal = given.get("value"), str(given.get("op")).casefold() == "remove"
    if given.get("path") not in (None, "") or not isinstance(value, dict):
        return [entry]
    paths = {
        name: "members" if attribute_of(name) == "members" else name
        for name in value
        if attribute_of(name) == "members" or (_is_path(name) and not is_removal)
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


def _operation(entry: Any, rules: BodyRules, resource_id: str) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        raise InvalidSyntaxException(detail="An operation must be an object.")
    given = {name.casefold(): part for name, part in entry.items()}
    op, path = given.get("op"), given.get("path")
    done: dict[str, Any] = {"op": op.casefold() if isinstance(op, str) else op}
    if path not in (None, ""):
        head = attribute_of(str(path))
        _check_writable({str(path): given.get("value")}, rules, resource_id)
        if head in rules.dropped or str(path).casefold() in ("name.formatted",):
            return None
        if rules.profile is not None and rules.profile.is_other_telephone(str(path)):
            return None
        done["path"] = path
        if "value" in given:
            done["value"] = _value(head, given["value"])
        return done
    if "value" in given:
        value = given["value"]
        if isinstance(value, dict):
            _check_writable(value, rules, resource_id)
        done["value"] = _resource(value, rules.dropped) if isinstance(value, dict) else value
        if value and done["value"] == {}:
            return None
    return done


def _check_writable(value: dict[str, Any], rules: BodyRules, resource_id: str) -> None:
    """Refuse changes of read-only attributes (RFC 7644 section 3.5.2) and passwords. The id and
    other values that only identify the resource are accepted."""
    _check_password(value)
    for path, entry in value.items():
        if attribute_of(path) in rules.read_only and (path.casefold(), entry) != (
            "id",
            resource_id,
        ):
            raise MutabilityException(attribute=path, mutability="readOnly")
