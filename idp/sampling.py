"""Requests of unknown callers: all are counted, and a few of each kind are written down.

Anybody can send requests that are refused, as many as the network carries. The trail is kept for
ever, so it takes a sample of them: the first ones of each kind and network within a window, then
one at each power of ten, and after the window the total. What is written in a window is bounded
whatever is sent. Each process counts for itself.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

#: Length of a window in seconds.
WINDOW = 900
#: Most records of one kind in a window, and most kinds that are told apart by network.
MOST, KINDS = 200, 10_000
#: The network of all callers together, once a kind has had its records.
OTHERS = "others"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What happened, to whom, and from which network."""

    name: str
    reason: str | None = None
    client_id: str | None = None
    account_id: int | None = None
    network: str = ""


@dataclass(frozen=True)
class Total:
    """How often a kind was seen in a window that is over, and from how many networks."""

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
    """Counts in memory. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = _Window()
        self._ended: list[Total] = []

    def count(self, now: datetime, kind: Kind, *, each: int = 1, most: int = MOST) -> int | None:
        """Count one of this kind. Returns how many there were in this window when this one is to
        be written down, else None. The first ``each`` of a network are, then every power of ten,
        as long as the kind has fewer than ``most`` records from single networks."""
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
        """The totals of windows that are over, each handed out once: one for each kind of which
        not all were written down, whatever the network."""
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
