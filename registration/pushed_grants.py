"""The role groups of accounts for a push, from access roles, contact roles and offices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select

from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Organization,
)
from registration.transaction import UnitOfWork

Grant = dict[str, str]


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


#: For how long something is held, the Organization ID, and the role groups that it gives.
Source = tuple[Term, str, list[str]]


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
    query = (
        _held(AccessAssignment, AccessAssignment.account_id, work.now)
        .add_columns(AccessRole.role_groups)
        .join(AccessRole, AccessAssignment.access_role_id == AccessRole.id)
        .where(AccessAssignment.account_id.in_(accounts))
    )
    for account, number, *term, groups in work.db.execute(query):
        yield account, (Term(*term), number, groups)


def _of_persons(work: UnitOfWork, persons: list[int]) -> Iterator[tuple[int | None, Source]]:
    if not persons:
        return
    contacts = (
        _held(ContactAssignment, ContactAssignment.person_id, work.now)
        .add_columns(ContactRole.role_groups)
        .join(ContactRole, ContactAssignment.contact_role_id == ContactRole.id)
        .where(ContactAssignment.person_id.in_(persons))
    )
    for person, number, *term, groups in work.db.execute(contacts):
        yield person, (Term(*term), number, groups)
    offices = (
        _held(Appointment, Appointment.person_id, work.now)
        .add_columns(Appointment.office)
        .where(Appointment.person_id.in_(persons))
    )
    given = select(ContactRole.office, ContactRole.role_groups).where(
        ContactRole.office.is_not(None)
    )
    groups_of = dict(work.db.execute(given).all())
    for person, number, *term, office in work.db.execute(offices):
        yield person, (Term(*term), number, groups_of.get(office, []))


def _held(
    kind: type[AccessAssignment | ContactAssignment | Appointment], holder: Any, at: datetime
) -> Select[*tuple[Any, ...]]:
    """What is not over at this moment, in its order: the holder, the Organization ID, and the
    values of a term."""
    return (
        select(
            holder, Organization.organization_id, kind.valid_from, kind.valid_until, kind.given_by
        )
        .join(Organization, kind.organization_id == Organization.id)
        .where(or_(kind.valid_until.is_(None), kind.valid_until > at))
        .order_by(kind.id)
    )


def _grants(work: UnitOfWork, sources: Iterable[Source]) -> list[Grant]:
    found: dict[tuple[str, str], Term] = {}
    for term, number, groups in sources:
        for group in groups:
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
