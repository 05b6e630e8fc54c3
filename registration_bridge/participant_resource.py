"""A participant as a SCIM resource: its number, its name, whether it still takes part."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Any

from scim2_models import (
    InvalidValueException,
    Meta,
    MutabilityException,
    UniquenessException,
)

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import contacts, participants, participations, persons, role_groups
from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.errors import Conflict
from idp.models import Contact, Participant, ParticipationKind
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge.reach import Reach
from registration_bridge.text_values import clean
from registration_bridge.user_schema import ContactEntry, ParticipationEntry

ACTIVE, ENDED = "active", "ended"


def resources_of(work: UnitOfWork, model: Any, rows: Collection[Participant]) -> list[Any]:
    """The Participants of these rows."""
    parts, people = (
        participations.participations_by_participant(work, rows),
        contacts.contacts_by_participant(work, rows),
    )
    return [_resource(model, row, parts.get(row.id, []), people.get(row.id, [])) for row in rows]


def resource_of(work: UnitOfWork, model: Any, row: Participant) -> Any:
    """The Participant of a row; its id is its number."""
    return resources_of(work, model, [row])[0]


def _resource(
    model: Any, row: Participant, parts: list[ParticipationRef], people: list[Contact]
) -> Any:
    changed = row.updated_at or row.created_at
    listed = [(one.person.person_id, one.function) for one in people]
    shown = f"{row.number}/{row.name}/{row.external_id}/{row.ended_at}/{parts}/{listed}"
    return model(
        id=row.number,
        external_id=row.external_id,
        participant_id=row.number,
        name=row.name,
        status=ENDED if row.ended_at else ACTIVE,
        participations=[ParticipationEntry(value=p.name, type=p.kind) for p in parts] or None,
        contacts=[ContactEntry(value=person_id, type=function) for person_id, function in listed]
        or None,
        meta=Meta(
            resource_type="Participant",
            created=row.created_at,
            last_modified=changed,
            version=f'W/"{sha256(shown.encode()).hexdigest()[:32]}"',
        ),
    )


def create(work: UnitOfWork, reach: Reach, wanted: Any) -> tuple[Participant, bool]:
    """A new participant, or one that was removed before; or the one that the same push made before
    (False). Raises the errors of SCIM."""
    reach.check(PushOperation.CREATE)
    number, name = clean(wanted.participant_id), clean(wanted.name)
    external_id = _external_id(wanted)
    _check(reach, number)
    is_ended, wanted_parts = _is_ended(wanted.status), _parts(wanted)
    try:
        row = participants.register(work, number, name)
    except Conflict as error:
        row = participants.by_number(work, number)
        present = (
            row.name,
            row.external_id,
            row.ended_at is not None,
            participations.list_participations(work, row),
            contacts.to_entries(contacts.list_contacts(work, row)),
        )
        pushed = (name, external_id, bool(is_ended), wanted_parts, _contacts(wanted))
        if present != pushed:
            raise UniquenessException(detail=f"participantId {number} is taken.") from error
        return row, False
    row.external_id = external_id
    events.record(work, AuditAction.SCIM_PARTICIPANT_CREATED, participant=number)
    participations.replace(work, row, wanted_parts)
    _set_contacts(work, reach, row, _contacts(wanted))
    if is_ended:
        participants.end(work, row)
    work.db.flush()
    return row, True


def update(work: UnitOfWork, reach: Reach, row: Participant, wanted: Any) -> None:
    """Name and status as pushed. Raises the errors of SCIM."""
    _check(reach, row.number)
    if clean(wanted.participant_id) not in ("", row.number):
        raise MutabilityException(attribute="participantId", mutability="immutable")
    name, external_id = clean(wanted.name), _external_id(wanted)
    if (name, external_id) != (row.name, row.external_id):
        reach.check(PushOperation.UPDATE)
        participants.rename(work, row, name)
        row.external_id, row.updated_at = external_id, work.now
    is_ended = _is_ended(wanted.status)
    if is_ended:
        _end(work, reach, row)
    elif is_ended is False and row.ended_at is not None:
        reach.check(PushOperation.CREATE)
        participants.restore(work, row)
    _set_participations(work, reach, row, _parts(wanted))
    if _set_contacts(work, reach, row, _contacts(wanted)):
        reach.check(PushOperation.UPDATE)
    work.db.flush()


def delete(work: UnitOfWork, reach: Reach, row: Participant) -> None:
    """It ends and is not shown any more; its number stays its own. Raises the errors of SCIM."""
    _check(reach, row.number)
    _end(work, reach, row, is_removed=True)
    participations.replace(work, row, ())
    contacts.replace(work, row, ())
    row.removed_at = work.now
    events.record(work, AuditAction.SCIM_PARTICIPANT_DELETED, participant=row.number)
    work.db.flush()


def _set_participations(
    work: UnitOfWork, reach: Reach, row: Participant, wanted: list[ParticipationRef]
) -> None:
    losing = participations.affected_accounts(work, row, wanted)
    if participations.replace(work, row, wanted):
        reach.check(PushOperation.UPDATE)
    if losing:
        reach.check(PushOperation.DEACTIVATE)
        reach.check_accounts(work, losing)


def _set_contacts(
    work: UnitOfWork, reach: Reach, row: Participant, wanted: list[ContactRef]
) -> bool:
    """Whether they are others than before; only persons whom the pusher may see are named. Their
    number is checked first, before each of them is looked up."""
    contacts.check_count(wanted)
    known = contacts.to_entries(contacts.list_contacts(work, row))
    for entry in wanted:
        person = persons.by_person_id(work, entry.person_id)
        if entry not in known and person is not None:
            reach.check_person(work, person)
    return contacts.replace(work, row, wanted)


def _contacts(wanted: Any) -> list[ContactRef]:
    """What the push names, each once."""
    return sorted(
        {ContactRef(clean(entry.value), clean(entry.type)) for entry in wanted.contacts or ()}
    )


def _parts(wanted: Any) -> list[ParticipationRef]:
    """What the push names, each once."""
    return sorted(
        {
            ParticipationRef(clean(entry.value), clean(entry.type) or ParticipationKind.MARKET)
            for entry in wanted.participations or ()
        }
    )


def _end(work: UnitOfWork, reach: Reach, row: Participant, *, is_removed: bool = False) -> None:
    if row.ended_at is not None and not is_removed:
        return
    reach.check(PushOperation.DEACTIVATE)
    reach.check_accounts(work, role_groups.accounts_at_participant(work, row))
    participants.end(work, row)


def _check(reach: Reach, number: str) -> None:
    reach.check_no_operator(number)
    reach.check_participant(number)


def _external_id(wanted: Any) -> str | None:
    return clean(wanted.external_id)[:200] or None


def _is_ended(status: str | None) -> bool | None:
    """None when the push does not say."""
    known = {None: None, ACTIVE: False, ENDED: True}
    if status not in known:
        raise InvalidValueException(detail=f"status is {ACTIVE} or {ENDED}.")
    return known[status]
