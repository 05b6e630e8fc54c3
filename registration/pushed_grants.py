"""The role groups of accounts for a push, from access roles, contact roles and offices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Held,
)
from registration.transaction import UnitOfWork

Grant = dict[str, str]
#: What gives role groups, the Organization ID, and the role groups.
Source = tuple[Held, str, list[str]]


@dataclass(frozen=True)
class Term:
    """How long a role group is held at an organization, and who gave it."""

    since: datetime
    until: datetime | None
    given_by: str

    def wider(self, other: Term) -> Term:
        """Both together: several roles can mean the same role group."""
        ends = [one for one in (self.until, other.until) if one is not None]
        until = max(ends) if len(ends) == 2 else None
        return Term(min(self.since, other.since), until, self.given_by)


def of_accounts(work: UnitOfWork, accounts: Iterable[Account]) -> dict[int, list[Grant]]:
    """By the row of the account, the role groups of everything that the account and its person
    hold, now or later, each once for an organization. Contact roles (CO-06) and offices are carried
    by the first account of a person."""
    wanted = list(accounts)
    access = _by(_access(work, [one.id for one in wanted]))
    first = {one.id: one.person_id for one in wanted
             if one.kind == "person" and one.only_organization_id is None}  # fmt: skip
    own = _by(_of_persons(work, [one for one in first.values() if one is not None]))
    return {one.id: _grants(work, (*access[one.id], *own[first.get(one.id)])) for one in wanted}


def _by(found: Iterable[tuple[int | None, Source]]) -> dict[int | None, list[Source]]:
    sources: dict[int | None, list[Source]] = defaultdict(list)
    for row, source in found:
        sources[row].append(source)
    return sources


def _access(work: UnitOfWork, accounts: list[int]) -> Iterator[tuple[int, Source]]:
    query = select(AccessAssignment).where(
        AccessAssignment.account_id.in_(accounts), _not_over(AccessAssignment, work.now)
    )
    for access in work.db.scalars(query.order_by(AccessAssignment.id)):
        number, groups = access.organization.organization_id, access.access_role.role_groups
        yield access.account_id, (access, number, groups)


def _of_persons(work: UnitOfWork, persons: list[int]) -> Iterator[tuple[int | None, Source]]:
    if not persons:
        return
    contacts = select(ContactAssignment).where(
        ContactAssignment.person_id.in_(persons), _not_over(ContactAssignment, work.now)
    )
    for contact in work.db.scalars(contacts.order_by(ContactAssignment.id)):
        number, groups = contact.organization.organization_id, contact.contact_role.role_groups
        yield contact.person_id, (contact, number, groups)
    offices = select(Appointment).where(
        Appointment.person_id.in_(persons), _not_over(Appointment, work.now)
    )
    given = select(ContactRole.office, ContactRole.role_groups).where(
        ContactRole.office.is_not(None)
    )
    groups_of = dict(work.db.execute(given).all())
    for office in work.db.scalars(offices.order_by(Appointment.id)):
        groups = groups_of.get(office.office, [])
        yield office.person_id, (office, office.organization.organization_id, groups)


def _grants(work: UnitOfWork, sources: Iterable[Source]) -> list[Grant]:
    found: dict[tuple[str, str], Term] = {}
    for row, number, groups in sources:
        for group in groups:
            term = Term(row.valid_from, row.valid_until, row.given_by)
            known = found.get((group, number))
            found[group, number] = known.wider(term) if known else term
    return [
        {
            "roleGroup": group,
            "participantId": number,
            "grantedBy": term.given_by,
            **_limits(work, term),
        }
        for (group, number), term in sorted(found.items(), key=lambda one: one[0])
    ]


def _limits(work: UnitOfWork, term: Term) -> Grant:
    limits = {}
    if term.since > work.now:
        limits["validFrom"] = term.since.isoformat()
    if term.until is not None:
        limits["validUntil"] = term.until.isoformat()
    return limits


def _not_over(held: type[Held], at: datetime) -> ColumnElement[bool]:
    return or_(held.valid_until.is_(None), held.valid_until > at)
