"""The counts of one process, for rate limits without Redis.

The library's own storage in memory starts a thread with most counts, which looks at every key. Here
the caller that counts removes what has expired, once in a minute.
"""

from __future__ import annotations

import threading
import time

from limits.storage import Storage

#: How flask-limiter names it.
SCHEME = "process"
#: Seconds between two searches for what has expired.
SWEEP = 60


class ProcessCounts(Storage):
    """Counts with the time at which each ends. Thread-safe."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - declared so by limits

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._next_sweep = time.time() + SWEEP

    @property
    def base_exceptions(self) -> type[Exception]:
        """Counting in memory does not fail."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, which ends ``expiry`` seconds after it began."""
        with self._lock:
            now = time.time()
            if now >= self._next_sweep:
                self._counts = {name: row for name, row in self._counts.items() if row[1] > now}
                self._next_sweep = now + SWEEP
            count, ends = self._counts.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + expiry
            self._counts[key] = (count + amount, ends)
            return count + amount

    def get(self, key: str) -> int:
        """The count, 0 after its end."""
        count, ends = self._counts.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the count ends; now if there is none."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget everything. Returns how many counts there were."""
        with self._lock:
            number = len(self._counts)
            self._counts.clear()
            return number

    def clear(self, key: str) -> None:
        """Forget one count."""
        with self._lock:
            self._counts.pop(key, None)
