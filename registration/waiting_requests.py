"""Requests for access that wait for an answer, and how they are closed: by somebody who decides, by
a grant that makes them needless, or because the person leaves (RG-11, B.01 to B.05)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from registration import history, tasks
from registration.access_changes import Cell
from registration.delegation_facts import AccountKind, Actor, Tier
from registration.models import History, Organization, Person, Request
from registration.transaction import UnitOfWork

#: Kind of the request.
KIND = "access.request"
#: Actions of the history; the first is the kind of the task too.
ASKED, APPROVED, REFUSED = "access.requested", "access.request_granted", "access.request_refused"
CLOSED = "access.request_closed"


def of_person(work: UnitOfWork, here: Organization, person: Person) -> list[Request]:
    """The requests of the person at this organization that wait, the oldest first."""
    query = select(Request).where(
        Request.kind == KIND,
        Request.organization_id == here.id,
        Request.person_id == person.id,
        Request.state == "open",
    )
    return list(work.db.scalars(query.order_by(Request.id)))


def grant(
    work: UnitOfWork, actor: Actor, here: Organization, cells: Iterable[Cell], order: Request
) -> None:
    """What waits for one of these cells is granted: ``order`` has just given the roles."""
    for cell in cells:
        if cell.account.kind is not AccountKind.PERSON:
            continue
        person = work.db.scalars(select(Person).where(Person.person_id == cell.account.id)).one()
        for request in of_person(work, here, person):
            if request.data["role"] == cell.role:
                close(work, actor, request, "done", order=order.number)
                record(work, APPROVED, request, person)


def close(work: UnitOfWork, actor: Actor, request: Request, state: str, **more: str) -> None:
    """It waits no longer, and is nobody's task."""
    request.state, request.closed_at = state, work.now
    request.data = request.data | {"decided_by": actor.person} | more
    for tier in Tier:
        tasks.finish(work, task_key(request, tier))


def task_key(request: Request, tier: Tier) -> str:
    """The key of the task of this tier."""
    return f"{ASKED}:{request.number}:{tier.value}"


def record(
    work: UnitOfWork, action: str, request: Request, person: Person, reason: str = ""
) -> History:
    """The entry of the history."""
    return history.record(
        work, action, organization=request.organization, person=person, request=request,
        after={"role": request.data["role"]}, reason=reason,
    )  # fmt: skip
