"""Grants and revocations in a batch: tried first, then ordered as a whole (AR-01 to AR-10).

An order is one transaction: assignments, history, mails, and a push for each account. What would
come of it is found by the same transaction, rolled back, whose pushes the gateway only tries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select

from registration import (
    access_notices,
    account_pushes,
    accounts,
    custody_alarms,
    dry_runs,
    history,
    requests,
    waiting_requests,
)
from registration.access_changes import AccountKey, Cell, Change, Plan, Situation, plan
from registration.delegation_facts import AccountKind, Actor
from registration.expired_holdings import lock_and_close
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    History,
    Organization,
    Person,
    Request,
)
from registration.organization_facts import facts_of, situation
from registration.transaction import UnitOfWork
from registration_bridge.bridge_client import BridgeError
from service_base.phrases import N_
from service_base.refusals import Refused

GRANTED, REVOKED = "access.granted", "access.revoked"
KIND = "access.change"


class BatchNotPossible(Refused):
    """Something in the batch is refused, or was changed by others meanwhile. Nothing was done."""

    code = "batch_not_possible"
    template = N_("The changes cannot be made as a whole.")

    def __init__(self, found: Plan) -> None:
        super().__init__()
        self.plan = found


@dataclass(frozen=True)
class Trial:
    """What would come of a batch."""

    plan: Plan
    #: The effects that the gateway names, an entry for each account.
    effects: tuple[dict[str, Any], ...] = ()
    #: Why the gateway refuses an account, in its own words.
    refusals: tuple[tuple[AccountKey, str], ...] = ()
    #: Why the gateway was not reached; empty if it was.
    unreachable: str = ""
    #: As that of ``dry_runs.DryRun``.
    new_organization: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether it can be ordered. A gateway that is away is no obstacle: the order waits."""
        return self.plan.is_possible and not self.refusals


def planned(
    work: UnitOfWork, actor: Actor, here: Organization, changes: Iterable[Change]
) -> tuple[Plan, Situation]:
    """The plan of the batch as things are now."""
    asked = tuple(changes)
    people = {one.cell.account.id for one in asked if one.cell.account.kind is AccountKind.PERSON}
    there = work.db.scalars(select(Person.person_id).where(Person.person_id.in_(people)))
    accounts = {one.cell.account for one in asked}
    known = replace(
        situation(work, here, accounts), unregistered=frozenset(people.difference(there))
    )
    return plan(actor, asked, known, facts_of(work, here, actor.person, *people)), known


def attempt(work: UnitOfWork, actor: Actor, here: Organization, changes: Iterable[Change]) -> Trial:
    """What would come of the batch. Everything that this unit of work wrote is rolled back."""
    try:
        request, found = _order(work, actor, here, changes, why="", is_attested=False)
    except BatchNotPossible as refused:
        work.db.rollback()
        return Trial(refused.plan)
    if not (found.added or found.ended):
        work.db.rollback()
        return Trial(found)
    pushes = requests.pushes_of(work, request)
    keys = [_key_of(push.account) for push in pushes if push.account]
    operations = [
        account_pushes.operation(push.account, push.body) for push in pushes if push.account
    ]
    waiting = dry_runs.waiting_organization(work, request)
    work.db.rollback()
    try:
        with work.ports.bridge() as bridge:
            results, new = dry_runs.tried(bridge, operations, waiting)
    except BridgeError as error:
        return Trial(found, unreachable=error.detail)
    return Trial(
        found,
        tuple(result.effects for result in results),
        tuple(
            (key, result.detail)
            for key, result in zip(keys, results, strict=True)
            if not result.is_done
        ),
        new_organization=new,
    )


def order(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    changes: Iterable[Change],
    *,
    why: str = "",
    is_attested: bool = False,
) -> Request:
    """Make the changes, all or none. Other changes of who may do what at this organization wait:
    an administrator whose appointment ends at the same moment is refused, if the end comes first.
    Raises BatchNotPossible."""
    return _order(work, actor, here, changes, why=why, is_attested=is_attested)[0]


