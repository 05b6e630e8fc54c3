"""What a registration system wants to be true, from its export (CSV or JSON lines), and how that
differs from what the gateway says (PR-07)."""

from __future__ import annotations

import csv
import ipaddress
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TextIO

from idp.policy import phone_number as phones
from idp.policy.names import name_key
from registration_bridge.normalise import CORE
from registration_bridge.user_schema import REGISTRATION

EXTENSION = str(REGISTRATION)
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
#: Columns of a CSV file; ``grants`` is "EMI Trader@109120; ...", ``networks`` is
#: "192.0.2.0/28=Control room; ...", ``state`` is active, suspended or closed;
#: ``secondAccount`` is "transmission_rights@109120".
COLUMNS = (
    "externalId", "userName", "personId", "accountKind", "givenName", "middleName", "familyName",
    "preferredName", "email", "phone", "language", "timezone", "grants", "networks", "state",
    "endDate", "secondAccount", "requestNumber", "sequence",
)  # fmt: skip
#: Where an attribute that has one value stands in a User.
PLACES = {
    "givenName": ("name", "givenName"),
    "middleName": ("name", "middleName"),
    "familyName": ("name", "familyName"),
    "preferredName": ("nickName",),
    "language": ("preferredLanguage",),
    "timezone": ("timezone",),
    "personId": (EXTENSION, "personId"),
    "accountKind": (EXTENSION, "accountKind"),
    "endDate": (EXTENSION, "endDate"),
    "externalId": ("externalId",),
    "userName": ("userName",),
}
#: What is said of the person, not of the account.
OF_PERSON = ("givenName", "middleName", "familyName", "preferredName", "email", "phone")
#: Bookkeeping of a push: it travels along and is no difference.
CARRIED = ("requestNumber", "sequence")
BOUNDS = ("validFrom", "validUntil")
LISTS_OF_EXTENSION = ("grants", "registeredNetworks")
STATES = ("active", "suspended", "closed")


class BadExport(ValueError):
    """A file that is no export; says in which line and why."""


