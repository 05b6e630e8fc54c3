"""Reads the grid of an organization from the tables, as of any moment.

It reads columns, not models, and its statements are built once: a grid has thousands of cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select

from registration.access_changes import AccountKey
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
from registration.organization_facts import AT, HERE, Query, belongs_to, names
from registration.role_grid import Column, Grid, Holding, Row
from registration.transaction import UnitOfWork
from service_base.subqueries import among

#: The id of a key.
ONLY: Any = bindparam("only")


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
    roles = _roles(work, here, at)
    cells = _cells(work, here, kind, at, account, {role.id: role.code for role in roles})
    held_roles = {code for row in cells.values() for code in row.holdings}
    found = (
        _people(work, here, at, account, is_anybody=is_anybody)
        if kind is AccountKind.PERSON
        else _machines(work, here, account)
    )
    untouched = _Cells()
    rows = tuple(
        Row(key, name, username, also, row.versions, row.holdings)
        for key, name, username, also in found
        for row in (cells.get(key.id, untouched),)
    )
    return Grid(_columns(roles, kind, held_roles, is_french=is_french), rows)


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
    return _columns(_roles(work, here, at), kind, held, is_french=is_french)


def column_of(role: AccessRole, *, is_french: bool) -> Column:
    """The role as a page names it."""
    if is_french:
        description = role.description_fr or role.description
        return Column(role.code, role.name_fr, description, role.market.name_fr)
    return Column(role.code, role.name, role.description, role.market.name)


class _Role(NamedTuple):
    """An access role, and whether one of the organization's approved participations has it."""

    id: int
    kind: str
    code: str
    #: English and French.
    names: tuple[str, str]
    descriptions: tuple[str, str]
    headings: tuple[str, str]
    is_approved: bool


def _roles(work: UnitOfWork, here: Organization, at: datetime) -> list[_Role]:
    """The catalogue, in its order."""
    rows = work.db.execute(_roles_query(), {"at": at, "here": here.id})
    return [
        _Role(row[0], row[1], row[2], (row[3], row[4]), (row[5], row[6]), (row[7], row[8]), row[9])
        for row in rows
    ]


@cache
def _roles_query() -> Query:
    approved = select(Participation.market_id).where(
        Participation.organization_id == HERE,
        Participation.approved_at <= AT,
        or_(Participation.ended_at.is_(None), Participation.ended_at > AT),
    )
    return (
        select(
            AccessRole.id,
            AccessRole.kind,
            AccessRole.code,
            AccessRole.name,
            AccessRole.name_fr,
            AccessRole.description,
            AccessRole.description_fr,
            Market.name,
            Market.name_fr,
            AccessRole.market_id.in_(approved),
        )
        .join(Market, AccessRole.market_id == Market.id)
        .order_by(Market.position, Market.id, AccessRole.position, AccessRole.id)
    )


def _columns(
    roles: Iterable[_Role], kind: AccountKind, held: Collection[str], *, is_french: bool
) -> tuple[Column, ...]:
    return tuple(
        Column(
            role.code,
            role.names[is_french],
            (is_french and role.descriptions[1]) or role.descriptions[0],
            role.headings[is_french],
        )
        for role in roles
        if role.kind == kind and (role.is_approved or role.code in held)
    )


@dataclass(frozen=True)
class _Cells:
    """Of one account, by the code of the role: the versions of the cells that ever changed, and
    what is held at the moment asked for."""

    versions: dict[str, int] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)


def _cells(
    work: UnitOfWork,
    here: Organization,
    kind: AccountKind,
    at: datetime,
    only: str,
    codes: dict[int, str],
) -> dict[str, _Cells]:
    """What happened to the cells, by the id of the account's key. The versions are those of
    now."""
    accounts = _accounts(work, here, kind, only)
    query = _assignments_query(is_one=bool(only))
    asked = {"here": here.id} | ({"accounts": list(accounts)} if only else {})
    rows: Sequence[Any] = work.db.execute(query, asked).all()
    givers = names(work, {row[4] for row in rows})
    by_key = {key: _Cells() for key in accounts.values()}
    by_account = {row: by_key[key] for row, key in accounts.items()}
    now = work.now
    for account, role, since, until, giver in rows:
        cells = by_account.get(account)
        if cells is None:
            continue
        code, versions = codes[role], cells.versions
        if since <= now:
            # Twice the number of changes, and one more if it is held.
            count = versions.get(code, 0)
            versions[code] = count + 4 if until is not None and until <= now else count + 2 | 1
        if since <= at and (until is None or at < until):
            versions.setdefault(code, 0)
            cells.holdings[code] = Holding(since, until, givers.get(giver, giver))
    for cells in by_key.values():
        for code, count in cells.versions.items():
            # As ``CellState.counted``.
            cells.versions[code] = count >> 1 | count & 1
    return by_key


@cache
def _assignments_query(*, is_one: bool) -> Query:
    row = AccessAssignment.__table__.c
    query = select(
        row.account_id, row.access_role_id, row.valid_from, row.valid_until, row.given_by
    ).where(row.organization_id == HERE)
    if is_one:
        query = query.where(row.account_id.in_(bindparam("accounts", expanding=True)))
    return query


def _accounts(work: UnitOfWork, here: Organization, kind: AccountKind, only: str) -> dict[int, str]:
    """The accounts of this kind that ever had a role here: by row, the id of their key."""
    query = _accounts_query(kind, is_one=bool(only))
    rows = work.db.execute(query, {"here": here.id} | ({"only": only} if only else {}))
    return {row: person or username or "" for row, username, person in rows}


@cache
def _accounts_query(kind: AccountKind, *, is_one: bool) -> Query:
    had = select(AccessAssignment.account_id).where(AccessAssignment.organization_id == HERE)
    query = (
        select(Account.id, Account.username, Person.person_id)
        .outerjoin(Person, Account.person_id == Person.id)
        .where(Account.kind == kind, among(Account.id, had))
    )
    if is_one:
        own = Person.person_id if kind is AccountKind.PERSON else Account.username
        query = query.where(own == ONLY)
    return query


def _people(
    work: UnitOfWork, here: Organization, at: datetime, only: str, *, is_anybody: bool
) -> list[tuple[AccountKey, str, str, str]]:
    query = _people_query(is_one=bool(only), is_anybody=bool(only) and is_anybody)
    rows = work.db.execute(query, {"here": here.id, "at": at, "only": only})
    found: dict[str, tuple[AccountKey, str, str, str]] = {}
    for person, first, middle, last, preferred, username in rows:
        if person not in found:
            name = f"{last}, {' '.join(part for part in (first, middle) if part)}"
            key = AccountKey(AccountKind.PERSON, person)
            found[person] = (key, name, username or "", preferred)
    return list(found.values())


@cache
def _people_query(*, is_one: bool, is_anybody: bool) -> Query:
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
            & or_(Account.only_organization_id.is_(None), Account.only_organization_id == HERE),
        )
        .order_by(Person.last_name, Person.first_name, Person.id, Account.only_organization_id)
    )
    if is_one:
        query = query.where(Person.person_id == ONLY)
    return query if is_anybody else query.where(belongs_to(AT, HERE))


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