def _order(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    changes: Iterable[Change],
    *,
    why: str,
    is_attested: bool,
) -> tuple[Request, Plan]:
    lock_and_close(work, here)
    found, _ = planned(work, actor, here, changes)
    if not found.is_possible:
        raise BatchNotPossible(found)
    data = {"added": [_named(one) for one in found.added],
            "ended": [_named(one) for one in found.ended]}  # fmt: skip
    request = requests.open_request(work, KIND, organization=here, data=data)
    codes = {cell.role for cell in (*found.added, *found.ended)}
    query = select(AccessRole).where(AccessRole.code.in_(codes))
    roles = {role.code: role for role in work.db.scalars(query)}
    ended = [(cell, row) for cell in found.ended for row in _held_by(work, here, cell)]
    holders = {
        key: _account_of(work, here, key, request)
        for key in sorted({cell.account for cell in found.added})
    }
    entries = [_end(work, row, request, why) for _, row in ended] + [
        _grant(
            work, here, holders[cell.account], roles[cell.role], request, why,
            is_attested=is_attested,
        )
        for cell in found.added
    ]  # fmt: skip
    changed = {row.account for _, row in ended if row.account.ended_at is None}
    account_pushes.queue_all(work, {*changed, *holders.values()}, request)
    custody_alarms.check(work, here, (one.person for one in (*changed, *holders.values())))
    waiting_requests.grant(work, actor, here, found.added, request)
    told = [(account, roles[cell.role], False) for cell, account in _first(ended)]
    told += [(holders[cell.account], roles[cell.role], True) for cell in found.added]
    if told:
        access_notices.tell(work, actor, here, entries[0], told)
    return request, found


def _account_of(work: UnitOfWork, here: Organization, key: AccountKey, request: Request) -> Account:
    """The account that the role is attached to (AR-06); a person who has none gets one (AR-07)."""
    if key.kind is AccountKind.MACHINE:
        query = select(Account).where(
            Account.kind == key.kind, Account.username == key.id, Account.ended_at.is_(None)
        )
        return work.db.scalars(query).one()
    person = work.db.scalars(select(Person).where(Person.person_id == key.id)).one()
    return accounts.acting_for(work, person, here) or accounts.ordered(work, person, request)


def _grant(
    work: UnitOfWork,
    here: Organization,
    account: Account,
    role: AccessRole,
    request: Request,
    why: str,
    *,
    is_attested: bool,
) -> History:
    row = AccessAssignment(
        organization_id=here.id,
        access_role_id=role.id,
        account_id=account.id,
        request_id=request.id,
        valid_from=work.now,
        given_by=work.origin.actor,
        given_why=why,
        is_attested=is_attested,
    )
    work.db.add(row)
    return _record(work, GRANTED, here, account, role, request, why)


def _held_by(work: UnitOfWork, here: Organization, cell: Cell) -> list[AccessAssignment]:
    """What is revoked: of a person the role of each account, also of one that acted for every
    organization before there was one for this organization only (D.03)."""
    query = (
        select(AccessAssignment)
        .join(AccessRole, AccessAssignment.access_role_id == AccessRole.id)
        .join(Account, AccessAssignment.account_id == Account.id)
        .outerjoin(Person, Account.person_id == Person.id)
        .where(
            AccessAssignment.organization_id == here.id,
            AccessRole.code == cell.role,
            Account.kind == cell.account.kind,
            func.coalesce(Person.person_id, Account.username) == cell.account.id,
            AccessAssignment.held_at(work.now),
        )
        .order_by(AccessAssignment.id)
    )
    return list(work.db.scalars(query))


def _first(ended: list[tuple[Cell, AccessAssignment]]) -> list[tuple[Cell, Account]]:
    """Each cell once, for the mails."""
    return list({cell: row.account for cell, row in reversed(ended)}.items())[::-1]


def _end(work: UnitOfWork, row: AccessAssignment, request: Request, why: str) -> History:
    row.valid_until = row.ended_at = work.now
    row.ended_by, row.ended_why = work.origin.actor, why
    return _record(work, REVOKED, row.organization, row.account, row.access_role, request, why)


def _record(
    work: UnitOfWork,
    action: str,
    here: Organization,
    account: Account,
    role: AccessRole,
    request: Request,
    why: str,
) -> History:
    value = {"role": role.code, "is_own": _is_own(work, account)}
    return history.record(
        work,
        action,
        organization=here,
        person=account.person,
        account=account,
        request=request,
        before=value if action == REVOKED else {},
        after=value if action == GRANTED else {},
        reason=why,
    )


def _is_own(work: UnitOfWork, account: Account) -> bool:
    """Whether somebody changes his own access (AR-10)."""
    return account.person is not None and account.person.person_id == work.origin.actor


def _named(cell: Cell) -> dict[str, str]:
    return {"kind": str(cell.account.kind), "id": cell.account.id, "role": cell.role}


def _key_of(account: Account) -> AccountKey:
    if account.person is not None:
        return AccountKey(AccountKind.PERSON, account.person.person_id)
    return AccountKey(AccountKind.MACHINE, account.username or "")
