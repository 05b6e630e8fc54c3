"""The mails of a batch of grants and revocations: one to each holder, one to each Rights
Administrator (AR-09, NT-03, NT-10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import select

from registration import accounts, notices
from registration.delegation_facts import Actor, Tier
from registration.models import (
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    History,
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
    contacts: Iterable[ContactAssignment] = (),
) -> None:
    """Queue the mails about ``changes``: account, role, and whether it was granted; and about
    ``contacts``, which have ended. ``entry`` is the first one of the batch in the history. The
    custodian of a machine gets the mail about it. A Rights Administrator whose own roles alone
    changed gets one mail."""
    by_person: dict[int, list[RoleChange]] = defaultdict(list)
    people: dict[int, Person] = {}
    everything: list[RoleChange] = []
    for person, change in (*_of_accounts(work, changes), *_of_contacts(contacts)):
        everything.append(change)
        if person is not None:
            people[person.id] = person
            by_person[person.id].append(change)
    by = notices.by_name(work, actor)
    for key, own in by_person.items():
        _queue(work, here, people[key], entry, own, by, is_own=True)
    for person in administrators(work, here):
        if by_person.get(person.id) != everything:
            _queue(work, here, person, entry, everything, by, is_own=False)


def _of_accounts(
    work: UnitOfWork, changes: Iterable[tuple[Account, AccessRole, bool]]
) -> Iterator[tuple[Person, RoleChange]]:
    told = list(changes)
    custodians = accounts.custodians(work, {account for account, *_ in told})
    for account, role, is_granted in told:
        person = account.person or custodians[account.id]
        name = person.full_name if account.person else f"{account.username} ({person.full_name})"
        yield person, RoleChange(is_granted, role.name, role.name_fr, name)


def _of_contacts(
    contacts: Iterable[ContactAssignment],
) -> Iterator[tuple[Person | None, RoleChange]]:
    """A section has no mail of its own."""
    for one in contacts:
        holder = one.person.full_name if one.person else one.section.name if one.section else ""
        role = one.contact_role
        yield one.person, RoleChange(False, role.name, role.name_fr, holder)


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
