"""The IESO decides on an application for a participation, or the organization withdraws it (RG-12).

Each act asks delegation, and writes the decision, its history, tasks, mails and the push of the
organization in one transaction.
"""

from __future__ import annotations

from registration import market_participations as participations
from registration import organization_pushes, participation_notices, tasks
from registration.delegation_facts import Actor, ParticipationState
from registration.delegation_rules import Action
from registration.expired_holdings import lock_and_close
from registration.models import Organization, Participation
from registration.notice_texts import ParticipationEvent
from registration.participation_refusals import ReasonMissing
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile


def approve(
    work: UnitOfWork, actor: Actor, here: Organization, participation_id: int, version: int
) -> None:
    """The IESO approves: the roles of the market can be given from now on (RG-13). Raises
    ParticipationNotFound, NotAllowed, ChangedMeanwhile."""
    row = _applied(work, actor, here, participation_id, version, Action.DECIDE_PARTICIPATION)
    row.approved_at, row.approved_by = work.now, actor.person
    work.db.flush()
    _decided(work, actor, row, participations.APPROVED, ParticipationEvent.APPROVED)
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
    _close(work, actor, row, why, participations.REFUSED, ParticipationEvent.REFUSED)


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
    _close(work, actor, row, why, participations.WITHDRAWN, ParticipationEvent.WITHDRAWN)


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
    participations.check(work, actor, here, action)
    found = participations.progress(work, here, participation_id)
    if found.row.version != version or found.state is not ParticipationState.APPLIED:
        raise ChangedMeanwhile()
    return found.row


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
    participations.drop_steps(work, row)
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
    request = participations.request_of(work, row)
    if request is not None:
        is_refused = event is ParticipationEvent.REFUSED
        request.state, request.closed_at = "refused" if is_refused else "done", work.now
    tasks.finish(work, participations.key_of(row, participations.DECIDE))
    entry = participations.record(work, action, row, request, reason=why)
    participation_notices.tell(work, actor, row, entry, event, why=why)
