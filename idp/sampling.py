"""Sampling of audit events about unauthenticated requests: all are counted, some are recorded.

Anyone can send requests that are refused, in any number, and the audit trail is never deleted. So
only a sample is recorded: the first of each kind and network in a window, then one at each power of
ten, and the total after the window. The number of rows per window is limited. Each process counts
separately.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

#: The window in seconds.
WINDOW = 900
#: The maximum of records per kind and window, and of kinds counted by network.
MOST, KINDS = 200, 10_000
#: Used instead of the network once a kind has reached its maximum.
OTHERS = "others"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The event, the subject and the network."""

    name: str
    reason: str | None = None
    client_id: str | None = None
    account_id: int | None = None
    network: str = ""


@dataclass(frozen=True)
class Total:
    """The count of a kind in a completed window, and its number of networks."""

    kind: Kind
    since: datetime
    count: int
    networks: int


@dataclass
class _Window:
    number: int = 0
    seen: Counter[Kind] = field(default_factory=Counter)
    #: Records so far, by kind without network, and by kind without network and reason.
    shown: Counter[Kind] = field(default_factory=Counter)
    written: Counter[Kind] = field(default_factory=Counter)


class Sampler:
    """Counts in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = _Window()
        self._ended: list[Total] = []

    def count(self, now: datetime, kind: Kind, *, each: int = 1, most: int = MOST) -> int | None:
        """Count one of this kind. Returns the count in this window if this one is to be recorded,
        else None. Recorded are the first ``each`` of a network, then every power of ten, until the
        kind has ``most`` records from single networks."""
        with self._lock:
            window = self._turn(now)
            group = replace(kind, reason=None, network="")
            is_full = window.written[group] >= most or len(window.seen) >= KINDS
            if is_full and kind not in window.seen:
                kind = replace(kind, network=OTHERS)
            window.seen[kind] += 1
            number = window.seen[kind]
            first = 1 if kind.network == OTHERS else each
            is_chosen = number <= first or _is_power(number)
            if not is_chosen or (is_full and kind.network != OTHERS):
                return None
            window.written[group] += 1
            window.shown[replace(kind, network="")] += 1
            return number

    def completed_totals(self, now: datetime) -> list[Total]:
        """The totals of completed windows, returned once: one for each kind that was not recorded
        completely, over all networks."""
        with self._lock:
            self._turn(now)
            ended, self._ended = self._ended, []
            return ended

    def _turn(self, now: datetime) -> _Window:
        number = int(now.timestamp()) // WINDOW
        if number != self._window.number:
            self._ended += _totals(self._window)
            self._window = _Window(number)
        return self._window


def _totals(window: _Window) -> list[Total]:
    since = datetime.fromtimestamp(window.number * WINDOW, UTC)
    counts: Counter[Kind] = Counter()
    networks: Counter[Kind] = Counter()
    for kind, count in window.seen.items():
        counts[replace(kind, network="")] += count
        networks[replace(kind, network="")] += 1
    return [
        Total(kind, since, count, networks[kind])
        for kind, count in counts.items()
        if count > window.shown[kind]
    ]


def _is_power(number: int) -> bool:
    """Whether it is 1, 10, 100 and so on."""
    return str(number).rstrip("0") == "1"
