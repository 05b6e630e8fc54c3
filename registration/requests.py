"""Requests: what was ordered under a Request Number, and when it is done (PR-06)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from registration.models import Counter, Organization, Person, Push, Request
from registration.transaction import UnitOfWork
from service_base import request_ids
from service_base.database import insert_if_missing

#: Requests on a page.
SIZE = 100


def open_request(
    work: UnitOfWork,
    kind: str,
    *,
    organization: Organization | None = None,
    person: Person | None = None,
    data: dict[str, Any] | None = None,
) -> Request:
    """A new request with the next number. It is done at once, unless a push waits for the gateway
    (``account_pushes.queue``)."""
    request = Request(
        number=f"R{next_number(work, 'request'):07}",
        kind=kind,
        state="done",
        organization_id=organization.id if organization else None,
        person_id=person.id if person else None,
        opened_by=work.origin.actor,
        opened_at=work.now,
        closed_at=work.now,
        waits_for=0,
        data=data or {},
    )
    work.db.add(request)
    work.db.flush()
    return request


def add_pushes(work: UnitOfWork, pushes: Iterable[Push], request: Request | None) -> None:
    """Store pushes of accounts or organizations for the worker, in this order; the request waits
    for them."""
    for push in pushes:
        push.request_id = request.id if request else None
        push.body, push.state = {}, "queued"
        push.next_attempt_at = push.created_at = work.now
        push.traceparent = request_ids.traceparent()
        work.db.add(push)
        if request is not None:
            request.state, request.closed_at = "open", None
            request.waits_for += 1
    work.db.flush()


def by_number(work: UnitOfWork, number: str) -> Request | None:
    """The request of this number."""
    return work.db.scalars(select(Request).where(Request.number == number)).one_or_none()


def page(work: UnitOfWork, here: Organization, *, before: int = 0) -> tuple[list[Request], int]:
    """A page of the organization's requests older than ``before`` (0: the newest), and where the
    next page starts; 0 if there is none."""
    query = select(Request).where(Request.organization_id == here.id).order_by(Request.id.desc())
    if before:
        query = query.where(Request.id < before)
    rows = list(work.db.scalars(query.limit(SIZE + 1)))
    found = rows[:SIZE]
    return found, found[-1].id if len(rows) > SIZE else 0


def pushes_of(work: UnitOfWork, request: Request) -> list[Push]:
    """The pushes of the request, in their order."""
    query = select(Push).where(Push.request_id == request.id).order_by(Push.id)
    return list(work.db.scalars(query))


def next_number(work: UnitOfWork, name: str, first: int = 1) -> int:
    """The next number of this name, from ``first`` on. Two units of work never get the same one."""
    insert_if_missing(work.db, Counter, name=name, last=first - 1)
    statement = (
        update(Counter)
        .where(Counter.name == name)
        .values(last=Counter.last + 1)
        .returning(Counter.last)
        .execution_options(synchronize_session=False)
    )
    return work.db.execute(statement).scalar_one()


def hold(work: UnitOfWork, name: str, first: int = 1) -> None:
    """Let other units of work that take a number of this name wait until this one has ended, so
    that what is looked for before the number is taken is still true afterwards."""
    insert_if_missing(work.db, Counter, name=name, last=first - 1)
    work.db.execute(
        update(Counter)
        .where(Counter.name == name)
        .values(last=Counter.last)
        .execution_options(synchronize_session=False)
    )


def free_number(work: UnitOfWork, name: str, first: int, taken: InstrumentedAttribute[str]) -> str:
    """The next number of this name that no row has in the column ``taken``."""
    while True:
        number = str(next_number(work, name, first))
        if work.db.scalar(select(taken).where(taken == number)) is None:
            return number
