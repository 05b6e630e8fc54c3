"""The clock of this machine, compared with that of the database and with the times of the latest
events (R15, R16)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select

from idp.models import Event
from idp.transaction import UnitOfWork

#: Seconds by which clocks may differ: the lives of codes allow for them.
MOST_APART = 10.0
#: The events that are looked at: the last ones, in the order in which they were written.
LATEST = 100


def ahead_of_database(work: UnitOfWork) -> float:
    """By how many seconds this machine is ahead of the database; negative if it is behind. SQLite
    has the clock of this machine."""
    if work.db.get_bind().dialect.name == "sqlite":
        return 0.0
    before = datetime.now(UTC)
    theirs: datetime = work.db.execute(select(func.clock_timestamp())).scalar_one()
    after = datetime.now(UTC)
    # Its time was read between the two.
    if theirs < before:
        return (before - theirs).total_seconds()
    return min(0.0, (after - theirs).total_seconds())


def behind_events(work: UnitOfWork) -> float:
    """By how many seconds the latest events are from the future: the clock was set back, or another
    process is ahead. 0 if none is."""
    ids = select(Event.id).order_by(Event.id.desc()).limit(LATEST).scalar_subquery()
    latest = work.db.scalar(select(func.max(Event.at)).where(Event.id.in_(ids)))
    return max(0.0, (latest - work.now).total_seconds()) if latest is not None else 0.0
