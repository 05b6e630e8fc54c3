"""Participations: applied for by the organization, decided by the IESO (RG-12, RG-13).

An application has a Request Number, two tasks for the Applicant Representatives and one for the
IESO. Each act asks delegation, and writes the change, its history, tasks and mails in one
transaction. ``participation_decisions`` decides, ``participation_end`` ends one with its
roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from registration import (
    history,
    organization_lists,
    requests,
    tasks,
)
from registration.delegation_facts import Actor, ParticipationState, Target, Tier
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import (
    History,
    Market,
    Organization,
    Participation,
    Request,
    Task,
)
from registration.organization_facts import facts_of
from registration.participation_refusals import (
    ContactsMissing,
    NotApprovedYet,
    NothingToApplyFor,
    ParticipationNotFound,
)
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
APPLIED, APPROVED = "participation.applied", "participation.approved"
REFUSED, WITHDRAWN = "participation.refused", "participation.withdrawn"
TASK_DONE = "participation.task_done"
#: Of requests.
KIND = "participation"
DECIDE = "participation.decide"


class Step(StrEnum):
    """What an Applicant Representative does besides applying (RG-12)."""

    CONNECTIVITY = "participation.connectivity"
    CONTACTS = "participation.contacts"


@dataclass(frozen=True)
class ShownStep:
    """A step, and when and by whom it was done."""

    step: Step
    done_at: datetime | None
    done_by: str


@dataclass(frozen=True)
class Progress:
    """A participation, its Request Number and steps. Those of older records have none."""

    row: Participation
    state: ParticipationState
    number: str = ""
    steps: tuple[ShownStep, ...] = ()

    @property
    def was_refused(self) -> bool:
        """Whether it ended without having been approved."""
        return self.state is ParticipationState.ENDED and self.row.approved_at is None


def available(work: UnitOfWork, here: Organization) -> list[Market]:
    """What the organization can apply for: it neither takes part nor has applied."""
    alive = select(Participation.market_id).where(
        Participation.organization_id == here.id, Participation.ended_at.is_(None)
    )
    query = select(Market).where(Market.id.not_in(alive)).order_by(Market.position, Market.id)
    return list(work.db.scalars(query))


def of(work: UnitOfWork, here: Organization, at: datetime) -> list[Progress]:
    """The participations of the organization at this moment, in the order of the catalogue, the
    newest application first."""
    query = (
        select(Participation)
        .join(Market, Participation.market_id == Market.id)
        .where(Participation.organization_id == here.id)
        .order_by(Market.position, Market.id, Participation.id.desc())
    )
    found = ((row, row.state_at(at)) for row in work.db.scalars(query))
    return [Progress(row, ParticipationState(state)) for row, state in found if state is not None]


def progress(work: UnitOfWork, here: Organization, participation_id: int) -> Progress:
    """The participation and its steps. Raises ParticipationNotFound."""
    row = work.db.get(Participation, participation_id, populate_existing=True)
    if row is None or row.organization_id != here.id:
        raise ParticipationNotFound()
    state = ParticipationState(row.state_at(work.now) or ParticipationState.APPLIED)
    order = request_of(work, row)
    return Progress(row, state, order.number if order else "", _steps(work, row))


def apply(work: UnitOfWork, actor: Actor, here: Organization, market: str) -> Participation:
    """Apply for a participation. Raises NotAllowed, NothingToApplyFor."""
    lock_and_close(work, here)
    check(work, actor, here, Action.APPLY_FOR_PARTICIPATION)
    wanted = {one.code: one for one in available(work, here)}.get(market)
    if wanted is None:
        raise NothingToApplyFor()
    row = Participation(
        organization_id=here.id,
        market_id=wanted.id,
        applied_at=work.now,
        applied_by=actor.person,
    )
    here.applied_at = here.applied_at or work.now
    work.db.add(row)
    work.db.flush()
    record(work, APPLIED, row, open_application(work, row))
    return row


def open_application(work: UnitOfWork, row: Participation) -> Request:
    """The Request Number and the tasks of a participation that is applied for."""
    request = requests.open_request(
        work,
        KIND,
        organization=row.organization,
        data={"participation": row.id, "market": row.market.code},
    )
    # It is closed by the decision.
    request.state, request.closed_at = "open", None
    named = {"participation": row.id, "market": row.market.name, "market_fr": row.market.name_fr}
    for step in Step:
        tasks.create(
            work, step, key=key_of(row, step), organization_id=row.organization_id,
            office=Tier.APPREP.value, request=request, data=named,
        )  # fmt: skip
    tasks.create(
        work,
        DECIDE,
        key=key_of(row, DECIDE),
        organization_id=row.organization_id,
        request=request,
        data=named,
    )
    return request


def confirm_step(
    work: UnitOfWork, actor: Actor, here: Organization, participation_id: int, step: Step
) -> None:
    """The organization has done this step. Raises ParticipationNotFound, NotAllowed,
    ChangedMeanwhile (it is done or no longer needed), NotApprovedYet, ContactsMissing."""
    lock_and_close(work, here)
    check(work, actor, here, Action.APPLY_FOR_PARTICIPATION)
    found = progress(work, here, participation_id)
    if step is Step.CONTACTS and found.state is ParticipationState.APPLIED:
        raise NotApprovedYet()
    if step is Step.CONTACTS and (short := _short(work, here, found.row)):
        raise ContactsMissing(short)
    if not tasks.finish(work, key_of(found.row, step)):
        raise ChangedMeanwhile()
    record(work, TASK_DONE, found.row, request_of(work, found.row), after={"task": step.value})


def drop_steps(work: UnitOfWork, row: Participation) -> None:
    """Close the open tasks of a participation that has ended."""
    tasks.finish(work, *(key_of(row, step) for step in Step))


def key_of(row: Participation, kind: str) -> str:
    """The key of a task of this participation."""
    return f"{kind}:{row.id}"


def market_text(row: Participation) -> dict[str, str]:
    """The market, as the history names it."""
    return {"market": row.market.code}


def check(work: UnitOfWork, actor: Actor, here: Organization, action: Action) -> None:
    """Raise NotAllowed unless the actor may do this."""
    facts = facts_of(work, here, actor.person)
    require(actor, action, Target(here.organization_id), facts)


def record(
    work: UnitOfWork,
    action: str,
    row: Participation,
    request: Request | None,
    *,
    after: dict[str, str] | None = None,
    reason: str = "",
) -> History:
    """An entry of the history about this participation."""
    work.db.refresh(row, ["organization", "market"])
    return history.record(
        work,
        action,
        organization=row.organization,
        request=request,
        after=market_text(row) | (after or {}),
        reason=reason,
    )


def request_of(work: UnitOfWork, row: Participation) -> Request | None:
    """The request of the application; older records have none."""
    query = (
        select(Request)
        .where(Request.kind == KIND, Request.organization_id == row.organization_id)
        .order_by(Request.id.desc())
    )
    return next(
        (one for one in work.db.scalars(query) if one.data.get("participation") == row.id), None
    )


def _steps(work: UnitOfWork, row: Participation) -> tuple[ShownStep, ...]:
    keys = {key_of(row, step): step for step in Step}
    found = {one.key: one for one in work.db.scalars(select(Task).where(Task.key.in_(keys)))}
    return tuple(
        ShownStep(step, found[key].done_at, found[key].done_by)
        for key, step in keys.items()
        if key in found
    )


def _short(work: UnitOfWork, here: Organization, row: Participation) -> tuple[str, ...]:
    """The names of the contact roles of this market that fewer hold than must."""
    return tuple(
        one.role.name
        for one in organization_lists.contact_roles(work, here, work.now)
        if one.is_short and row.market.code in one.role.markets
    )
