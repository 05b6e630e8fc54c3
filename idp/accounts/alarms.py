"""Alarms about guessing that no single account shows: one password tried at many (N50)."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import func, select

from idp.accounts import events, mass_changes
from idp.models import Event
from idp.transaction import Work

log = structlog.get_logger("gateway.alarm")
NAME = "alarm.guessing"


def raise_due(work: Work) -> int:
    """Look at the refused sign-ins of the last window, in all and by network; record an alarm
    for each that is over its bound, once a window. Returns how many were raised."""
    since = work.now - timedelta(seconds=work.settings.lockout_window)
    by_network = work.db.execute(
        select(Event.ip, func.count())
        .where(Event.name == "signin.refused", Event.at > since)
        .group_by(Event.ip)
    ).all()
    bounds = work.settings
    over = {ip or "unknown": n for ip, n in by_network if n >= bounds.alarm_failures_network}
    total = sum(n for _, n in by_network)
    if total >= bounds.alarm_failures:
        over["all networks"] = total
    if not over:
        return 0
    recent = work.db.scalars(select(Event).where(Event.name == NAME, Event.at > since))
    told = {event.data.get("network") for event in recent}
    fresh = {network: n for network, n in over.items() if network not in told}
    for network, count in fresh.items():
        events.record(work, NAME, reason="too_many_failures", network=network, failures=count)
        log.error("guessing", network=network, failures=count)
    return len(fresh)


def recent(work: Work) -> list[Event]:
    """The alarms of the last day, newest first."""
    since = work.now - timedelta(days=1)
    query = select(Event).where(Event.name.in_((NAME, mass_changes.ALARM)), Event.at > since)
    return list(work.db.scalars(query.order_by(Event.at.desc())))
