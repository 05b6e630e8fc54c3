"""Reads the grid of an organization from the tables, as of any moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, or_, select

from registration.access_changes import AccountKey, CellState
from registration.delegation_facts import AccountKind
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Machine,
    Market,
    Organization,
    Participation,
    Person,
)
from registration.organization_facts import belongs_to, names
from registration.role_grid import Column, Grid, Holding, Row
from registration.transaction import UnitOfWork
from service_base.subqueries import among


def grid(
    work: UnitOfWork,
    here: Organization,
    kind: AccountKind,
    at: datetime,
    *,
    is_french: bool,
    account: str = "",
    is_anybody: bool = False,
) -> Grid:
    """Its people, or its machines, and the roles of its approved participations; roles that are
    still held are there too (AR-03, AR-04, RG-13). Names of roles are in the language. With
    ``account``, the id of a key, only this row and what it holds; with ``is_anybody`` the person
    need not belong to the organization."""
    changed = _changed(work, here, kind, at, account)
    held_roles = {code for held in changed.holdings.values() for code in held}
    rows = tuple(
        Row(
            key,
            name,
            username,
            also,
            changed.states.get(key.id, {}),
            changed.holdings.get(key.id, {}),
        )
        for key, name, username, also in (
            _people(work, here, at, account, is_anybody=is_anybody)
            if kind is AccountKind.PERSON
            else _machines(work, here, account)
        )
    )
    return Grid(columns(work, here, kind, at, held_roles, is_french=is_french), rows)


def columns(
    work: UnitOfWork,
    here: Organization,
    kind: AccountKind,
    at: datetime,
    held: Collection[str] = (),
    *,
    is_french: bool,
) -> tuple[Column, ...]:
    """The roles of the organization's approved participations, and those that are held."""
    approved = select(Participation.market_id).where(
        Participation.organization_id == here.id,
        Participation.approved_at <= at,
        or_(Participation.ended_at.is_(None), Participation.ended_at > at),
    )
    query = (
        select(AccessRole)
        .join(Market, AccessRole.market_id == Market.id)
        .where(
            AccessRole.kind == kind,
            or_(AccessRole.market_id.in_(approved), AccessRole.code.in_(held)),
        )
        .order_by(Market.position, Market.id, AccessRole.position, AccessRole.id)
    )
    return tuple(column_of(role, is_french=is_french) for role in work.db.scalars(query))


def column_of(role: AccessRole, *, is_french: bool) -> Column:
    """The role as a page names it."""
    if is_french:
        description = role.description_fr or role.description
        return Column(role.code, role.name_fr, description, role.market.name_fr)
    return Column(role.code, role.name, role.description, role.market.name)


class _Changed(NamedTuple):
    """The cells that were ever changed, and those that are held at the moment asked for: by the id
    of the account's key and the code of the role."""

    states: dict[str, dict[str, CellState]]
    holdings: dict[str, dict[str, Holding]]


def _changed(
    work: UnitOfWork, here: Organization, kind: AccountKind, at: datetime, only: str
) -> _Changed:
    """What happened to the cells. The versions are those of now."""
    accounts = _accounts(work, here, kind, only)
    roles = work.db.execute(select(AccessRole.id, AccessRole.code))
    codes = {role.id: role.code for role in roles}
    query = select(
        AccessAssignment.account_id,
        AccessAssignment.access_role_id,
        AccessAssignment.valid_from,
        AccessAssignment.valid_until,
        AccessAssignment.given_by,
    ).where(AccessAssignment.organization_id == here.id)
    if only:
        query = query.where(AccessAssignment.account_id.in_(accounts))
    rows = list(work.db.execute(query))
    givers = names(work, {row[4] for row in rows})
    now = work.now
    versions: dict[str, dict[str, int]] = defaultdict(dict)
    holdings: dict[str, dict[str, Holding]] = defaultdict(dict)
    held_now: set[tuple[str, str]] = set()
    for account, role, since, until, giver in rows:
        key = accounts.get(account)
        if key is None:
            continue
        code, of_key = codes[role], versions[key]
        if since <= now:
            is_over = until is not None and until <= now
            of_key[code] = of_key.get(code, 0) + (2 if is_over else 1)
            if not is_over:
                held_now.add((key, code))
        if since <= at and (until is None or at < until):
            of_key.setdefault(code, 0)
            holdings[key][code] = Holding(since, until, givers.get(giver, giver))
    states = {
        key: {
            code: CellState.counted(count, is_held=(key, code) in held_now)
            for code, count in of_key.items()
        }
        for key, of_key in versions.items()
    }
    return _Changed(states, holdings)


def _accounts(work: UnitOfWork, here: Organization, kind: AccountKind, only: str) -> dict[int, str]:
    """The accounts of this kind that ever had a role here: by row, the id of their key."""
    query = (
        select(Account.id, Account.username, Person.person_id)
        .outerjoin(Person, Account.person_id == Person.id)
        .where(
            Account.kind == kind,
            among(
                Account.id,
                select(AccessAssignment.account_id).where(
                    AccessAssignment.organization_id == here.id
                ),
            ),
        )
    )
    if only:
        is_person = kind is AccountKind.PERSON
        query = query.where((Person.person_id if is_person else Account.username) == only)
    return {row: person or username or "" for row, username, person in work.db.execute(query)}


def _people(
    work: UnitOfWork, here: Organization, at: datetime, only: str, *, is_anybody: bool
) -> list[tuple[AccountKey, str, str, str]]:
    wanted: list[ColumnElement[bool]] = [Person.person_id == only] if only else []
    if not (only and is_anybody):
        wanted.append(belongs_to(at, here.id))
    query = (
        select(
            Person.person_id,
            Person.first_name,
            Person.middle_name,
            Person.last_name,
            Person.preferred_name,
            Account.username,
        )
        .outerjoin(
            Account,
            (Account.person_id == Person.id)
            & (Account.kind == AccountKind.PERSON)
            & Account.ended_at.is_(None)
            & or_(Account.only_organization_id.is_(None), Account.only_organization_id == here.id),
        )
        .where(*wanted)
        .order_by(Person.last_name, Person.first_name, Person.id, Account.only_organization_id)
    )
    found: dict[AccountKey, tuple[AccountKey, str, str, str]] = {}
    for person, first, middle, last, preferred, username in work.db.execute(query):
        key = AccountKey(AccountKind.PERSON, person)
        name = f"{last}, {' '.join(part for part in (first, middle) if part)}"
        found.setdefault(key, (key, name, username or "", preferred))
    return list(found.values())


def _machines(
    work: UnitOfWork, here: Organization, only: str
) -> list[tuple[AccountKey, str, str, str]]:
    query = (
        select(Account.username, Machine.description)
        .join(Machine, Machine.account_id == Account.id)
        .where(
            Machine.organization_id == here.id,
            Account.username.is_not(None),
            Account.ended_at.is_(None),
        )
        .order_by(Account.username)
    )
    if only:
        query = query.where(Account.username == only)
    rows: list[Any] = list(work.db.execute(query))
    return [
        (AccountKey(AccountKind.MACHINE, name), description or name, name, "")
        for name, description in rows
    ]
