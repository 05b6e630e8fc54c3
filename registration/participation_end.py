"""A participation ends, and with it all roles that belong to it (RG-12, RG-13).

Access roles belong to one market. A contact role ends when none of its markets is left; one without
markets ends with the last participation. Everything is one transaction, with a push for each
account.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from registration import (
    access_batches,
    access_notices,
    account_pushes,
    accounts,
    contact_assignments,
    custody_alarms,
    history,
    market_participations,
    organization_pushes,
    participation_notices,
    requests,
)
from registration.delegation_facts import Actor, ParticipationState, Target
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    ContactAssignment,
    History,
    Organization,
    Participation,
    Person,
    Request,
)
from registration.notice_texts import ParticipationEvent
from registration.organization_facts import facts_of, participations
from registration.participation_refusals import ReasonMissing
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

ENDED = "participation.ended"


@dataclass(frozen=True)
class Ending:
    """The roles that end with a participation."""

    access: tuple[AccessAssignment, ...]
    contacts: tuple[ContactAssignment, ...]


def ending(work: UnitOfWork, here: Organization, row: Participation) -> Ending:
    """The roles that would end if the participation ended now."""
    access = select(AccessAssignment).join(
        AccessRole, AccessAssignment.access_role_id == AccessRole.id
    )
    left = {
        one.kind
        for one in participations(work, here)
        if one.state is ParticipationState.APPROVED and one.kind != row.market.code
    }
    contacts = select(ContactAssignment).where(
        ContactAssignment.organization_id == here.id, ContactAssignment.ended_at.is_(None)
    )
    return Ending(
        tuple(
            work.db.scalars(
                access.where(
                    AccessAssignment.organization_id == here.id,
                    AccessAssignment.ended_at.is_(None),
                    AccessRole.market_id == row.market_id,
                ).order_by(AccessAssignment.id)
            )
        ),
        tuple(
            one
            for one in work.db.scalars(contacts.order_by(ContactAssignment.id))
            if not left & set(one.contact_role.markets or left)
        ),
    )


def end(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    participation_id: int,
    version: int,
    why: str,
) -> Request:
    """End the participation now.

    Raises ParticipationNotFound, NotAllowed, ChangedMeanwhile, ReasonMissing."""
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person)
    require(actor, Action.DECIDE_PARTICIPATION, Target(here.organization_id), facts)
    found = market_participations.progress(work, here, participation_id)
    row, why = found.row, why.strip()
    if row.version != version or found.state is not ParticipationState.APPROVED:
        raise ChangedMeanwhile()
    if not why:
        raise ReasonMissing()
    gone = ending(work, here, row)
    row.ended_at, row.ended_by, row.ended_why = work.now, actor.person, why
    market_participations.drop_steps(work, row)
    request = requests.open_request(
        work, ENDED, organization=here, data={"participation": row.id, "market": row.market.code}
    )
    entry = history.record(
        work, ENDED, organization=here, request=request, reason=why,
        before=market_participations.market_text(row),
    )  # fmt: skip
    _end_roles(work, actor, gone, request)
    _push(work, gone, request)
    organization_pushes.queue(work, here, request)
    custody_alarms.check(work, here, _people(gone))
    participation_notices.tell(work, actor, row, entry, ParticipationEvent.ENDED, why=why)
    _tell_holders(work, actor, here, gone, entry)
    return request


def _end_roles(work: UnitOfWork, actor: Actor, gone: Ending, request: Request) -> None:
    why = "participation ended"
    for access in gone.access:
        access.end(work.now, actor.person, why)
        account = access.account
        history.record(
            work, access_batches.REVOKED, organization=access.organization, person=account.person,
            account=account, request=request, before={"role": access.access_role.code}, reason=why,
            is_one_of_many=True,
        )  # fmt: skip
    for contact in gone.contacts:
        contact.end(work.now, actor.person, why)
        before = {"role": contact.contact_role.code}
        if contact.section is not None:
            before["section"] = str(contact.section.id)
        history.record(
            work, contact_assignments.REMOVED, organization=contact.organization,
            person=contact.person, request=request, before=before, reason=why,
            is_one_of_many=True,
        )  # fmt: skip
    work.db.flush()


def _push(work: UnitOfWork, gone: Ending, request: Request) -> None:
    """The account of everybody whose role groups change, once."""
    changed: dict[int, Account] = {one.account.id: one.account for one in gone.access}
    for contact in gone.contacts:
        if contact.person is None or not contact.contact_role.role_groups:
            continue
        if account := accounts.of_person(work, contact.person):
            changed[account.id] = account
    account_pushes.queue_all(
        work, (account for account in changed.values() if account.ended_at is None), request
    )


def _people(gone: Ending) -> list[Person | None]:
    return [one.account.person for one in gone.access] + [one.person for one in gone.contacts]


def _tell_holders(
    work: UnitOfWork, actor: Actor, here: Organization, gone: Ending, entry: History
) -> None:
    access = [(one.account, one.access_role, False) for one in gone.access]
    if access or gone.contacts:
        access_notices.tell(work, actor, here, entry, access, gone.contacts)
