"""Sign-ins and refused sign-ins per hour, counted from an index of the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, case, func, select

from idp.audit.actions import AuditAction
from idp.models import Event
from idp.transaction import UnitOfWork

HOURS = 24
HOUR = timedelta(hours=1)
NAMES = (AuditAction.SIGNIN_SUCCEEDED, AuditAction.SIGNIN_REFUSED)


@dataclass(frozen=True)
class HourlyActivity:
    """One hour that begins at ``start``. Refused anonymous requests are sampled (``idp.sampling``),
    so only the recorded part of a flood counts."""

    start: datetime
    succeeded: int
    refused: int


def by_hour(work: UnitOfWork) -> list[HourlyActivity]:
    """The last 24 hours including the current one, oldest first."""
    starts = hours_until(work.now)
    found = {(name, hour): count for name, hour, count in work.db.execute(query(work.now, starts))}
    return [
        HourlyActivity(start, *(found.get((str(name), n), 0) for name in NAMES))
        for n, start in enumerate(starts)
    ]


def hours_until(now: datetime) -> list[datetime]:
    """The beginnings of the last hours, the oldest first."""
    last = now.replace(minute=0, second=0, microsecond=0)
    return [last - HOUR * n for n in reversed(range(HOURS))]


def query(now: datetime, starts: list[datetime]) -> Select[str, int, int]:
    """The event name, the number of the hour and the count. Only events of these hours are read."""
    later = reversed(list(enumerate(starts)))
    hour = case(*((Event.at >= start, n) for n, start in later), else_=0).label("hour")
    return (
        select(Event.name, hour, func.count())
        .where(Event.name.in_(NAMES), Event.at >= starts[0], Event.at <= now)
        .group_by(Event.name, "hour")
    )
