"""Reads from the tables what delegation and the plan of a batch calculate with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, bindparam, or_, select, union_all

from registration import delegation_facts as known
from registration.access_changes import AccountKey, Cell, CellState, Situation
from registration.delegation_facts import AccountKind, Facts, ParticipationState, Role, Tier
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    Custody,
    Machine,
    Market,
    Organization,
    Participation,
    Person,
)
from registration.models.directory import name_of, participation_state
from registration.transaction import UnitOfWork
from service_base.database import BigId, UtcDateTime
from service_base.subqueries import among

#: A condition on the column of the person.
Wanted = Callable[[ColumnElement[Any]], ColumnElement[bool]]
#: A statement of any columns.
Query = Select[*tuple[Any, ...]]


def organization(work: UnitOfWork, organization_id: str) -> Organization | None:
    """The organization of this Organization ID."""
    query = select(Organization).where(Organization.organization_id == organization_id)
    return work.db.scalars(query).one_or_none()


def facts_of_person(work: UnitOfWork, person: Person) -> Facts:
    """What is so about this person everywhere: where he belongs and what he is."""
    return Facts(
        at=work.now,
        appointments=_appointments(work, _appointments_of_one(), person=person.id),
        members=_pairs(work, _by_person, person=person.id),
    )


def facts_of(work: UnitOfWork, here: Organization, *people: str) -> Facts:
    """What is so at this organization, and about these people (Person IDs) everywhere."""
    return Facts(
        at=work.now,
        appointments=_appointments(work, _appointments_here(), here=here.id, people=people),
        participations=participations(work, here),
        members=_members(work, here) | _pairs(work, _of_people, people=people),
        machines=tuple(machines(work, here).values()),
        activated=frozenset(work.db.scalars(_activated(), {"people": people})),
    )


def belonging(at: ColumnElement[datetime], wanted: Wanted) -> Subquery:
    """Where people belong (``person``, ``organization``) at this moment: where they have an access
    or contact role, an office, a machine, or an account that acts for it only. Pairs can repeat.
    ``wanted`` is the condition on the column of the person; it is part of each select, where an
    index answers it."""
    has_role = select(Account.person_id, AccessAssignment.organization_id).join(
        AccessAssignment, AccessAssignment.account_id == Account.id
    )
    chosen = []
    for part in (has_role.where(AccessAssignment.held_at(at)), *_without_role(at)):
        person, here = part.selected_columns
        chosen.append(
            part.with_only_columns(person.label("person"), here.label("organization")).where(
                person.is_not(None), wanted(person)
            )
        )
    return union_all(*chosen).subquery("belonging")


def belongs_to(
    at: datetime | ColumnElement[datetime], here: int | ColumnElement[int]
) -> ColumnElement[bool]:
    """The condition that a person belongs to the organization with this row id at this moment, as
    in ``belonging``."""
    accounts = select(AccessAssignment.account_id).where(
        AccessAssignment.organization_id == here, AccessAssignment.held_at(at)
    )
    parts = [
        select(Account.person_id).where(among(Account.id, accounts), Account.person_id.is_not(None))
    ]
    for part in _without_role(at):
        person, organization = part.selected_columns
        parts.append(
            part.with_only_columns(person).where(person.is_not(None), organization == here)
        )
    return among(Person.id, union_all(*parts))


def _without_role(at: datetime | ColumnElement[datetime]) -> tuple[Select[Any, Any], ...]:
    """Persons and organizations to which they belong by something else than an access role."""
    has_machine = select(Custody.person_id, Machine.organization_id).join(
        Machine, Custody.machine_id == Machine.id
    )
    return (
        select(ContactAssignment.person_id, ContactAssignment.organization_id).where(
            ContactAssignment.held_at(at)
        ),
        select(Appointment.person_id, Appointment.organization_id).where(Appointment.held_at(at)),
        has_machine.where(Custody.held_at(at)),
        select(Account.person_id, Account.only_organization_id).where(
            Account.only_organization_id.is_not(None),
            Account.created_at <= at,
            or_(Account.ended_at.is_(None), Account.ended_at > at),
        ),
    )


def participations(work: UnitOfWork, here: Organization) -> tuple[known.Participation, ...]:
    """The participations of the organization and their states now."""
    return tuple(
        known.Participation(here.organization_id, market, ParticipationState(state))
        for market, *moments in work.db.execute(_participations(), {"here": here.id})
        if (state := participation_state(work.now, *moments)) is not None
    )


def machines(work: UnitOfWork, here: Organization) -> dict[str, known.Machine]:
    """The machines of the organization by user name, each with its custodian; those without one yet
    by our own id."""
    found = work.db.execute(_machines(), {"here": here.id, "at": work.now})
    return {
        (name or own): known.Machine(
            name or own, here.organization_id, custodian, is_named=name is not None
        )
        for name, own, custodian in found
    }


def roles(work: UnitOfWork) -> dict[str, Role]:
    """The access roles for persons and machines, by code."""
    return {
        code: Role(code, frozenset({market}), AccountKind(kind))
        for code, market, kind in work.db.execute(_roles())
    }


def situation(work: UnitOfWork, here: Organization, accounts: Collection[AccountKey]) -> Situation:
    """The cells of these accounts at the organization, and what they depend on."""
    return Situation(
        here.organization_id,
        roles(work),
        _cells(work, here, _account_keys(work, accounts)),
        machines(work, here),
        stay=_who_stays(work, here),
    )


def cells_of(work: UnitOfWork, here: Organization, *people: str) -> dict[Cell, CellState]:
    """The cells of these people (Person IDs) that were ever changed."""
    keys = _account_keys(work, [AccountKey(AccountKind.PERSON, person) for person in people])
    return _cells(work, here, keys)


def _cells(
    work: UnitOfWork, here: Organization, keys: dict[int, AccountKey]
) -> dict[Cell, CellState]:
    """Each row of an assignment was a change, and so was its end."""
    asked = {"here": here.id, "at": work.now, "accounts": list(keys)}
    changes: dict[Cell, int] = defaultdict(int)
    held: set[Cell] = set()
    for account, role, until in work.db.execute(_changes(), asked):
        cell = Cell(keys[account], role)
        is_over = until is not None and until <= work.now
        changes[cell] += 2 if is_over else 1
        if not is_over:
            held.add(cell)
    return {cell: CellState.counted(count, is_held=cell in held) for cell, count in changes.items()}


def _account_keys(work: UnitOfWork, wanted: Collection[AccountKey]) -> dict[int, AccountKey]:
    """All accounts of these people, and these machines, by row."""
    asked = {
        kind: [key.id for key in wanted if key.kind is kind]
        for kind in (AccountKind.PERSON, AccountKind.MACHINE)
    }
    found = {
        row: AccountKey(AccountKind.PERSON, person)
        for row, person in work.db.execute(
            _accounts_of_people(), {"people": asked[AccountKind.PERSON]}
        )
    }
    if machines := asked[AccountKind.MACHINE]:
        for row, name in work.db.execute(_machine_accounts(), {"machines": machines}):
            found[row] = AccountKey(AccountKind.MACHINE, name)
    return found


def _who_stays(work: UnitOfWork, here: Organization) -> frozenset[str]:
    """Who keeps an office or a contact role here, whatever happens to his access."""
    return frozenset(work.db.scalars(_staying(), {"here": here.id, "at": work.now}))


def _appointments(work: UnitOfWork, query: Query, **values: Any) -> tuple[known.Appointment, ...]:
    return tuple(
        known.Appointment(person, at, Tier(office), since, until)
        for person, at, office, since, until in work.db.execute(query, values)
    )


# The statements are built once: that takes longer than to run them, and nearly every page asks
# them. AT, HERE and PEOPLE are what they are asked for.
AT = bindparam("at", type_=UtcDateTime)
HERE = bindparam("here", type_=BigId)
PEOPLE: Any = bindparam("people", expanding=True)


@cache
def _appointments_of_one() -> Query:
    return _all_appointments().where(Appointment.person_id == bindparam("person"))


@cache
def _appointments_here() -> Query:
    concerned = select(Person.id).where(Person.person_id.in_(PEOPLE))
    return _all_appointments().where(
        or_(Appointment.organization_id == HERE, among(Appointment.person_id, concerned))
    )


def _all_appointments() -> Query:
    return (
        select(
            Person.person_id,
            Organization.organization_id,
            Appointment.office,
            Appointment.valid_from,
            Appointment.valid_until,
        )
        .join(Person, Appointment.person_id == Person.id)
        .join(Organization, Appointment.organization_id == Organization.id)
    )


@cache
def _activated() -> Query:
    return (
        select(Person.person_id)
        .join(Account, Account.person_id == Person.id)
        .where(Person.person_id.in_(PEOPLE), Account.first_sign_in_at.is_not(None))
    )


@cache
def _participations() -> Query:
    return (
        select(
            Market.code,
            Participation.applied_at,
            Participation.approved_at,
            Participation.ended_at,
        )
        .join(Market, Participation.market_id == Market.id)
        .where(Participation.organization_id == HERE)
    )


@cache
def _machines() -> Query:
    return (
        select(Account.username, Account.external_id, Person.person_id)
        .join(Machine, Machine.account_id == Account.id)
        .join(Custody, Custody.machine_id == Machine.id)
        .join(Person, Custody.person_id == Person.id)
        .where(
            Machine.organization_id == HERE,
            Custody.held_at(AT),
            Account.ended_at.is_(None),
        )
    )


@cache
def _roles() -> Query:
    return (
        select(AccessRole.code, Market.code, AccessRole.kind)
        .join(Market, AccessRole.market_id == Market.id)
        .where(AccessRole.kind.in_(list(AccountKind)))
    )


@cache
def _changes() -> Query:
    return (
        select(AccessAssignment.account_id, AccessRole.code, AccessAssignment.valid_until)
        .join(AccessRole, AccessAssignment.access_role_id == AccessRole.id)
        .where(
            AccessAssignment.organization_id == HERE,
            AccessAssignment.valid_from <= AT,
            AccessAssignment.account_id.in_(bindparam("accounts", expanding=True)),
        )
    )


@cache
def _accounts_of_people() -> Query:
    return (
        select(Account.id, Person.person_id)
        .join(Person, Account.person_id == Person.id)
        .where(Account.kind == AccountKind.PERSON, Person.person_id.in_(PEOPLE))
    )


@cache
def _machine_accounts() -> Query:
    return select(Account.id, Account.username).where(
        Account.kind == AccountKind.MACHINE,
        Account.username.in_(bindparam("machines", expanding=True)),
    )


@cache
def _staying() -> Query:
    offices = select(Appointment.person_id).where(
        Appointment.organization_id == HERE, Appointment.held_at(AT)
    )
    contacts = select(ContactAssignment.person_id).where(
        ContactAssignment.organization_id == HERE,
        ContactAssignment.person_id.is_not(None),
        ContactAssignment.held_at(AT),
    )
    return select(Person.person_id).where(among(Person.id, union_all(offices, contacts)))


def _by_person(person: ColumnElement[Any]) -> ColumnElement[bool]:
    return person == bindparam("person")


def _of_people(person: ColumnElement[Any]) -> ColumnElement[bool]:
    return person.in_(select(Person.id).where(Person.person_id.in_(PEOPLE)))


def _pairs(work: UnitOfWork, wanted: Wanted, **values: Any) -> frozenset[tuple[str, str]]:
    found = work.db.execute(_pairs_query(wanted), {"at": work.now, **values})
    return frozenset((row[0], row[1]) for row in found)


def _members(work: UnitOfWork, here: Organization) -> frozenset[tuple[str, str]]:
    found = work.db.scalars(_members_query(), {"at": work.now, "here": here.id})
    return frozenset((person, here.organization_id) for person in found)


@cache
def _members_query() -> Select[str]:
    return select(Person.person_id).where(belongs_to(AT, HERE))


@cache
def _pairs_query(wanted: Wanted) -> Select[str, str]:
    held = belonging(AT, wanted)
    return (
        select(Person.person_id, Organization.organization_id)
        .join(held, held.c.person == Person.id)
        .join(Organization, held.c.organization == Organization.id)
        .distinct()
    )


def names(work: UnitOfWork, people: Iterable[str]) -> dict[str, str]:
    """The full names of these people by Person ID. Programs, which have none, are left out."""
    rows = work.db.execute(_names(), {"people": sorted(set(people))})
    return {person: name_of(*parts) for person, *parts in rows}


@cache
def _names() -> Query:
    return select(Person.person_id, Person.first_name, Person.middle_name, Person.last_name).where(
        Person.person_id.in_(PEOPLE)
    )
