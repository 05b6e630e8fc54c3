"""What monitoring reads from the database when it asks. Every statement is bounded by an index or
by ``MOST``, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Select, case, func, literal, select

from idp.audit import chain
from idp.audit.actions import AlarmReason, AuditAction
from idp.directory import mass_change_breaker
from idp.maintenance import alarms, clock
from idp.messages.message_kinds import CODES
from idp.models import (
    AccessToken,
    Event,
    KeyState,
    MessageChannel,
    MessageState,
    OutboxMessage,
    RecoveryRequest,
    SigningKey,
)
from idp.transaction import UnitOfWork
from service_base.metrics import Reading, Values

#: Messages counted in a state; more are as bad.
MOST = 10_000
#: The lanes of the outbox, each a thread of the worker; ``kept_events`` wait for applications.
LANES = ("codes", "mail", "texts", "logouts", "events", "kept_events")
_LANE = {
    MessageChannel.MAIL: "mail",
    MessageChannel.SMS: "texts",
    MessageChannel.LOGOUT: "logouts",
    MessageChannel.EVENT: "events",
    MessageChannel.KEPT_EVENT: "kept_events",
}
if missing := set(MessageChannel) - _LANE.keys():
    raise RuntimeError(f"no lane for {missing}")
#: The alarms, and a failed integrity check.
BROKEN = AuditAction.TRAIL_VERIFIED


def read(work: UnitOfWork) -> Iterator[Reading]:
    """All values."""
    yield from _outbox(work)
    yield from _trail(work)
    yield from _keys(work)
    breaker = mass_change_breaker.status(work)
    yield Reading.of(
        "mass_change_breaker_open",
        "1 while suspensions and deactivations by registration are stopped",
        float(breaker.is_tripped),
    )
    yield Reading.of(
        "clock_difference_seconds",
        "How far the clock of this machine is ahead of the database's; behind, if negative",
        clock.ahead_of_database(work),
    )
    yield Reading.of(
        "recovery_oldest_seconds", "Age of the oldest request for recovery that waits",
        _age(work, select(func.min(RecoveryRequest.created_at)).where(
            RecoveryRequest.processed_at.is_(None))),
    )  # fmt: skip
    yield Reading.of(
        "purge_overdue_seconds", "How long ago the oldest access token that is stored ran out",
        _age(work, select(func.min(AccessToken.expires_at))),
    )  # fmt: skip


def _age(work: UnitOfWork, oldest: Select[datetime]) -> float:
    """Seconds since that time; 0 if it is in the future or there is none."""
    return _seconds_since(work, work.db.scalar(oldest))


def _seconds_since(work: UnitOfWork, moment: datetime | None) -> float:
    return max(0.0, (work.now - moment).total_seconds()) if moment is not None else 0.0


def _outbox(work: UnitOfWork) -> Iterator[Reading]:
    counts: Values = {(lane, str(state)): 0.0 for lane in LANES for state in _WAITING}
    ages: Values = {(lane,): 0.0 for lane in LANES}
    for state in _WAITING:
        some = (
            select(OutboxMessage.channel, OutboxMessage.kind, OutboxMessage.created_at)
            .where(OutboxMessage.state == state)
            .order_by(OutboxMessage.next_attempt_at)
            .limit(MOST)
            .subquery()
        )
        is_code = case((some.c.kind.in_(CODES), literal(1)), else_=0)
        rows = work.db.execute(
            select(some.c.channel, is_code, func.count(), func.min(some.c.created_at)).group_by(
                some.c.channel, is_code
            )
        )
        for channel, code, number, oldest in rows:
            lane = "codes" if code and channel == MessageChannel.MAIL else _LANE[channel]
            counts[lane, str(state)] += number
            if state == MessageState.QUEUED:
                ages[lane,] = max(ages[lane,], _seconds_since(work, oldest))
    yield Reading(
        "outbox_messages", f"Messages that are not sent, at most {MOST} of a state", counts,
        ("lane", "state"),
    )  # fmt: skip
    yield Reading("outbox_oldest_seconds", "Age of the oldest message that waits", ages, ("lane",))


_WAITING = (MessageState.QUEUED, MessageState.DEAD)


def _trail(work: UnitOfWork) -> Iterator[Reading]:
    yield Reading.of(
        "audit_unsealed_oldest_seconds", "Age of the oldest event without a seal",
        _seconds_since(work, chain.oldest_unsealed_at(work)),
    )  # fmt: skip
    raised: Values = {(str(name),): 0.0 for name in (*alarms.ALL, BROKEN)}
    for name in (*alarms.ALL, BROKEN):
        latest = select(func.max(Event.at)).where(Event.name == name)
        if name == BROKEN:
            latest = latest.where(Event.reason == AlarmReason.BROKEN)
        if (moment := work.db.scalar(latest)) is not None:
            raised[str(name),] = moment.timestamp()
    yield Reading(
        "alarm_last_timestamp_seconds",
        "Time of the latest alarm; trail.verified is an integrity check that failed; 0: never",
        raised,
        ("alarm",),
    )


def _keys(work: UnitOfWork) -> Iterator[Reading]:
    ages: Values = {}
    numbers: Values = {}
    live = (KeyState.NEXT, KeyState.ACTIVE)
    for key in work.db.scalars(select(SigningKey).where(SigningKey.state.in_(live))):
        numbers[key.alg, str(key.state)] = numbers.get((key.alg, str(key.state)), 0) + 1
        if key.state == KeyState.ACTIVE:
            ages[key.alg,] = _seconds_since(work, key.activated_at or key.created_at)
    yield Reading(
        "signing_key_age_seconds", "How long the key that signs has been in use", ages, ("alg",)
    )
    yield Reading("signing_keys", "Keys by algorithm and state", numbers, ("alg", "state"))
