"""Thread pools with bounded queues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from idp.serving.refusals import RefusedRequest

T = TypeVar("T")
#: What takes longer waits more than it computes.
SLOW_SECONDS = 0.05


class Job(Generic[T]):
    """A queued or running call. Everything but ``run`` is for the event loop that submitted it.

    It does what a future of ``concurrent.futures`` and one of ``asyncio`` would do together, for a
    fraction of their cost in each request."""

    def __init__(self, call: Callable[[], T], withdraw: Callable[[Job[T]], bool]) -> None:
        self._call, self._withdraw = call, withdraw
        self._loop = asyncio.get_running_loop()
        #: What the call returned or raised.
        self.result: asyncio.Future[T] = self._loop.create_future()

    def withdraw(self) -> bool:
        """Remove it from the queue; False if a thread has started it."""
        return self._withdraw(self)

    def run(self) -> None:
        """Call, in a thread."""
        if self.result.cancelled():
            return
        try:
            found = self._call()
        except BaseException as error:
            self._tell(self.fail, error)
        else:
            self._tell(self._succeed, found)

    def _tell(self, act: Callable[[Any], None], value: Any) -> None:
        # The loop stops before the threads do when the process ends.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act, value)

    def _succeed(self, value: T) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def fail(self, error: BaseException) -> None:
        """The result is this error, if there is none yet."""
        if not self.result.done():
            self.result.set_exception(error)


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
        self._waiting: deque[Job[Any]] = deque()
        #: How many more requests may run, and when each that is counted began. The number is
        #: below zero when a request that was not counted has ended.
        self._free = threads
        self._begun: dict[Job[Any], float] = {}
        self._is_watched = False

    def submit(self, call: Callable[[], T]) -> Job[T]:
        """Queue a call. Raises RefusedRequest (503) if the queue is full."""
        if self._room <= 0:
            raise RefusedRequest(503, "queue_full")
        self._room -= 1
        job = Job(call, self._withdraw)
        job.result.add_done_callback(self._leave)
        with self._lock:
            self._waiting.append(job)
            self._start()
        self._watch()
        return job

    def _withdraw(self, job: Job[Any]) -> bool:
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            return True

    def _leave(self, _result: object) -> None:
        self._room += 1

    def _start(self) -> None:
        """Start a thread, if another request may run."""
        if self._free > 0 and self._waiting:
            self._free -= 1
            self._pool.submit(self._work)

    def _work(self) -> None:
        """Run requests until none waits or too many run."""
        while (job := self._next()) is not None:
            job.run()
            self._finish(job)

    def _next(self) -> Job[Any] | None:
        with self._lock:
            if self._free < 0 or not self._waiting:
                self._free += 1
                return None
            job = self._waiting.popleft()
            self._begun[job] = time.monotonic()
            return job

    def _finish(self, job: Job[Any]) -> None:
        with self._lock:
            if self._begun.pop(job, None) is None:
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
            for job in [key for key, begun in self._begun.items() if begun < before]:
                del self._begun[job]
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
