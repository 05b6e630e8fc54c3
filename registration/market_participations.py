"""Participations: applied for by the organization, decided by the IESO (RG-12, RG-13).

An application has a Request Number, two tasks for the Applicant Representatives and one for the
IESO. Each act asks delegation, and writes the change, its history, tasks and mails in one
transaction. ``participation_end`` ends one with its roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from registration import (
    history,
    organization_lists,
    organization_pushes,
    participation_notices,
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
from registration.notice_texts import ParticipationEvent
from registration.organization_facts import facts_of
from registration.participation_refusals import (
    ContactsMissing,
    NotApprovedYet,
    NothingToApplyFor,
    ParticipationNotFound,
    ReasonMissing,
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
    order = _request_of(work, row)
    return Progress(row, state, order.number if order else "", _steps(work, row))


def apply(work: UnitOfWork, actor: Actor, here: Organization, market: str) -> Participation:
    """Apply for a participation. Raises NotAllowed, NothingToApplyFor."""
    lock_and_close(work, here)
    _require(work, actor, here, Action.APPLY_FOR_PARTICIPATION)
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
    _record(work, APPLIED, row, open_application(work, row))
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
    _require(work, actor, here, Action.APPLY_FOR_PARTICIPATION)
    found = progress(work, here, participation_id)
    if step is Step.CONTACTS and found.state is ParticipationState.APPLIED:
        raise NotApprovedYet()
    if step is Step.CONTACTS and (short := _short(work, here, found.row)):
        raise ContactsMissing(short)
    if not tasks.finish(work, key_of(found.row, step)):
        raise ChangedMeanwhile()
    _record(work, TASK_DONE, found.row, _request_of(work, found.row), after={"task": step.value})


def approve(
    work: UnitOfWork, actor: Actor, here: Organization, participation_id: int, version: int
) -> None:
    """The IESO approves: the roles of the market can be given from now on (RG-13). Raises
    ParticipationNotFound, NotAllowed, ChangedMeanwhile."""
    row = _applied(work, actor, here, participation_id, version, Action.DECIDE_PARTICIPATION)
    row.approved_at, row.approved_by = work.now, actor.person
    work.db.flush()
    _decided(work, actor, row, APPROVED, ParticipationEvent.APPROVED)
    organization_pushes.queue(work, here)


def refuse(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    participation_id: int,
    version: int,
    why: str,
) -> None:
    """The IESO refuses the application. Raises ReasonMissing, and as ``approve``."""
    row = _applied(work, actor, here, participation_id, version, Action.DECIDE_PARTICIPATION)
    _close(work, actor, row, why, REFUSED, ParticipationEvent.REFUSED)


def withdraw(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    participation_id: int,
    version: int,
    why: str,
) -> None:
    """The organization takes its application back. Raises as ``refuse``."""
    row = _applied(work, actor, here, participation_id, version, Action.APPLY_FOR_PARTICIPATION)
    _close(work, actor, row, why, WITHDRAWN, ParticipationEvent.WITHDRAWN)


def drop_steps(work: UnitOfWork, row: Participation) -> None:
    """Close the open tasks of a participation that has ended."""
    for step in Step:
        tasks.finish(work, key_of(row, step))


def key_of(row: Participation, kind: str) -> str:
    """The key of a task of this participation."""
    return f"{kind}:{row.id}"


def market_text(row: Participation) -> dict[str, str]:
    """The market, as the history names it."""
    return {"market": row.market.code}


def _applied(
    work: UnitOfWork,
    actor: Actor,
    here: Organization,
    participation_id: int,
    version: int,
    action: Action,
) -> Participation:
    """The application that the actor may act on, as he saw it."""
    lock_and_close(work, here)
    _require(work, actor, here, action)
    found = progress(work, here, participation_id)
    if found.row.version != version or found.state is not ParticipationState.APPLIED:
        raise ChangedMeanwhile()
    return found.row


def _require(work: UnitOfWork, actor: Actor, here: Organization, action: Action) -> None:
    facts = facts_of(work, here, actor.person)
    require(actor, action, Target(here.organization_id), facts)


def _close(
    work: UnitOfWork,
    actor: Actor,
    row: Participation,
    why: str,
    action: str,
    event: ParticipationEvent,
) -> None:
    if not why.strip():
        raise ReasonMissing()
    row.ended_at, row.ended_by, row.ended_why = work.now, actor.person, why.strip()
    work.db.flush()
    drop_steps(work, row)
    _decided(work, actor, row, action, event, why=why.strip())


def _decided(
    work: UnitOfWork,
    actor: Actor,
    row: Participation,
    action: str,
    event: ParticipationEvent,
    *,
    why: str = "",
) -> None:
    request = _request_of(work, row)
    if request is not None:
        is_refused = event is ParticipationEvent.REFUSED
        request.state, request.closed_at = "refused" if is_refused else "done", work.now
    tasks.finish(work, key_of(row, DECIDE))
    entry = _record(work, action, row, request, reason=why)
    participation_notices.tell(work, actor, row, entry, event, why=why)


def _record(
    work: UnitOfWork,
    action: str,
    row: Participation,
    request: Request | None,
    *,
    after: dict[str, str] | None = None,
    reason: str = "",
) -> History:
    work.db.refresh(row, ["organization", "market"])
    return history.record(
        work,
        action,
        organization=row.organization,
        request=request,
        after=market_text(row) | (after or {}),
        reason=reason,
    )


def _request_of(work: UnitOfWork, row: Participation) -> Request | None:
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
