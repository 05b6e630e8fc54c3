"""Participants as a provisioning client sees them: those within its scope that were not removed."""

from __future__ import annotations

from sqlalchemy import case, func, select

from idp.directory import contacts, participants, participations
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.result_pages import Page, PageRequest, page_of
from idp.directory.search_conditions import Attribute, Condition
from idp.models import Participant
from idp.transaction import UnitOfWork, lock_rows

MAX_NUMBER = 40

NUMBER = Attribute(Participant.number)
EXTERNAL_ID = Attribute(Participant.external_id, empty="")
NAME = Attribute(func.lower(Participant.name), str.casefold)
STATUS = Attribute(case((Participant.ended_at.is_(None), "active"), else_="ended"), str.casefold)
CREATED = Attribute(Participant.created_at)
UPDATED = Attribute(func.coalesce(Participant.updated_at, Participant.created_at))


def page(
    work: UnitOfWork, scope: ProvisioningScope, condition: Condition | None, request: PageRequest
) -> Page:
    """A page of the participants of the client."""
    base = select(Participant).where(Participant.removed_at.is_(None), scope.visible_participants())
    if condition is not None:
        base = base.where(condition)
    return page_of(work, base, Participant.id, request)


def find(work: UnitOfWork, scope: ProvisioningScope, number: str) -> Participant | None:
    """The participant of this number, if it is one of the client's."""
    return work.db.scalar(
        select(Participant).where(
            Participant.number == number[:MAX_NUMBER],
            Participant.removed_at.is_(None),
            scope.visible_participants(),
        )
    )


def lock(work: UnitOfWork, number: str) -> None:
    """Nobody else changes the participant until the transaction ends."""
    lock_rows(work, Participant, Participant.number == number[:MAX_NUMBER])


def set_external_id(work: UnitOfWork, row: Participant, external_id: str | None) -> None:
    """The key under which the registration system knows it."""
    if external_id != row.external_id:
        row.external_id, row.updated_at = external_id, work.now
        work.db.flush()


def remove(work: UnitOfWork, row: Participant) -> None:
    """End it with all that it takes part in, and show it no more; its number stays its own."""
    participants.end(work, row)
    participations.replace(work, row, ())
    contacts.replace(work, row, ())
    row.removed_at = work.now
    work.db.flush()
