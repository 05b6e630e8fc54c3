"""Reads from the tables what delegation and the plan of a batch calculate with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
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
    Organization,
    Participation,
    Person,
)
from registration.transaction import UnitOfWork
from service_base.database import BigId, UtcDateTime
from service_base.subqueries import among

#: A condition on the column of the person.
Wanted = Callable[[ColumnElement[Any]], ColumnElement[bool]]


def organization(work: UnitOfWork, organization_id: str) -> Organization | None:
    """The organization of this Organization ID."""
    query = select(Organization).where(Organization.organization_id == organization_id)
    return work.db.scalars(query).one_or_none()


def facts_of_person(work: UnitOfWork, person: Person) -> Facts:
    """What is so about this person everywhere: where he belongs and what he is."""
    return Facts(
        at=work.now,
        appointments=_appointments(work, Appointment.person_id == person.id),
        members=_pairs(work, _by_person, person=person.id),
    )


def facts_of(work: UnitOfWork, here: Organization, *people: str) -> Facts:
    """What is so at this organization, and about these people (Person IDs) everywhere."""
    concerned = select(Person.id).where(Person.person_id.in_(people))
    return Facts(
        at=work.now,
        appointments=_appointments(
            work,
            or_(Appointment.organization_id == here.id, among(Appointment.person_id, concerned)),
        ),
        participations=participations(work, here),
        members=_members(work, here) | _pairs(work, _of_people, people=people),
        machines=tuple(machines(work, here).values()),
        activated=frozenset(
            work.db.scalars(
                select(Person.person_id)
                .join(Account, Account.person_id == Person.id)
                .where(Person.id.in_(concerned), Account.first_sign_in_at.is_not(None))
            )
        ),
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
    rows = work.db.scalars(select(Participation).where(Participation.organization_id == here.id))
    return tuple(
        known.Participation(here.organization_id, row.market.code, ParticipationState(state))
        for row in rows
        if (state := row.state_at(work.now)) is not None
    )


def machines(work: UnitOfWork, here: Organization) -> dict[str, known.Machine]:
    """The machines of the organization by user name, each with its custodian; those without one yet
    by our own id."""
    query = (
        select(Account.username, Account.external_id, Person.person_id)
        .join(Machine, Machine.account_id == Account.id)
        .join(Custody, Custody.machine_id == Machine.id)
        .join(Person, Custody.person_id == Person.id)
        .where(
            Machine.organization_id == here.id,
            Custody.held_at(work.now),
            Account.ended_at.is_(None),
        )
    )
    return {
        (name or own): known.Machine(
            name or own, here.organization_id, custodian, is_named=name is not None
        )
        for name, own, custodian in work.db.execute(query)
    }


def roles(work: UnitOfWork) -> dict[str, Role]:
    """The access roles for persons and machines, by code."""
    query = select(AccessRole).where(AccessRole.kind.in_(list(AccountKind)))
    return {
        row.code: Role(row.code, frozenset({row.market.code}), AccountKind(row.kind))
        for row in work.db.scalars(query)
    }


def situation(work: UnitOfWork, here: Organization) -> Situation:
    """The cells of the organization and what they depend on."""
    return Situation(
        here.organization_id,
        roles(work),
        cells_of(work, here),
        machines(work, here),
        stay=_who_stays(work, here),
    )


def cells_of(work: UnitOfWork, here: Organization, *people: str) -> dict[Cell, CellState]:
    """The cells that were ever changed; only of these people (Person IDs) if any are named. Each
    row of an assignment was a change, and so was its end."""
    keys = _account_keys(work, here, people)
    query = (
        select(AccessAssignment.account_id, AccessRole.code, AccessAssignment.valid_until)
        .join(AccessRole, AccessAssignment.access_role_id == AccessRole.id)
        .where(AccessAssignment.organization_id == here.id, AccessAssignment.valid_from <= work.now)
    )
    if people:
        query = query.where(AccessAssignment.account_id.in_(keys))
    changes: dict[Cell, int] = defaultdict(int)
    held: set[Cell] = set()
    for account, role, until in work.db.execute(query):
        if account not in keys:
            continue
        cell = Cell(keys[account], role)
        is_over = until is not None and until <= work.now
        changes[cell] += 2 if is_over else 1
        if not is_over:
            held.add(cell)
    return {cell: CellState.counted(count, is_held=cell in held) for cell, count in changes.items()}


def _account_keys(
    work: UnitOfWork, here: Organization, people: tuple[str, ...]
) -> dict[int, AccountKey]:
    """Of the accounts that ever had a role here, by row; only those of these people if any are
    named. Read for themselves, since an account has many assignments."""
    query = (
        select(Account.id, Account.kind, Account.username, Person.person_id)
        .outerjoin(Person, Account.person_id == Person.id)
        .where(Account.kind.in_(list(AccountKind)))
    )
    had = select(AccessAssignment.account_id).where(AccessAssignment.organization_id == here.id)
    query = query.where(Person.person_id.in_(people) if people else among(Account.id, had))
    return {
        row: AccountKey(AccountKind(kind), person or username or "")
        for row, kind, username, person in work.db.execute(query)
    }


def _who_stays(work: UnitOfWork, here: Organization) -> frozenset[str]:
    """Who keeps an office or a contact role here, whatever happens to his access."""
    offices = select(Appointment.person_id).where(
        Appointment.organization_id == here.id, Appointment.held_at(work.now)
    )
    contacts = select(ContactAssignment.person_id).where(
        ContactAssignment.organization_id == here.id,
        ContactAssignment.person_id.is_not(None),
        ContactAssignment.held_at(work.now),
    )
    query = select(Person.person_id).where(among(Person.id, union_all(offices, contacts)))
    return frozenset(work.db.scalars(query))


def _appointments(
    work: UnitOfWork, *conditions: ColumnElement[bool]
) -> tuple[known.Appointment, ...]:
    query = (
        select(
            Person.person_id,
            Organization.organization_id,
            Appointment.office,
            Appointment.valid_from,
            Appointment.valid_until,
        )
        .join(Person, Appointment.person_id == Person.id)
        .join(Organization, Appointment.organization_id == Organization.id)
        .where(*conditions)
    )
    return tuple(
        known.Appointment(person, at, Tier(office), since, until)
        for person, at, office, since, until in work.db.execute(query)
    )


def _by_person(person: ColumnElement[Any]) -> ColumnElement[bool]:
    return person == bindparam("person")


def _of_people(person: ColumnElement[Any]) -> ColumnElement[bool]:
    people: ColumnElement[Any] = bindparam("people", expanding=True)
    return person.in_(select(Person.id).where(Person.person_id.in_(people)))


def _pairs(work: UnitOfWork, wanted: Wanted, **values: Any) -> frozenset[tuple[str, str]]:
    found = work.db.execute(_pairs_query(wanted), {"at": work.now, **values})
    return frozenset((row[0], row[1]) for row in found)


def _members(work: UnitOfWork, here: Organization) -> frozenset[tuple[str, str]]:
    found = work.db.scalars(_members_query(), {"at": work.now, "here": here.id})
    return frozenset((person, here.organization_id) for person in found)


@cache
def _members_query() -> Select[str]:
    return select(Person.person_id).where(
        belongs_to(bindparam("at", type_=UtcDateTime), bindparam("here", type_=BigId))
    )


@cache
def _pairs_query(wanted: Wanted) -> Select[str, str]:
    """Built once: that takes longer than to run it, and nearly every page asks it."""
    held = belonging(bindparam("at", type_=UtcDateTime), wanted)
    return (
        select(Person.person_id, Organization.organization_id)
        .join(held, held.c.person == Person.id)
        .join(Organization, held.c.organization == Organization.id)
        .distinct()
    )


def names(work: UnitOfWork, people: Iterable[str]) -> dict[str, str]:
    """The full names of these people by Person ID. Programs, which have none, are left out."""
    found: dict[str, Any] = {}
    query = select(Person).where(Person.person_id.in_(sorted(set(people))))
    for person in work.db.scalars(query):
        found[person.person_id] = person.full_name
    return found
