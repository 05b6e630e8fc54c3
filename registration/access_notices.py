"""The mails of a batch of grants and revocations: one to each holder, one to each Rights
Administrator (AR-09, NT-03, NT-10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select

from registration import notices
from registration.delegation_facts import Actor, Tier
from registration.models import (
    AccessRole,
    Account,
    Appointment,
    Custody,
    History,
    Machine,
    Organization,
    Person,
)
from registration.notices import RoleChange
from registration.transaction import UnitOfWork


def tell(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    entry: History,
    changes: Iterable[tuple[Account, AccessRole, bool]],
) -> None:
    """Queue the mails about ``changes``: account, role, and whether it was granted. ``entry`` is
    the first one of the batch in the history. The custodian of a machine gets the mail about it. A
    Rights Administrator whose own roles alone changed gets one mail."""
    by_person: dict[int, list[RoleChange]] = defaultdict(list)
    people: dict[int, Person] = {}
    everything: list[RoleChange] = []
    for account, role, is_granted in changes:
        person = account.person or _custodian(work, account)
        name = person.full_name if account.person else f"{account.username} ({person.full_name})"
        change = RoleChange(is_granted, role.name, role.name_fr, name)
        people[person.id] = person
        by_person[person.id].append(change)
        everything.append(change)
    by = notices.by_name(work, actor)
    for key, own in by_person.items():
        _queue(work, here, people[key], entry, own, by, is_own=True)
    for person in administrators(work, here):
        if by_person.get(person.id) != everything:
            _queue(work, here, person, entry, everything, by, is_own=False)


def _queue(
    work: UnitOfWork,
    here: Organization,
    person: Person,
    entry: History,
    changes: list[RoleChange],
    by: str,
    *,
    is_own: bool,
) -> None:
    notices.of_roles(work, person, entry, changes, organization=here.name, by=by, is_own=is_own)


def administrators(work: UnitOfWork, here: Organization) -> Iterable[Person]:
    """The Rights Administrators in office, each once."""
    return work.db.scalars(
        select(Person)
        .join(Appointment, Appointment.person_id == Person.id)
        .where(
            Appointment.organization_id == here.id,
            Appointment.office == Tier.RA.value,
            Appointment.held_at(work.now),
        )
        .order_by(Person.id)
    ).unique()


def _custodian(work: UnitOfWork, account: Account) -> Person:
    return work.db.scalars(
        select(Person)
        .join(Custody, Custody.person_id == Person.id)
        .join(Machine, Machine.id == Custody.machine_id)
        .where(Machine.account_id == account.id, Custody.held_at(work.now))
    ).one()
