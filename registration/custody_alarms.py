"""Alarms about custodians. A custodian who has nothing else left at an organization may have left
it, so the Rights Administrators get a task (MA-03, MA-10)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, union

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

KIND = "machine.custodian"


def check(work: UnitOfWork, here: Organization, people: Iterable[Person | None]) -> None:
    """After what these people hold here has changed: a task for each machine of somebody who has
    lost the last of everything else; done for somebody who has something again."""
    work.db.flush()
    custodies = _in_custody(work, here, {one.id for one in people if one is not None})
    with_more = _who_has_more(work, here, {one.person_id for one in custodies})
    cleared = [one for one in custodies if one.person_id in with_more]
    if cleared:
        tasks.finish(work, *(_key(one.machine) for one in cleared))
    for custody in custodies:
        if custody.person_id not in with_more:
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


def _who_has_more(work: UnitOfWork, here: Organization, people: set[int]) -> set[int]:
    """Who of these people (rows) has an access role, a contact role or an office here."""
    if not people:
        return set()
    by_role = (
        select(Account.person_id)
        .join(AccessAssignment, AccessAssignment.account_id == Account.id)
        .where(
            AccessAssignment.organization_id == here.id,
            Account.person_id.in_(people),
            AccessAssignment.held_at(work.now),
        )
    )
    otherwise = (
        select(kind.person_id).where(
            kind.organization_id == here.id, kind.person_id.in_(people), kind.held_at(work.now)
        )
        for kind in (ContactAssignment, Appointment)
    )
    return {one for one in work.db.scalars(union(by_role, *otherwise)) if one is not None}
