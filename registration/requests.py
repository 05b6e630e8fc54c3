"""Requests: what was ordered under a Request Number, and when it is done (PR-06)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from registration.models import Counter, Organization, Person, Request
from registration.transaction import UnitOfWork

COUNTER = "request"


def open_request(
    work: UnitOfWork,
    kind: str,
    *,
    organization: Organization | None = None,
    person: Person | None = None,
    data: dict[str, Any] | None = None,
) -> Request:
    """A new request with the next number."""
    request = Request(
        number=f"R{next_number(work, COUNTER):07}",
        kind=kind,
        state="open",
        organization_id=organization.id if organization else None,
        person_id=person.id if person else None,
        opened_by=work.origin.actor,
        opened_at=work.now,
        data=data or {},
    )
    work.db.add(request)
    work.db.flush()
    return request


def by_number(work: UnitOfWork, number: str) -> Request | None:
    """The request of this number."""
    return work.db.scalars(select(Request).where(Request.number == number)).one_or_none()


def next_number(work: UnitOfWork, name: str) -> int:
    """The next number of a counter. Numbers are given out once, in the order of transactions: the
    row stays locked until this one ends."""
    changed = work.db.execute(
        update(Counter).where(Counter.name == name).values(last=Counter.last + 1)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]
        work.db.add(Counter(name=name, last=1))
        work.db.flush()
        return 1
    return work.db.scalars(select(Counter.last).where(Counter.name == name)).one()
