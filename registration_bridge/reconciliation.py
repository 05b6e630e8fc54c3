"""The differences between the gateway and an export of the registration system, and the pushes that
remove them (PR-07)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from idp.policy.names import name_key
from registration_bridge.export import Entry, keys_of
from registration_bridge.export_grant import Grant
from registration_bridge.export_mapping import CARRIED, COLUMNS, changes_of, user_of, values_of

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True)
class Step:
    """The change that makes one account match the export: ``create``, ``change`` or ``close``, and
    the differences as (attribute, before, after)."""

    entry: Entry
    action: str
    differences: list[tuple[str, Any, Any]] = field(default_factory=list)
    user_id: str = ""

    def operation(self) -> dict[str, Any]:
        """The operation of a Bulk."""
        if self.action == "create":
            return {"method": "POST", "path": "/Users", "data": user_of(self.entry.values)}
        path = f"/Users/{self.user_id}"
        if self.action == "close":
            return {"method": "DELETE", "path": path}
        names = [name for name, _, _ in self.differences]
        body = {"schemas": [PATCH], "Operations": list(changes_of(self.entry.values, names))}
        return {"method": "PATCH", "path": path, "data": body}


def plan(entries: Iterable[Entry], present: dict[tuple[str, str], dict[str, Any]]) -> list[Step]:
    """The steps for all accounts that differ; ``present`` has the Users by ``keys_of``."""
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
    """The entry, with the grantor that the gateway has stored for each grant if the export does not
    name one, because grants are pushed as a whole."""
    if "grants" not in entry.values:
        return entry
    known = {grant: grant for grant in present}
    grants = [
        grant if grant.granted_by or grant.request_number else known.get(grant, grant)
        for grant in entry.values["grants"]
    ]
    return replace(entry, values=entry.values | {"grants": grants})


def _differences(entry: Entry, present: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The values that differ between the export and the gateway."""
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
    """The value for tables and JSON."""
    return list(map(str, value)) if isinstance(value, list) else value
