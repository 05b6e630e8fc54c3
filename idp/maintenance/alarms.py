"""Alarms: password guessing over many accounts (N50), audit events that are not sealed in time, and
clocks that differ (R15, R16).

An alarm is an audit event and a line in the log. Other packages raise the rest of ``ALL``.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import func, select

from idp import list_pages
from idp.audit import chain, events
from idp.audit.actions import AlarmReason, AuditAction
from idp.bound_sessions import copied_sessions
from idp.directory import mass_change_breaker
from idp.list_pages import ListPage, ListRequest
from idp.maintenance import clock
from idp.models import Event
from idp.policy.addresses import network_of
from idp.transaction import UnitOfWork
from service_base import logs

log = logs.Logger("gateway.alarm")
NAME = AuditAction.ALARM_GUESSING
UNSEALED, CLOCK = AuditAction.ALARM_UNSEALED, AuditAction.ALARM_CLOCK
#: An event that stays unsealed for longer raises an alarm.
SEALED_WITHIN = timedelta(minutes=5)
#: What goes on raises its alarm again.
REPEAT_AFTER = timedelta(hours=1)
#: All events that are alarms.
ALL = (
    NAME,
    UNSEALED,
    CLOCK,
    mass_change_breaker.ALARM,
    chain.FORGED,
    chain.HEAD_LOST,
    copied_sessions.ALARM,
)


def raise_due(work: UnitOfWork) -> int:
    """Record the alarms that are due; returns how many."""
    return _guessing(work) + _not_sealed(work) + _clock(work)


def unsealed_since(work: UnitOfWork) -> datetime | None:
    """The time of the oldest unsealed event, if it is overdue."""
    oldest = chain.oldest_unsealed_at(work)
    return oldest if oldest is not None and work.now - oldest >= SEALED_WITHIN else None


def _not_sealed(work: UnitOfWork) -> int:
    oldest = unsealed_since(work)
    if oldest is None or _was_raised(work, UNSEALED):
        return 0
    events.record(work, UNSEALED, reason=AlarmReason.NOT_SEALED, since=oldest.isoformat())
    log.error("trail_not_sealed", since=oldest.isoformat())
    return 1


def _clock(work: UnitOfWork) -> int:
    ahead, behind = clock.ahead_of_database(work), clock.behind_events(work)
    if abs(ahead) > clock.MOST_APART:
        reason, seconds = AlarmReason.CLOCK_DIFFERS, ahead
    elif behind > clock.MOST_APART:
        reason, seconds = AlarmReason.EVENTS_OF_THE_FUTURE, -behind
    else:
        return 0
    if _was_raised(work, CLOCK):
        return 0
    events.record(work, CLOCK, reason=reason, seconds=round(seconds))
    log.error("clock_differs", reason=str(reason), seconds=round(seconds))
    return 1


def _was_raised(work: UnitOfWork, alarm: AuditAction) -> bool:
    """Lately, so that it is not raised again yet."""
    raised = select(Event.id).where(Event.name == alarm, Event.at > work.now - REPEAT_AFTER)
    return work.db.scalar(raised.limit(1)) is not None


def _guessing(work: UnitOfWork) -> int:
    """Count the refused sign-ins of the last window, in total and by network. Record an alarm for
    each count over its limit, once per window. Returns the number of alarms."""
    since = work.now - timedelta(seconds=work.settings.lockout_window)
    by_address = work.db.execute(
        select(Event.ip, func.count())
        .where(Event.name == AuditAction.SIGNIN_REFUSED, Event.at > since)
        .group_by(Event.ip)
    ).all()
    bounds = work.settings
    failures: Counter[str] = Counter()
    for ip, count in by_address:
        failures[network_of(ip)] += count
    over = {name: n for name, n in failures.items() if n >= bounds.alarm_failures_network}
    total = failures.total()
    if total >= bounds.alarm_failures:
        over["all networks"] = total
    if not over:
        return 0
    recent = work.db.scalars(select(Event).where(Event.name == NAME, Event.at > since))
    raised = {event.data.get("network") for event in recent}
    fresh = {network: n for network, n in over.items() if network not in raised}
    for network, count in fresh.items():
        events.record(
            work, NAME, reason=AlarmReason.TOO_MANY_FAILURES, network=network, failures=count
        )
        log.error("guessing", network=network, failures=count)
    return len(fresh)


def recent(work: UnitOfWork) -> list[Event]:
    """The alarms of the last day, newest first."""
    since = work.now - timedelta(days=1)
    query = select(Event).where(Event.name.in_(ALL), Event.at > since)
    return list(work.db.scalars(query.order_by(Event.at.desc())))


def page(work: UnitOfWork, request: ListRequest, name: str = "") -> ListPage[Event]:
    """A page of all alarms, or of those with one name, newest first."""
    names = (name,) if name in ALL else ALL
    wanted = Event.name.in_(names)
    found = list_pages.page(work, Event.id, {}, request, wanted, newest_first=True)
    return found.of(list_pages.load(work, Event.id, found.rows))
