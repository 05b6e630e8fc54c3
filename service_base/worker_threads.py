"""The threads of the worker: parts that wait for other servers run in their own threads, so that
they delay no other part. Failed threads are restarted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from service_base import logs, metrics, request_ids

#: What a part works with: the application of the service.
App = TypeVar("App")
#: Does some of its work and returns how much.
Part: TypeAlias = Callable[[App], int]
Parts: TypeAlias = Mapping[str, Part[App]]
#: A thread that finishes no part for this long is considered stalled: longer than a few transfers
#: to a slow server.
STALE_SECONDS = 300
#: Seconds to finish the running parts when stopped.
STOP_SECONDS = 20
WATCH_SECONDS = 1.0
log = logs.Logger("worker")
ROUNDS = metrics.Counter("worker_rounds", "Rounds of a part of the worker, by result",
                         ("part", "result"))  # fmt: skip
DONE = metrics.Counter("worker_done", "What a part of the worker has done", ("part",))
SECONDS = metrics.Histogram(
    "worker_round_duration_seconds", "Time of a round that found something to do", ("part",)
)
RESTARTS = metrics.Counter(
    "worker_thread_restarts", "Threads that ended and were started again", ("thread",)
)


def work_through(
    app: App, parts: Parts[App], ended: Callable[[str, bool], None] = lambda *_: None
) -> bool:
    """Run one round of these parts; returns whether there was anything to do. A part that fails is
    retried in the next round and does not stop the others. ``ended`` learns the name of each part
    that ended, and whether it failed."""
    busy = False
    for name, part in parts.items():
        done = _worked(app, name, part)
        busy = bool(done) or busy
        ended(name, done is None)
    return busy


def _worked(app: App, name: str, part: Part[App]) -> int | None:
    """How much a part has done; None if it failed. The lines of a round have one trace."""
    with request_ids.used(request_ids.of_work(None)):
        return _round(app, name, part)


def _round(app: App, name: str, part: Part[App]) -> int | None:
    started = time.perf_counter()
    try:
        done = part(app)
    except Exception as error:
        ROUNDS.add(name, "failed")
        log.error("worker_task_failed", part=name, error=type(error).__name__)
        return None
    ROUNDS.add(name, "busy" if done else "idle")
    if done:
        DONE.add(name, amount=done)
        SECONDS.observe(time.perf_counter() - started, name)
        log.info("worker_task", part=name, done=done)
    return done


@dataclass
class WorkerThread(Generic[App]):
    """One thread and its parts."""

    parts: Parts[App]
    progressed_at: float
    #: The parts whose last round failed.
    failing: set[str] = field(default_factory=set)
    thread: threading.Thread = field(default_factory=threading.Thread)


class WorkerThreads(Generic[App]):
    """All threads of a worker. ``now`` is a monotonic clock in seconds."""

    def __init__(
        self,
        app: App,
        workers: Mapping[str, Parts[App]],
        *,
        interval: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._interval, self._now = app, interval, now
        self._stop = threading.Event()
        self._workers = {name: WorkerThread(parts, now()) for name, parts in workers.items()}

    def run(self) -> None:
        """Run until stopped. A thread that ended is restarted."""
        while not self._stop.is_set():
            self.start_missing()
            self._stop.wait(WATCH_SECONDS)
        end = self._now() + STOP_SECONDS
        for worker in self._workers.values():
            worker.thread.join(max(0.0, end - self._now()))

    def stop(self) -> None:
        """Make ``run`` return after the running parts have finished."""
        self._stop.set()

    def start_missing(self) -> None:
        """Start each thread that is not running."""
        for name, worker in self._workers.items():
            if worker.thread.is_alive():
                continue
            if worker.thread.ident is not None:
                RESTARTS.add(name)
                log.error("worker_thread_ended", thread=name)
            worker.thread = threading.Thread(
                target=self._repeat, args=(worker,), name=f"worker-{name}", daemon=True
            )
            worker.thread.start()

    def state(self) -> dict[str, Any]:
        """The state for the health endpoint: for each thread, the seconds since it last finished a
        part, whether that is too long, and which of its parts fail. Those that fail are tried
        again: starting the worker again would not help."""
        now, longest = self._now(), STALE_SECONDS + self._interval
        seconds = {name: now - worker.progressed_at for name, worker in self._workers.items()}
        workers: dict[str, dict[str, Any]] = {
            name: {"status": "ok" if past <= longest else "stale", "seconds": round(past)}
            for name, past in seconds.items()
        }
        for name, worker in self._workers.items():
            if failing := sorted(worker.failing):
                workers[name]["failing"] = failing
        is_well = all(past <= longest for past in seconds.values())
        return {"status": "ok" if is_well else "stale", "threads": workers}

    def readings(self) -> Iterator[metrics.Reading]:
        """For each thread, the seconds since it last finished a part."""
        now = self._now()
        idle: metrics.Values = {
            (name,): now - worker.progressed_at for name, worker in self._workers.items()
        }
        yield metrics.Reading(
            "worker_thread_idle_seconds", "Time since a thread last finished a part", idle,
            ("thread",),
        )  # fmt: skip

    def _repeat(self, worker: WorkerThread[App]) -> None:
        def ended(name: str, has_failed: bool) -> None:
            worker.progressed_at = self._now()
            (worker.failing.add if has_failed else worker.failing.discard)(name)

        while not self._stop.is_set():
            if not work_through(self._app, worker.parts, ended):
                self._stop.wait(self._interval)