@dataclass(frozen=True, order=True)
class Grant:
    """A role group at a participant, moments in UTC or "". Who granted it in which request travels
    along and is no difference."""

    group: str
    participant: str
    valid_from: str = ""
    valid_until: str = ""
    granted_by: str = field(default="", compare=False)
    request_number: str = field(default="", compare=False)

    @classmethod
    def of_text(cls, text: str) -> Grant:
        """From "role group@participant" and perhaps an interval (ISO 8601-2). Raises ValueError."""
        group, _, rest = text.rpartition("@")
        number, _, interval = rest.partition(" ")
        if not group or not number:
            raise ValueError(text)
        begin, slash, end = interval.strip().partition("/") if interval else ("..", "/", "..")
        if not slash:
            raise ValueError(text)
        bounds = ("" if bound == ".." else _moment(bound) for bound in (begin, end))
        return cls(group.strip(), number, *bounds)

    @classmethod
    def of_scim(cls, row: dict[str, Any]) -> Grant:
        """From a grant of a User. Raises KeyError, TypeError or ValueError."""
        begin, end = (_moment(row[name]) if row.get(name) else "" for name in BOUNDS)
        return cls(
            row["roleGroup"],
            row["participantId"],
            valid_from=begin,
            valid_until=end,
            granted_by=row.get("grantedBy") or "",
            request_number=row.get("requestNumber") or "",
        )

    def __str__(self) -> str:
        text = f"{self.group}@{self.participant}"
        if not self.valid_from and not self.valid_until:
            return text
        return f"{text} {self.valid_from or '..'}/{self.valid_until or '..'}"

    def scim(self) -> dict[str, str]:
        """As a grant of a User."""
        values = {
            "roleGroup": self.group,
            "participantId": self.participant,
            "validFrom": self.valid_from,
            "validUntil": self.valid_until,
            "grantedBy": self.granted_by,
            "requestNumber": self.request_number,
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class Entry:
    """An account as the export wants it: attributes by the names of ``COLUMNS``, ``grants`` a
    sorted list of Grants, ``networks`` a dictionary of labels. Only what the export says is
    compared."""

    line: int
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return str(self.values.get("userName") or self.values.get("externalId") or "")


@dataclass(frozen=True)
class Step:
    """What brings one account to what the export says: ``create``, ``change`` or
    ``close``; the differences as (attribute, before, after)."""

    entry: Entry
    action: str
    differences: list[tuple[str, Any, Any]] = field(default_factory=list)
    user_id: str = ""

    def operation(self) -> dict[str, Any]:
        """The operation of a Bulk."""
        if self.action == "create":
            return {"method": "POST", "path": "/Users", "data": user_of(self.entry)}
        path = f"/Users/{self.user_id}"
        if self.action == "close":
            return {"method": "DELETE", "path": path}
        body = {"schemas": [PATCH], "Operations": list(_changes(self))}
        return {"method": "PATCH", "path": path, "data": body}


def read(file: TextIO, *, is_csv: bool) -> list[Entry]:
    """The entries of an export. Raises BadExport."""
    entries = list(_of_csv(file) if is_csv else _of_lines(file))
    seen: dict[tuple[str, str], int] = {}
    for entry in entries:
        if not entry.name:
            raise BadExport(f"line {entry.line}: externalId or userName is needed")
        for key in keys_of(entry.values):
            if key in seen:
                raise BadExport(f"line {entry.line}: {key[1]} is in line {seen[key]} already")
            seen[key] = entry.line
    return entries


def keys_of(values: dict[str, Any]) -> list[tuple[str, str]]:
    """By what an account is recognised."""
    found = []
    if values.get("externalId"):
        found.append(("externalId", str(values["externalId"])))
    if values.get("userName"):
        found.append(("userName", name_key(str(values["userName"]))))
    return found


def _of_csv(file: TextIO) -> Iterator[Entry]:
    rows = csv.DictReader(file)
    unknown = set(rows.fieldnames or ()) - set(COLUMNS)
    if not rows.fieldnames or unknown:
        raise BadExport(f"line 1: columns are {', '.join(COLUMNS)}; not {', '.join(unknown)}")
    for row in rows:
        line = rows.line_num
        if None in row or None in row.values():
            raise BadExport(f"line {line}: as many values as columns are needed")
        values: dict[str, Any] = {name: value.strip() for name, value in row.items()}
        if "grants" in values:
            values["grants"] = _grants(line, values["grants"])
        if "networks" in values:
            pairs = (part.partition("=") for part in _parts(values["networks"]))
            values["networks"] = {net.strip(): label.strip() for net, _, label in pairs}
        yield Entry(line, _checked(line, values))


def _grants(line: int, text: str) -> list[Grant]:
    try:
        return sorted(map(Grant.of_text, _parts(text)))
    except ValueError as error:
        raise BadExport(
            f"line {line}: a grant is written 'role group@participant', perhaps with "
            "' 2027-01-01T00:00:00Z/2027-12-31T00:00:00Z' behind it, '..' for no end"
        ) from error


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _of_lines(file: TextIO) -> Iterator[Entry]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            user = json.loads(text)
        except ValueError as error:
            raise BadExport(f"line {line}: this is no JSON object") from error
        if not isinstance(user, dict):
            raise BadExport(f"line {line}: this is no JSON object")
        try:
            yield Entry(line, _checked(line, values_of(user)))
        except BadExport:
            raise
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BadExport(f"line {line}: this is no User of SCIM") from error


def _checked(line: int, values: dict[str, Any]) -> dict[str, Any]:
    """The values in the form that the gateway keeps."""
    if values.get("state", "active") not in STATES:
        raise BadExport(f"line {line}: state is one of {', '.join(STATES)}")
    if "networks" in values:
        values["networks"] = {_network(net): label for net, label in values["networks"].items()}
    if values.get("endDate"):
        try:
            values["endDate"] = _moment(values["endDate"])
        except ValueError as error:
            raise BadExport(f"line {line}: endDate is written 2027-12-31T00:00:00Z") from error
    if values.get("phone"):
        values["phone"] = _phone(values["phone"])
    if values.get("sequence") not in (None, ""):
        try:
            values["sequence"] = int(values["sequence"])
        except ValueError as error:
            raise BadExport(f"line {line}: sequence is a whole number") from error
    return values


def _moment(text: str) -> str:
    """A moment with its zone, in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError(text) from error


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        # The gateway refuses it and says why.
        return text


def _phone(text: str) -> str:
    number = text.removeprefix("tel:").replace(";ext=", " ext ")
    parsed = phones.parse(number)
    if parsed is None:
        return number
    return parsed.e164 + (f" ext {parsed.extension}" if parsed.extension else "")


def values_of(user: dict[str, Any]) -> dict[str, Any]:
    """A User of SCIM by the names of ``COLUMNS``; what it leaves out is left out."""
    values: dict[str, Any] = {}
    for name, place in PLACES.items():
        part: Any = user
        for key in place:
            part = part.get(key) if part is not None else None
        if part is not None:
            values[name] = part
    if user.get("emails"):
        values["email"] = _chosen(user["emails"])
    if "phoneNumbers" in user:
        values["phone"] = _phone(_chosen(user["phoneNumbers"])) if user["phoneNumbers"] else ""
    if "active" in user:
        values["state"] = "active" if user["active"] else "suspended"
    extension = user.get(EXTENSION) or {}
    if "grants" in extension:
        values["grants"] = sorted(map(Grant.of_scim, extension["grants"] or ()))
    if "registeredNetworks" in extension:
        rows = extension["registeredNetworks"] or ()
        values["networks"] = {row["value"]: row.get("label") or "" for row in rows}
    if extension.get("secondAccount"):
        second = extension["secondAccount"]
        values["secondAccount"] = f"{second['reason']}@{second.get('participantId') or ''}"
    for name in CARRIED:
        if extension.get(name) is not None:
            values[name] = extension[name]
    return values


def _chosen(rows: list[dict[str, Any]]) -> str:
    return str(next((row for row in rows if row.get("primary")), rows[0])["value"])


def plan(entries: Iterable[Entry], present: dict[tuple[str, str], dict[str, Any]]) -> list[Step]:
    """What has to be done, of those with whom anything has; ``present`` holds the Users by
    ``keys_of``."""
    steps = (_step(entry, present) for entry in entries)
    return [step for step in steps if step is not None]


def _step(entry: Entry, present: dict[tuple[str, str], dict[str, Any]]) -> Step | None:
    is_closed = entry.values.get("state") == "closed"
    found = next((present[key] for key in keys_of(entry.values) if key in present), None)
    if found is None:
        return None if is_closed else Step(entry, "create")
    known = values_of(found)
    if is_closed:
        return Step(entry, "close", [("state", known["state"], "closed")], found["id"])
    differences = _differences(entry, known)
    entry = _with_sources(entry, known.get("grants", []))
    return Step(entry, "change", differences, found["id"]) if differences else None


def _with_sources(entry: Entry, present: list[Grant]) -> Entry:
    """The entry, its grants with who granted them as the gateway knows it, where the export does
    not say: the grants are pushed as a whole."""
    if "grants" not in entry.values:
        return entry
    known = {grant: grant for grant in present}
    grants = [
        grant if grant.granted_by or grant.request_number else known.get(grant, grant)
        for grant in entry.values["grants"]
    ]
    return replace(entry, values=entry.values | {"grants": grants})


def _differences(entry: Entry, present: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What the export says and the gateway does not."""
    found = []
    for name in COLUMNS:
        if name in CARRIED or name not in entry.values:
            continue
        wanted, known = entry.values[name], present.get(name)
        if name == "userName" and name_key(wanted) in ("", name_key(str(known))):
            continue
        if name in ("accountKind", "state", "language", "timezone") and not wanted:
            continue
        if (wanted or None) != (known or None):
            found.append((name, _shown(known), _shown(wanted)))
    return found


def _shown(value: Any) -> Any:
    """As tables and JSON show it."""
    return list(map(str, value)) if isinstance(value, list) else value


def user_of(entry: Entry) -> dict[str, Any]:
    """The User to make."""
    values = entry.values
    user: dict[str, Any] = {"schemas": [CORE, EXTENSION]}
    for name, place in PLACES.items():
        if values.get(name):
            part = user
            for key in place[:-1]:
                part = part.setdefault(key, {})
            part[place[-1]] = values[name]
    extension = user.setdefault(EXTENSION, {})
    for name in ("email", "phone", "grants", "networks"):
        if values.get(name):
            attribute, rows = _list_of(name, values[name])
            (extension if attribute in LISTS_OF_EXTENSION else user)[attribute] = rows
    if values.get("secondAccount"):
        extension["secondAccount"] = _second(values["secondAccount"])
    extension.update({name: values[name] for name in CARRIED if values.get(name)})
    user["active"] = values.get("state") != "suspended"
    return user


def _second(text: str) -> dict[str, str] | None:
    reason, _, number = text.partition("@")
    return {"reason": reason.strip(), "participantId": number.strip()} if text else None


def _list_of(name: str, value: Any) -> tuple[str, list[dict[str, Any]]]:
    """The attribute of SCIM that is a list."""
    if name == "email":
        return "emails", [{"value": value, "type": "work", "primary": True}]
    if name == "phone":
        rows = [{"value": value, "type": "work", "primary": True}] if value else []
        return "phoneNumbers", rows
    if name == "grants":
        return "grants", [grant.scim() for grant in value]
    networks = (
        {"value": net} | ({"label": label} if label else {}) for net, label in value.items()
    )
    return "registeredNetworks", list(networks)


def _changes(step: Step) -> Iterator[dict[str, Any]]:
    """The operations of a PATCH. Of another custodian all is said that the export says: what the
    account shows now is said of the former one."""
    values = step.entry.values
    names = [name for name, _, _ in step.differences]
    if "personId" in names:
        names += [name for name in OF_PERSON if name in values and name not in names]
    for name in names:
        wanted = values[name]
        if name == "state":
            yield {"op": "replace", "path": "active", "value": wanted == "active"}
            continue
        value: Any
        if name == "secondAccount":
            # The gateway refuses it: it never changes.
            path, value = f"{EXTENSION}:{name}", _second(wanted)
        elif name in ("email", "phone", "grants", "networks"):
            attribute, value = _list_of(name, wanted)
            is_ours = attribute in LISTS_OF_EXTENSION
            path = f"{EXTENSION}:{attribute}" if is_ours else attribute
        else:
            place = PLACES[name]
            value = wanted
            path = f"{EXTENSION}:{place[1]}" if place[0] == EXTENSION else ".".join(place)
        if value:
            yield {"op": "replace", "path": path, "value": value}
        else:
            yield {"op": "remove", "path": path}
    for name in CARRIED:
        if values.get(name):
            yield {"op": "replace", "path": f"{EXTENSION}:{name}", "value": values[name]}
