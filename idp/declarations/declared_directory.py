"""Apply the participants and role groups of a declaration."""

from __future__ import annotations

from typing import Any

from idp.declarations.declared_file import Entry
from idp.declarations.declared_run import Action, Run, differences
from idp.directory import contacts, participants, participations, role_groups
from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.errors import NotFound
from idp.models import Participant, RoleGroup
from idp.transaction import UnitOfWork


def apply_participant(run: Run, entry: Entry) -> None:
    """Register or change a participant with its participations and contacts, and end or restore
    it. Faults are added to the run. Raises FaultyDeclaration if the database refuses the change."""
    work, given = run.work, entry.values
    with run.collecting(entry):
        row = participants.find(work, entry.name)
        is_new = row is None or row.removed_at is not None
        if is_new:
            if not given.get("name"):
                run.fault(entry, "a new participant needs a name")
                return
            row = participants.register(work, entry.name, given["name"])
            before: dict[str, Any] = {}
        else:
            row = participants.lock_by_number(work, entry.name)
            before = describe_participant(work, row)
        _set_participant(work, row, given)
        after = describe_participant(work, row)
        changed = differences(before, {k: v for k, v in after.items() if k in given or is_new})
        if is_new:
            run.note(entry, Action.CREATED, *(c for c in changed if c[2]))
        elif changed:
            run.note(entry, Action.CHANGED, *changed)
        _switch(run, entry, row)


def describe_participant(work: UnitOfWork, row: Participant) -> dict[str, Any]:
    """The fields of a participant in the format of a declaration."""
    parts: dict[str, list[str]] = {}
    for part in participations.list_participations(work, row):
        parts.setdefault(str(part.kind), []).append(part.name)
    people: dict[str, list[str]] = {}
    for entry in contacts.to_entries(contacts.list_contacts(work, row)):
        people.setdefault(entry.function, []).append(entry.person_id)
    return {
        "name": row.name,
        "participations": dict(sorted(parts.items())),
        "contacts": dict(sorted(people.items())),
    }


def _set_participant(work: UnitOfWork, row: Participant, given: dict[str, Any]) -> None:
    if "name" in given:
        participants.rename(work, row, given["name"])
    if "participations" in given:
        participations.replace(
            work,
            row,
            [ParticipationRef(name, kind) for kind, name in _pairs(given["participations"])],
        )
    if "contacts" in given:
        contacts.replace(
            work,
            row,
            [ContactRef(person_id, function) for function, person_id in _pairs(given["contacts"])],
        )


def _switch(run: Run, entry: Entry, row: Participant) -> None:
    is_ended = entry.values.get("ended")
    if is_ended is True and row.ended_at is None:
        participants.end(run.work, row)
        run.note(entry, Action.ENDED)
    if is_ended is False and participants.restore(run.work, row):
        run.note(entry, Action.RESTORED)


def _pairs(by_kind: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, names in by_kind.items() for name in names]


def apply_role_group(run: Run, entry: Entry) -> None:
    """Create or change a role group. Faults are added to the run. Raises FaultyDeclaration if the
    database refuses the change."""
    work, given = run.work, entry.values
    with run.collecting(entry):
        group = _find(work, entry.name)
        if group is None:
            fields = {k: v for k, v in given.items() if k != "second_factor"}
            group = role_groups.create(work, entry.name, **fields)
            if given.get("second_factor"):
                role_groups.set_rule(work, group, given["second_factor"])
            run.note(entry, Action.CREATED, *differences({}, {k: v for k, v in given.items() if v}))
            return
        changed = differences(describe_role_group(group), given)
        if any(name == "kind" for name, _, _ in changed):
            run.fault(entry, f"the kind of a role group cannot change; it is {group.kind}")
            return
        for name, _, value in changed:
            _set_role_group(work, group, name, value)
        if changed:
            run.note(entry, Action.CHANGED, *changed)


def describe_role_group(group: RoleGroup) -> dict[str, Any]:
    """The fields of a role group in the format of a declaration."""
    return {
        "description": group.description,
        "name_fr": group.name_fr,
        "description_fr": group.description_fr,
        "kind": group.kind,
        "participation": group.participation,
        "second_factor": group.second_factor,
    }


def _set_role_group(work: UnitOfWork, group: RoleGroup, name: str, value: str) -> None:
    if name == "participation":
        participations.set_required(work, group, value)
    elif name == "second_factor":
        role_groups.set_rule(work, group, value)
    else:
        role_groups.describe(work, group, **{name: value})


def _find(work: UnitOfWork, name: str) -> RoleGroup | None:
    try:
        return role_groups.by_name(work, name)
    except NotFound:
        return None
