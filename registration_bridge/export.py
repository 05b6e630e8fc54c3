"""An export of a registration system, as CSV or JSON lines (PR-07)."""

from __future__ import annotations

import csv
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from idp.policy.names import name_key
from registration_bridge.export_grant import Grant, utc_text
from registration_bridge.export_mapping import COLUMNS, phone_text, values_of

STATES = ("active", "suspended", "closed")


class BadExport(ValueError):
    """The file is not a valid export; the message gives the line and the reason."""


@dataclass(frozen=True)
class Entry:
    """An account in the export: attributes by the names of ``COLUMNS``, ``grants`` a sorted list of
    Grants, ``networks`` a dictionary of labels. Only values in the export are compared."""

    line: int
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name in tables."""
        return str(self.values.get("userName") or self.values.get("externalId") or "")


def read(file: TextIO, *, is_csv: bool) -> list[Entry]:
    """The entries of an export. Raises BadExport."""
    entries = list(_of_csv(file) if is_csv else _of_lines(file))
    seen: dict[tuple[str, str], int] = {}
    for entry in entries:
        if not entry.name:
            raise BadExport(f"line {entry.line}: externalId or userName is required")
        for key in keys_of(entry.values):
            if key in seen:
                raise BadExport(f"line {entry.line}: {key[1]} is already in line {seen[key]}")
            seen[key] = entry.line
    return entries


def keys_of(values: dict[str, Any]) -> list[tuple[str, str]]:
    """The values that identify an account."""
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
        raise BadExport(f"line 1: unknown columns: {', '.join(unknown)}; use {', '.join(COLUMNS)}")
    for row in rows:
        line = rows.line_num
        if None in row or None in row.values():
            raise BadExport(f"line {line}: the number of values differs from the number of columns")
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
            f"line {line}: write a grant as 'role group@participant', optionally with "
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
            raise BadExport(f"line {line}: not a JSON object") from error
        if not isinstance(user, dict):
            raise BadExport(f"line {line}: not a JSON object")
        try:
            yield Entry(line, _checked(line, values_of(user)))
        except BadExport:
            raise
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BadExport(f"line {line}: not a SCIM User") from error


def _checked(line: int, values: dict[str, Any]) -> dict[str, Any]:
    """The values in the form that the gateway stores."""
    if values.get("state", "active") not in STATES:
        raise BadExport(f"line {line}: state must be one of {', '.join(STATES)}")
    if "networks" in values:
        values["networks"] = {_network(net): label for net, label in values["networks"].items()}
    if values.get("endDate"):
        try:
            values["endDate"] = utc_text(values["endDate"])
        except ValueError as error:
            raise BadExport(f"line {line}: write endDate as 2027-12-31T00:00:00Z") from error
    if values.get("phone"):
        values["phone"] = phone_text(values["phone"])
    if values.get("sequence") not in (None, ""):
        try:
            values["sequence"] = int(values["sequence"])
        except ValueError as error:
            raise BadExport(f"line {line}: sequence must be an integer") from error
    return values


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        # The gateway refuses it and says why.
        return text
