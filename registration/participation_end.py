"""A participation ends, and with it all roles that belong to it (RG-12, RG-13).

Access roles belong to one market. A contact role ends when none of its markets is left; one without
markets ends with the last participation. Everything is one transaction, with a push for each
account. Its statements are as many for 300 people as for three.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update

from registration import (
    access_batches,
    access_notices,
    account_pushes,
    accounts,
    contact_assignments,
    custody_alarms,
    dry_runs,
    history,
    market_participations,
    organization_pushes,
    participation_notices,
    requests,
)
from registration.delegation_facts import Actor, ParticipationState, Target
from registration.delegation_rules import Action
from registration.dry_runs import DryRun
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
from service_base.subqueries import among

ENDED = "participation.ended"
#: The reason that the history and each role name.
WHY = "participation ended"


@dataclass(frozen=True)
class Ending:
    """The roles that end with a participation."""

    access: tuple[tuple[Account, AccessRole], ...]
    contacts: tuple[ContactAssignment, ...]


@dataclass(frozen=True)
class Trial:
    """What would come of an end."""

    #: How many access roles and contact roles end.
    access: int
    contacts: int
    #: Whether programs have some of the access roles.
    has_machines: bool
    tried: DryRun


def attempt(
    work: UnitOfWork, actor: Actor, here: Organization, participation_id: int, version: int
) -> Trial:
    """What would come of the end: the same changes and pushes without history and mails. Everything
    that this unit of work wrote is rolled back. Raises what ``end`` raises."""
    row, gone = _end_rows(work, actor, here, participation_id, version, "-")
    access, contacts = len(gone.access), len(gone.contacts)
    has_machines = any(account.kind == "machine" for account, _ in gone.access)
    request = _request(work, here, row)
    _push(work, here, gone, request)
    return Trial(access, contacts, has_machines, dry_runs.of_request(work, request))


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
    why = why.strip()
    row, gone = _end_rows(work, actor, here, participation_id, version, why)
    market_participations.drop_steps(work, row)
    request = _request(work, here, row)
    entry = _record(work, here, row, gone, request, why)
    _push(work, here, gone, request)
    custody_alarms.check(work, here, _people(gone))
    participation_notices.tell(work, actor, row, entry, ParticipationEvent.ENDED, why=why)
    _tell_holders(work, actor, here, gone, entry)
    return request


def _end_rows(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    participation_id: int,
    version: int,
    why: str,
) -> tuple[Participation, Ending]:
    """The participation and its roles have ended."""
    lock_and_close(work, here)
    facts = facts_of(work, here, actor.person)
    require(actor, Action.DECIDE_PARTICIPATION, Target(here.organization_id), facts)
    found = market_participations.progress(work, here, participation_id)
    row = found.row
    if row.version != version or found.state is not ParticipationState.APPROVED:
        raise ChangedMeanwhile()
    if not why:
        raise ReasonMissing()
    gone = _ending(work, here, row)
    row.ended_at, row.ended_by, row.ended_why = work.now, actor.person, why
    _end_all(work, actor, AccessAssignment, _access(here, row), len(gone.access))
    contacts = ContactAssignment.id.in_([one.id for one in gone.contacts])
    _end_all(work, actor, ContactAssignment, (contacts,), len(gone.contacts))
    return row, gone


def _request(work: UnitOfWork, here: Organization, row: Participation) -> Request:
    data = {"participation": row.id, "market": row.market.code}
    return requests.open_request(work, ENDED, organization=here, data=data)


def _ending(work: UnitOfWork, here: Organization, row: Participation) -> Ending:
    """The roles that end if the participation ends now."""
    query = select(AccessRole).where(AccessRole.market_id == row.market_id)
    roles = {role.id: role for role in work.db.scalars(query)}
    held = (AccessAssignment.account_id, AccessAssignment.access_role_id)
    access = work.db.execute(
        select(*held).where(*_access(here, row)).order_by(AccessAssignment.id)
    ).all()
    concerned = select(AccessAssignment.account_id).where(*_access(here, row))
    accounts_there = {
        one.id: one for one in work.db.scalars(select(Account).where(among(Account.id, concerned)))
    }
    left = {
        one.kind
        for one in participations(work, here)
        if one.state is ParticipationState.APPROVED and one.kind != row.market.code
    }
    contacts = select(ContactAssignment).where(
        ContactAssignment.organization_id == here.id, ContactAssignment.ended_at.is_(None)
    )
    return Ending(
        tuple((accounts_there[account], roles[role]) for account, role in access),
        tuple(
            one
            for one in work.db.scalars(contacts.order_by(ContactAssignment.id))
            if not left & set(one.contact_role.markets or left)
        ),
    )


def _access(here: Organization, row: Participation) -> tuple[ColumnElement[bool], ...]:
    """Access roles of the participation that nobody has ended."""
    roles = select(AccessRole.id).where(AccessRole.market_id == row.market_id)
    return (
        AccessAssignment.organization_id == here.id,
        AccessAssignment.ended_at.is_(None),
        AccessAssignment.access_role_id.in_(roles),
    )


def _record(
    work: UnitOfWork,
    here: Organization,
    row: Participation,
    gone: Ending,
    request: Request,
    why: str,
) -> History:
    """The entries of the history; returns that of the participation."""
    entry = history.record(
        work, ENDED, organization=here, request=request, reason=why,
        before=market_participations.market_text(row),
    )  # fmt: skip
    access = [
        history.Line(account.person, account, {"role": role.code}) for account, role in gone.access
    ]
    contacts = [history.Line(one.person, None, _contact_text(one)) for one in gone.contacts]
    for action, lines in (
        (access_batches.REVOKED, access),
        (contact_assignments.REMOVED, contacts),
    ):
        history.record_all(work, action, lines, organization=here, request=request, reason=WHY)
    return entry


def _contact_text(one: ContactAssignment) -> dict[str, str]:
    section = {"section": str(one.section.id)} if one.section is not None else {}
    return {"role": one.contact_role.code} | section


def _end_all(
    work: UnitOfWork,
    actor: Actor,
    kind: type[AccessAssignment | ContactAssignment],
    which: Iterable[ColumnElement[bool]],
    count: int,
) -> None:
    """Set the end of rows that were read, by one statement. Raises ChangedMeanwhile if they are not
    as many as were read."""
    done: Any = work.db.execute(
        update(kind)
        .where(*which)
        .values(
            valid_until=work.now, ended_at=work.now, ended_by=actor.person, ended_why=WHY,
            version=kind.version + 1,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if done.rowcount != count:
        raise ChangedMeanwhile()


def _push(work: UnitOfWork, here: Organization, gone: Ending, request: Request) -> None:
    """The account of everybody whose role groups change, once; then the organization."""
    by_contact = accounts.of_persons(
        work,
        (
            one.person_id
            for one in gone.contacts
            if one.person_id is not None and one.contact_role.role_groups
        ),
    )
    changed = {*(account for account, _ in gone.access), *by_contact}
    account_pushes.queue_all(work, (one for one in changed if one.ended_at is None), request)
    organization_pushes.queue(work, here, request)


def _people(gone: Ending) -> list[Person | None]:
    return [account.person for account, _ in gone.access] + [one.person for one in gone.contacts]


def _tell_holders(
    work: UnitOfWork, actor: Actor, here: Organization, gone: Ending, entry: History
) -> None:
    access = [(account, role, False) for account, role in gone.access]
    if access or gone.contacts:
        access_notices.tell(work, actor, here, entry, access, gone.contacts)
