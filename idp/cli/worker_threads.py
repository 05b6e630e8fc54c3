"""Lanes of the worker: a thread each, so that what waits for other people's servers keeps nothing
else waiting; and the watch over them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask

#: Does some of its work; returns how much.
Part = Callable[[Flask], int]
Parts = Mapping[str, Part]
#: A lane that finished no part for so long hangs: longer than a few transfers to a slow server.
STALE_SECONDS = 300
#: Parts that run are finished within so many seconds after the word to stop.
STOP_SECONDS = 20
WATCH_SECONDS = 1.0
log = structlog.get_logger("gateway.worker")


def work_through(app: Flask, parts: Parts, progressed: Callable[[], None] = lambda: None) -> bool:
    """One round of these parts; returns whether there was anything to do. A part that fails is
    tried again in the next round and keeps no other part from its work."""
    busy = False
    for name, part in parts.items():
        busy = _worked(app, name, part) or busy
        progressed()
    return busy


def _worked(app: Flask, name: str, part: Part) -> bool:
    try:
        done = part(app)
    except Exception as error:
        log.error("worker_part_failed", part=name, error=type(error).__name__)
        return False
    if done:
        log.info("worker_part", part=name, done=done)
    return bool(done)


@dataclass
class WorkerThread:
    """One thread and its parts."""

    parts: Parts
    progressed_at: float
    thread: threading.Thread = field(default_factory=threading.Thread)


class WorkerThreads:
    """All lanes of a worker. ``now`` counts seconds from any beginning."""

    def __init__(
        self,
        app: Flask,
        lanes: Mapping[str, Parts],
        *,
        interval: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._interval, self._now = app, interval, now
        self._stop = threading.Event()
        self._lanes = {name: WorkerThread(parts, now()) for name, parts in lanes.items()}

    def run(self) -> None:
        """Work until told to stop. A lane whose thread ended is started again."""
        while not self._stop.is_set():
            self.start_missing()
            self._stop.wait(WATCH_SECONDS)
        end = self._now() + STOP_SECONDS
        for lane in self._lanes.values():
            lane.thread.join(max(0.0, end - self._now()))

    def stop(self) -> None:
        """Tell ``run`` to return; what runs is finished first."""
        self._stop.set()

    def start_missing(self) -> None:
        """Start each lane whose thread does not run."""
        for name, lane in self._lanes.items():
            if lane.thread.is_alive():
                continue
            if lane.thread.ident is not None:
                log.error("worker_lane_ended", lane=name)
            lane.thread = threading.Thread(
                target=self._repeat, args=(lane,), name=f"lane-{name}", daemon=True
            )
            lane.thread.start()

    def state(self) -> dict[str, Any]:
        """What the health answer says: for each lane the seconds since it last finished a part,
        and whether that is too long ago."""
        now, longest = self._now(), STALE_SECONDS + self._interval
        seconds = {name: now - lane.progressed_at for name, lane in self._lanes.items()}
        lanes = {
            name: {"status": "ok" if past <= longest else "stale", "seconds": round(past)}
            for name, past in seconds.items()
        }
        is_well = all(past <= longest for past in seconds.values())
        return {"status": "ok" if is_well else "stale", "lanes": lanes}

    def _repeat(self, lane: WorkerThread) -> None:
        def progressed() -> None:
            lane.progressed_at = self._now()

        while not self._stop.is_set():
            if not work_through(self._app, lane.parts, progressed):
                self._stop.wait(self._interval)
