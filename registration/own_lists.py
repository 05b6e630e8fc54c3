"""What concerns one person: open tasks, organizations and access, and the names behind numbers."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, or_, select

from registration.delegation_facts import Tier
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    ContactRole,
    Market,
    Organization,
    Person,
    Task,
)
from registration.transaction import UnitOfWork

#: Tasks on the home page.
MOST = 200


def tasks(
    work: UnitOfWork,
    person: Person,
    offices: Iterable[tuple[Tier, str]],
    *,
    is_operator: bool = False,
) -> list[Task]:
    """The open tasks of the person and of the offices that he holds (office, Organization ID), the
    oldest first; of an operator those of the IESO too."""
    mine = [Task.person_id == person.id]
    for office, at in offices:
        here = select(Organization.id).where(Organization.organization_id == at)
        mine.append(and_(Task.office == office, Task.organization_id.in_(here)))
    if is_operator:
        mine.append(and_(Task.person_id.is_(None), Task.office.is_(None)))
    query = select(Task).where(Task.done_at.is_(None), or_(*mine)).order_by(Task.created_at)
    return list(work.db.scalars(query.limit(MOST)))


def access(work: UnitOfWork, person: Person) -> list[AccessAssignment]:
    """The access roles that the person holds, anywhere."""
    query = (
        select(AccessAssignment)
        .join(Account, AccessAssignment.account_id == Account.id)
        .where(Account.person_id == person.id, AccessAssignment.held_at(work.now))
        .order_by(AccessAssignment.valid_from, AccessAssignment.id)
    )
    return list(work.db.scalars(query))


def organizations(work: UnitOfWork, ids: Iterable[str]) -> list[Organization]:
    """The organizations with these Organization IDs, by name."""
    query = select(Organization).where(Organization.organization_id.in_(sorted(ids)))
    return list(work.db.scalars(query.order_by(Organization.name, Organization.id)))


def access_roles(work: UnitOfWork, codes: Iterable[str]) -> list[AccessRole]:
    """The access roles with these codes."""
    query = select(AccessRole).where(AccessRole.code.in_(sorted(set(codes))))
    return list(work.db.scalars(query))


def contact_roles(work: UnitOfWork, codes: Iterable[str]) -> list[ContactRole]:
    """The contact roles with these codes."""
    query = select(ContactRole).where(ContactRole.code.in_(sorted(set(codes))))
    return list(work.db.scalars(query))


def markets(work: UnitOfWork, codes: Iterable[str]) -> list[Market]:
    """The markets with these codes."""
    query = select(Market).where(Market.code.in_(sorted(set(codes))))
    return list(work.db.scalars(query))


def persons(work: UnitOfWork, ids: Iterable[str]) -> list[Person]:
    """The persons with these Person IDs."""
    query = select(Person).where(Person.person_id.in_(sorted(set(ids))))
    return list(work.db.scalars(query))
