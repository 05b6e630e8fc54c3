"""Lock-out after failed attempts: a sliding window and a lock that expires (N49-N51).

Pure functions: the record and the time in, the new record out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Budget:
    """``failures`` within ``window`` cause a lock of length ``lock``."""

    failures: int
    window: timedelta
    lock: timedelta


@dataclass(frozen=True)
class Record:
    """The state of a key: recent failures, and the lock, if any."""

    failures: tuple[datetime, ...] = ()
    locked_at: datetime | None = None
    locked_until: datetime | None = None

    def is_locked(self, now: datetime) -> bool:
        """A lock with a start in the future (after a wrong clock) has no effect."""
        if self.locked_at is None or self.locked_until is None:
            return False
        return now < self.locked_until and now >= self.locked_at - (
            self.locked_until - self.locked_at
        )


#: The number of attempts during a lock in which a right password gets a different answer. It lets
#: the holder learn of the lock, and adds few guesses to the budget (docs/decisions/0040).
REVEALING_ATTEMPTS = 3


def after_failure(record: Record, now: datetime, budget: Budget) -> Record:
    """Add a failure. A failure during a lock does not extend it, so that an attacker cannot lock
    out the holder permanently. The first ``REVEALING_ATTEMPTS`` of them are counted until the lock
    ends."""
    if record.is_locked(now):
        tried = (*record.failures, now)[: REVEALING_ATTEMPTS + 1]
        return Record(tried, record.locked_at, record.locked_until)
    earlier = () if record.locked_until is not None else record.failures
    recent = tuple(at for at in earlier if now - budget.window < at <= now)
    recent = (*recent, now)
    if len(recent) >= budget.failures:
        return Record((), now, now + budget.lock)
    return Record(recent)
