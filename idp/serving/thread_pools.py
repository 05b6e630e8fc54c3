"""Thread pools with bounded queues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from idp.serving.refusals import RefusedRequest

T = TypeVar("T")
#: What takes longer waits more than it computes.
SLOW_SECONDS = 0.05


@dataclass(frozen=True)
class Job(Generic[T]):
    """A queued or running call."""

    running: Future[T]
    #: The same for the event loop.
    result: asyncio.Future[T]

    def withdraw(self) -> bool:
        """Remove it from the queue; False if a thread has started it."""
        return self.running.cancel()


class ThreadPool:
    """Threads for one kind of request. Use it from the event loop only.

    At most ``threads`` requests run at once, since Python threads that wait for each other cost
    more than what they do. A request that takes longer than SLOW_SECONDS waits for something, such
    as a password hash, a lock of the database or a slow client: it is not counted any more, and one
    of ``spare`` threads takes the next request."""

    def __init__(self, name: str, threads: int, waiting: int, spare: int = 0) -> None:
        self._pool = ThreadPoolExecutor(threads + spare, thread_name_prefix=name)
        self._room = threads + spare + waiting
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        #: How many more requests may run, and when each that is counted began. The number is
        #: below zero when a request that was not counted has ended.
        self._free = threads
        self._begun: dict[Future[Any], float] = {}
        self._is_watched = False

    def submit(self, call: Callable[[], T]) -> Job[T]:
        """Queue a call. Raises RefusedRequest (503) if the queue is full."""
        if self._room <= 0:
            raise RefusedRequest(503, "queue_full")
        self._room -= 1
        running: Future[T] = Future()
        result = asyncio.wrap_future(running)
        result.add_done_callback(self._leave)
        with self._lock:
            self._waiting.append((running, call))
            self._start()
        self._watch()
        return Job(running, result)

    def _leave(self, _result: object) -> None:
        self._room += 1

    def _start(self) -> None:
        """Start a thread, if another request may run."""
        if self._free > 0 and self._waiting:
            self._free -= 1
            self._pool.submit(self._work)

    def _work(self) -> None:
        """Run requests until none waits or too many run."""
        while found := self._next():
            running, call = found
            if running.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:
                    running.set_exception(error)
                else:
                    running.set_result(result)
            self._finish(running)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            if self._free < 0 or not self._waiting:
                self._free += 1
                return None
            found = self._waiting.popleft()
            self._begun[found[0]] = time.monotonic()
            return found

    def _finish(self, running: Future[Any]) -> None:
        with self._lock:
            if self._begun.pop(running, None) is None:
                # It was not counted any more; its thread is counted again.
                self._free -= 1

    def _watch(self) -> None:
        if self._waiting and not self._is_watched:
            self._is_watched = True
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._relieve)

    def _relieve(self) -> None:
        """Let others run in the place of slow requests."""
        self._is_watched = False
        with self._lock:
            before = time.monotonic() - SLOW_SECONDS
            for running in [key for key, begun in self._begun.items() if begun < before]:
                del self._begun[running]
                self._free += 1
                self._start()
        self._watch()


class ThreadPools:
    """Separate pools, so that monitoring, proxies and relying parties do not wait for users or for
    each other."""

    def __init__(self, threads: int, spare: int, waiting: int) -> None:
        self._health = ThreadPool("health", 1, 32)
        # It waits for the database, which may not answer.
        self._ready = ThreadPool("ready", 1, 8)
        self._documents = ThreadPool("documents", 2, 128)
        self._others = ThreadPool("requests", threads, waiting, spare)

    def of(self, method: str, path: str) -> ThreadPool:
        """The pool for a request."""
        if path == "/healthz":
            return self._health
        if path == "/readyz":
            return self._ready
        # A browser treats a refused CORS preflight as a permanent denial.
        if path.startswith(DOCUMENTS) or method == "OPTIONS":
            return self._documents
        return self._others


#: Keys, discovery and style sheets.
DOCUMENTS = ("/oauth2/v1/keys", "/.well-known/", "/static/")
