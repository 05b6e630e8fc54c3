"""The breaker of mass changes: when registration suspends or closes too many accounts within an
hour, what follows waits until an administrator has looked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import Account, AccountState, Event
from idp.transaction import UnitOfWork

log = structlog.get_logger("gateway.alarm")
WINDOW = timedelta(hours=1)
#: The events that count, each an account that somebody cannot use any more.
COUNTED = (AuditAction.SCIM_SUSPENDED, AuditAction.SCIM_DELETED, AuditAction.SCIM_ENDING)
ALARM = AuditAction.ALARM_MASS_CHANGE
CONFIRMED = AuditAction.SCIM_MASS_CHANGE_CONFIRMED


@dataclass(frozen=True)
class BreakerStatus:
    """How many accounts were taken since the last confirmation, within the last hour, and how many
    may be."""

    taken: int
    bound: int

    @property
    def is_stopped(self) -> bool:
        return self.taken >= self.bound


def status(work: UnitOfWork) -> BreakerStatus:
    """Where the breaker stands now."""
    since = _last(work, CONFIRMED)
    taken = work.db.scalar(
        select(func.count(Event.account_id.distinct())).where(
            Event.name.in_(COUNTED), Event.at > work.now - WINDOW, Event.id > since
        )
    )
    living = work.db.scalar(
        select(func.count(Account.id)).where(Account.state != AccountState.DEACTIVATED)
    )
    share = (living or 0) * work.settings.mass_change_percent // 100
    return BreakerStatus(taken or 0, max(work.settings.mass_change_least, share))


def _last(work: UnitOfWork, name: str) -> int:
    """The number of the last such event of the window, or 0."""
    recent = select(func.max(Event.id)).where(Event.name == name, Event.at > work.now - WINDOW)
    return work.db.scalar(recent) or 0


def raise_alarm(work: UnitOfWork) -> None:
    """Record the alarm: once until somebody confirms, at most once an hour."""
    if _last(work, ALARM) > _last(work, CONFIRMED):
        return
    found = status(work)
    events.record(work, ALARM, reason="mass_change", taken=found.taken, bound=found.bound)
    log.error("mass change stopped", taken=found.taken, bound=found.bound)


def confirm(work: UnitOfWork, why: str) -> BreakerStatus:
    """Let as many again be taken. Returns where the breaker stood."""
    before = status(work)
    events.record(work, CONFIRMED, taken=before.taken, why=why)
    return before
