"""Alarms about custodians. A custodian who has nothing else left at an organization may have left
it, so the Rights Administrators get a task (MA-03, MA-10)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from registration import tasks
from registration.delegation_facts import Tier
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    ContactAssignment,
    Custody,
    Machine,
    Organization,
    Person,
)
from registration.transaction import UnitOfWork
from service_base.subqueries import among

KIND = "machine.custodian"


def check(work: UnitOfWork, here: Organization, people: Iterable[Person | None]) -> None:
    """After what these people hold here has changed: a task for each machine of somebody who has
    lost the last of everything else; done for somebody who has something again."""
    work.db.flush()
    for custody in _in_custody(work, here, {one.id for one in people if one is not None}):
        if _has_more(work, here, custody.person):
            clear(work, custody.machine)
        else:
            _alarm(work, here, custody)


def clear(work: UnitOfWork, machine: Machine) -> None:
    """The machine was handed over or stopped, or its custodian has something again."""
    tasks.finish(work, _key(machine))


def _alarm(work: UnitOfWork, here: Organization, custody: Custody) -> None:
    machine = custody.machine
    tasks.create(
        work,
        KIND,
        key=_key(machine),
        organization_id=here.id,
        office=Tier.RA.value,
        data={
            "account": machine.account.username or machine.description,
            "person": custody.person.full_name,
            "machine": machine.id,
        },
    )


def _key(machine: Machine) -> str:
    return f"{KIND}:{machine.id}"


def _in_custody(work: UnitOfWork, here: Organization, people: set[int]) -> list[Custody]:
    query = (
        select(Custody)
        .join(Machine, Custody.machine_id == Machine.id)
        .where(
            Machine.organization_id == here.id,
            Custody.person_id.in_(people),
            Custody.held_at(work.now),
        )
        .order_by(Machine.id)
    )
    return list(work.db.scalars(query)) if people else []


def _has_more(work: UnitOfWork, here: Organization, person: Person) -> bool:
    """Whether he has an access role, a contact role or an office here."""
    accounts = select(Account.id).where(Account.person_id == person.id)
    queries = (
        select(AccessAssignment.id).where(
            AccessAssignment.organization_id == here.id,
            among(AccessAssignment.account_id, accounts),
            AccessAssignment.held_at(work.now),
        ),
        *(
            select(kind.id).where(
                kind.organization_id == here.id,
                kind.person_id == person.id,
                kind.held_at(work.now),
            )
            for kind in (ContactAssignment, Appointment)
        ),
    )
    return any(work.db.scalars(query.limit(1)).first() is not None for query in queries)
