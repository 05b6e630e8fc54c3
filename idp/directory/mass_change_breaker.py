"""Mass-change circuit breaker: if registration suspends or deactivates too many accounts within an
hour, further changes wait until an administrator confirms them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from idp.audit import events
from idp.audit.actions import AlarmReason, AuditAction
from idp.directory import number_of_accounts
from idp.models import Event
from idp.transaction import UnitOfWork
from service_base import logs

log = logs.Logger("gateway.alarm")
WINDOW = timedelta(hours=1)
#: The events counted. Each takes access away from an account.
COUNTED = (AuditAction.SCIM_SUSPENDED, AuditAction.SCIM_DELETED, AuditAction.SCIM_ENDING)
ALARM = AuditAction.ALARM_MASS_CHANGE
CONFIRMED = AuditAction.SCIM_MASS_CHANGE_CONFIRMED


@dataclass(frozen=True)
class BreakerStatus:
    """The number of accounts suspended or deactivated in the last hour, since the last
    confirmation, and the limit."""

    changed: int
    limit: int

    @property
    def is_tripped(self) -> bool:
        return self.changed >= self.limit


def status(work: UnitOfWork) -> BreakerStatus:
    """The present count and limit."""
    since = _last(work, CONFIRMED)
    changed = work.db.scalar(
        select(func.count(Event.account_id.distinct())).where(
            Event.name.in_(COUNTED), Event.at > work.now - WINDOW, Event.id > since
        )
    )
    accounts = number_of_accounts.not_deactivated(work)
    share = accounts * work.settings.mass_change_percent // 100
    return BreakerStatus(changed or 0, max(work.settings.mass_change_least, share))


def _last(work: UnitOfWork, name: str) -> int:
    """The id of the last such event in the window, or 0."""
    recent = select(func.max(Event.id)).where(Event.name == name, Event.at > work.now - WINDOW)
    return work.db.scalar(recent) or 0


def raise_alarm(work: UnitOfWork) -> None:
    """Record the alarm, unless it was raised in the last hour and not confirmed since."""
    if _last(work, ALARM) > _last(work, CONFIRMED):
        return
    found = status(work)
    events.record(
        work, ALARM, reason=AlarmReason.MASS_CHANGE, taken=found.changed, bound=found.limit
    )
    log.error("mass change stopped", taken=found.changed, bound=found.limit)


def confirm(work: UnitOfWork, why: str) -> BreakerStatus:
    """Reset the count, so that registration can go on. Returns the status before."""
    before = status(work)
    events.record(work, CONFIRMED, taken=before.changed, why=why)
    return before
