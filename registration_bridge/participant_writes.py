"""Apply a pushed Participant: register, rename, end or restore it, and set its participations and
contacts."""

from __future__ import annotations

from collections.abc import Sequence

from scim2_models import MutabilityException, UniquenessException

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import (
    contacts,
    participants,
    participations,
    persons,
    provisioned_participants,
    role_group_assignments,
)
from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.directory.provisioning_scope import ProvisioningScope
from idp.errors import Conflict
from idp.models import Participant
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge.pushed_participant import PushedParticipant


def create(
    work: UnitOfWork, scope: ProvisioningScope, wanted: PushedParticipant
) -> tuple[Participant, bool]:
    """A new participant, one that was removed before, or the one that the same push created before
    (False). Raises the errors of SCIM."""
    _check(scope, wanted.number)
    try:
        row = participants.register(work, wanted.number, wanted.name)
    except Conflict as error:
        row = participants.by_number(work, wanted.number)
        if not _is_as_pushed(work, row, wanted):
            raise UniquenessException(
                detail=f"participantId {wanted.number} is already in use."
            ) from error
        return row, False
    provisioned_participants.set_external_id(work, row, wanted.external_id)
    events.record(work, AuditAction.SCIM_PARTICIPANT_CREATED, participant=wanted.number)
    participations.replace(work, row, wanted.participations)
    _set_contacts(work, scope, row, wanted.contacts)
    if wanted.is_ended:
        participants.end(work, row)
    return row, True


def _is_as_pushed(work: UnitOfWork, row: Participant, wanted: PushedParticipant) -> bool:
    present = (
        row.name,
        row.external_id,
        row.ended_at is not None,
        tuple(participations.list_participations(work, row)),
        tuple(contacts.to_entries(contacts.list_contacts(work, row))),
    )
    return present == (
        wanted.name,
        wanted.external_id,
        bool(wanted.is_ended),
        wanted.participations,
        wanted.contacts,
    )


def update(
    work: UnitOfWork, scope: ProvisioningScope, row: Participant, wanted: PushedParticipant
) -> None:
    """Set name and status as pushed. Raises the errors of SCIM."""
    _check(scope, row.number)
    if wanted.number not in ("", row.number):
        raise MutabilityException(attribute="participantId", mutability="immutable")
    if (wanted.name, wanted.external_id) != (row.name, row.external_id):
        scope.check(PushOperation.UPDATE)
        participants.rename(work, row, wanted.name)
        provisioned_participants.set_external_id(work, row, wanted.external_id)
    if wanted.is_ended and row.ended_at is None:
        _check_end(work, scope, row)
        participants.end(work, row)
    elif wanted.is_ended is False and row.ended_at is not None:
        scope.check(PushOperation.CREATE)
        participants.restore(work, row)
    _set_participations(work, scope, row, wanted.participations)
    if _set_contacts(work, scope, row, wanted.contacts):
        scope.check(PushOperation.UPDATE)


def delete(work: UnitOfWork, scope: ProvisioningScope, row: Participant) -> None:
    """End the participant and remove it from view. Its number is not reused."""
    _check(scope, row.number)
    _check_end(work, scope, row)
    provisioned_participants.remove(work, row)
    events.record(work, AuditAction.SCIM_PARTICIPANT_DELETED, participant=row.number)


def _check_end(work: UnitOfWork, scope: ProvisioningScope, row: Participant) -> None:
    """Check that a push may revoke the role groups of everybody who holds one there."""
    scope.check(PushOperation.DEACTIVATE)
    scope.check_accounts(work, role_group_assignments.accounts_at_participant(work, row))


def _set_participations(
    work: UnitOfWork, scope: ProvisioningScope, row: Participant, wanted: Sequence[ParticipationRef]
) -> None:
    losing = participations.affected_accounts(work, row, wanted)
    if participations.replace(work, row, wanted):
        scope.check(PushOperation.UPDATE)
    if losing:
        scope.check(PushOperation.DEACTIVATE)
        scope.check_accounts(work, losing)


def _set_contacts(
    work: UnitOfWork, scope: ProvisioningScope, row: Participant, wanted: Sequence[ContactRef]
) -> bool:
    """Returns whether the contacts change. Only persons in the client's scope may be named. Their
    number is checked before any of them is looked up."""
    contacts.check_count(wanted)
    known = contacts.to_entries(contacts.list_contacts(work, row))
    for entry in wanted:
        person = persons.by_person_id(work, entry.person_id)
        if entry not in known and person is not None:
            scope.check_person(work, person)
    return contacts.replace(work, row, wanted)


def _check(scope: ProvisioningScope, number: str) -> None:
    scope.check_no_operator(number)
    scope.check_participant(number)
