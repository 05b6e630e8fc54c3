"""What clients were told: every call with its answer, in a file outside the server."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Call:
    """One request of a client. ``sent`` is what it was about, ``got`` what the answer promised."""

    name: str
    client: int
    began: float
    sent: dict[str, str] = field(default_factory=dict)
    #: None while there is no answer, and if there was none.
    status: int | None = None
    ended: float | None = None
    request_id: str = ""
    got: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 400

    @property
    def is_refusal(self) -> bool:
        return self.status is not None and 400 <= self.status < 500

    @property
    def seconds(self) -> float:
        return (self.ended or self.began) - self.began


class History:
    """Calls in the order in which they ended. A line is written before and after each call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        #: Set when the load has to end.
        self.stopping = threading.Event()
        self.calls: list[Call] = []

    def begin(self, name: str, client: int, sent: dict[str, str]) -> Call:
        call = Call(name, client, time.time(), sent)
        self._write("begin", call)
        return call

    def end(self, call: Call) -> None:
        call.ended = time.time()
        self._write("end", call)
        with self._lock:
            self.calls.append(call)

    def _write(self, what: str, call: Call) -> None:
        line = json.dumps([what, asdict(call)])
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def named(self, *names: str) -> list[Call]:
        return [call for call in list(self.calls) if call.name in names]

    def counts(self) -> dict[str, int]:
        """How many calls succeeded, were refused, failed by 5xx, and had no answer."""
        found = {"ok": 0, "refused": 0, "unavailable": 0, "lost": 0}
        for call in list(self.calls):
            if call.is_success:
                found["ok"] += 1
            elif call.is_refusal:
                found["refused"] += 1
            else:
                found["lost" if call.status is None else "unavailable"] += 1
        return found

    def since(self, moment: float, until: float = float("inf")) -> list[Call]:
        """The calls that began in this time and have ended."""
        return [call for call in list(self.calls) if moment < call.began < until]


def recovered_after(history: History, moment: float) -> float:
    """Seconds from a moment to the end of the first success that began after it."""
    ends = [
        c.ended - moment for c in history.calls if c.ended and c.is_success and c.began > moment
    ]
    return min(ends, default=float("inf"))


def patience() -> float:
    """By how much all limits of time grow: they are those of a machine that does nothing else."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def answered(history: History, more: int, seconds: float = 120) -> None:
    """Wait for so many more successes."""
    goal = history.counts()["ok"] + more
    began = time.monotonic()
    while history.counts()["ok"] < goal:
        past = time.monotonic() - began
        assert past < seconds * patience(), f"fewer than {more} successes: {history.calls[-5:]}"
        time.sleep(0.05)


def longest(calls: list[Call]) -> float:
    """Seconds of the slowest call."""
    return max((call.seconds for call in calls), default=0.0)
