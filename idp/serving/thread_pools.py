"""Thread pools with bounded queues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from idp.serving.refusals import RefusedRequest

T = TypeVar("T")


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
    """Threads for one kind of request. Use it from the event loop only."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting

    def submit(self, call: Callable[[], T]) -> Job[T]:
        """Queue a call. Raises RefusedRequest (503) if the queue is full."""
        if self._room <= 0:
            raise RefusedRequest(503, "queue_full")
        self._room -= 1
        running = self._pool.submit(call)
        result = asyncio.wrap_future(running)
        result.add_done_callback(self._leave)
        return Job(running, result)

    def _leave(self, _result: object) -> None:
        self._room += 1


class ThreadPools:
    """Separate pools, so that monitoring, proxies and relying parties do not wait for users or for
    each other."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._health = ThreadPool("health", 1, 32)
        # It waits for the database, which may not answer.
        self._ready = ThreadPool("ready", 1, 8)
        self._documents = ThreadPool("documents", 2, 128)
        self._others = ThreadPool("requests", threads, waiting)

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
