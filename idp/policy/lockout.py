"""When guessing must stop: failures in a sliding window, and a lock that ends by itself (N49-N51).

Pure: what is known of a key and the moment come in, what is known afterwards comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Budget:
    """So many failures within ``window`` start a lock of the length ``lock``."""

    failures: int
    window: timedelta
    lock: timedelta


@dataclass(frozen=True)
class Record:
    """What is known of a key: the failures that still count, and the lock, if any."""

    failures: tuple[datetime, ...] = ()
    locked_at: datetime | None = None
    locked_until: datetime | None = None

    def is_locked(self, now: datetime) -> bool:
        """A lock that was set in the future (a clock was wrong) does not hold for ever."""
        if self.locked_at is None or self.locked_until is None:
            return False
        return now < self.locked_until and now >= self.locked_at - (
            self.locked_until - self.locked_at
        )


def after_failure(record: Record, now: datetime, budget: Budget) -> Record:
    """One more failure. A failure during a lock does not lengthen it: nobody can keep an owner
    out for ever by failing on purpose."""
    if record.is_locked(now):
        return record
    recent = tuple(at for at in record.failures if now - budget.window < at <= now)
    recent = (*recent, now)
    if len(recent) >= budget.failures:
        return Record((), now, now + budget.lock)
    return Record(recent)
