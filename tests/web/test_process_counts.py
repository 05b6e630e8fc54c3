"""Counts of rate limits in the memory of one process (F4, R11)."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from idp.limits import process_counts
from idp.limits.process_counts import SWEEP, ProcessCounts


class Clock(SimpleNamespace):
    """Instead of the module ``time``."""

    now: float = 1_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(process_counts, "time", clock)
    return clock


def test_a_count_ends_after_its_time_and_begins_again(clock: Clock) -> None:
    """The window begins with its first count, and later ones do not prolong it."""
    counts = ProcessCounts()
    assert [counts.incr("a", 60), counts.incr("a", 60, amount=5)] == [1, 6]
    clock.now += 59
    assert counts.incr("a", 60) == counts.get("a") == 7
    assert counts.get_expiry("a") == 1_060.0
    clock.now += 1
    assert counts.get("a") == 0
    assert counts.incr("a", 60) == 1


def test_what_has_expired_is_removed_by_a_later_count(clock: Clock) -> None:
    """Memory does not grow with every network that ever sent a request."""
    counts = ProcessCounts()
    for n in range(100):
        counts.incr(f"network {n}", 10)
    counts.incr("longer", 3600)
    clock.now += SWEEP
    counts.incr("later", 10)
    assert counts.reset() == 2


def test_keys_are_counted_apart_and_forgotten_apart(clock: Clock) -> None:
    counts = ProcessCounts()
    counts.incr("a", 60)
    counts.incr("b", 60)
    counts.clear("a")
    assert (counts.get("a"), counts.get("b")) == (0, 1)
    assert counts.get_expiry("a") == clock.now


def test_r11_no_count_of_concurrent_requests_is_lost() -> None:
    """R11: eight threads, and no thread of its own."""
    counts, before = ProcessCounts(), threading.active_count()

    def count() -> None:
        for _ in range(500):
            counts.incr("a", 3600)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.get("a") == 4_000
    assert threading.active_count() == before
