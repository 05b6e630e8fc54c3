"""The queue of SQLite's writers.

SQLite has one writer at a time. A connection that finds another one writing sleeps for up to 100 ms
and tries again, in no order: with 16 threads some waited for seconds. Here the connections of a
process wait for a lock, and the one whose turn it is waits for the other processes by two lock
files. It then asks SQLite, which alone decides who writes: other programs do not use the queue.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

BUSY_TIMEOUT_MS = 10_000
#: The connection whose turn it is in its process tries a lock again after this time. A transaction
#: takes a millisecond.
POLL_SECONDS = 0.0002


def _locked() -> sqlite3.OperationalError:
    """As SQLite says it."""
    return sqlite3.OperationalError("database is locked")


class ProcessTurns:
    """The turns of the processes of one database. A process that waits holds the lock *next*, and
    one that writes the lock *turn*. So a process that has just written cannot pass one that waits.
    The kernel releases the locks of a process that ends."""

    def __init__(self, database: str) -> None:
        self.process = os.getpid()
        self._closes: list[Callable[[], object]] = []
        self._next, self._turn = self._open(f"{database}-next"), self._open(f"{database}-turn")
        # Raises OSError where files cannot be locked.
        fcntl.flock(self._next, fcntl.LOCK_UN)

    def _open(self, path: str) -> int:
        # Who may only read the file can lock it, whoever made it.
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        self._closes.append(weakref.finalize(self, os.close, file))
        return file

    def close(self) -> None:
        """Close the files."""
        for close in self._closes:
            close()

    def take(self, until: float) -> None:
        """Wait for the turn. Raises OperationalError at the time ``until``."""
        _lock(self._next, until)
        try:
            _lock(self._turn, until)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def end(self) -> None:
        """Let the next process write."""
        fcntl.flock(self._turn, fcntl.LOCK_UN)


def _lock(file: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise _locked() from None
        time.sleep(POLL_SECONDS)


class Queue:
    """The queue of one engine."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._processes: ProcessTurns | None = None
        self._counting = threading.Lock()
        self._connections = 0

    def open(self, database: str) -> None:
        """A connection to the file opens, and takes turns with other processes. A database in
        memory has none. Where files cannot be locked, SQLite alone decides."""
        with self._counting:
            self._connections += 1
            known = self._processes
            # A forked process must not share the locks of its parent.
            if database and (known is None or known.process != os.getpid()):
                with suppress(OSError):
                    self._processes = ProcessTurns(database)

    def close(self) -> None:
        """A connection closes. The lock files are open as long as there is one."""
        with self._counting:
            self._connections -= 1
            if not self._connections and self._processes is not None:
                self._processes.close()
                self._processes = None

    def enter(self) -> None:
        """Wait for the turn. Raises OperationalError as SQLite does after the same time."""
        seconds = BUSY_TIMEOUT_MS / 1000
        until = time.monotonic() + seconds
        if not self.lock.acquire(timeout=seconds):
            raise _locked()
        if self._processes is not None:
            try:
                self._processes.take(until)
            except BaseException:
                self.lock.release()
                raise

    def leave(self) -> None:
        """End the turn."""
        if self._processes is not None:
            self._processes.end()
        self.lock.release()


class QueuedConnection(sqlite3.Connection):
    """A connection that waits for its turn to write. Its transaction ends the turn. Subclasses have
    the ``queue`` of their engine."""

    queue: Queue
    has_turn = False
    is_counted = False

    def join(self, database: str) -> None:
        """Join the queue of this file."""
        self.queue.open(database)
        self.is_counted = True

    def begin_write(self) -> None:
        """Begin a transaction that writes. Raises OperationalError as SQLite does after the same
        time."""
        if not self.has_turn:
            self.queue.enter()
        self.has_turn = True
        try:
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._leave()
            raise

    def commit(self) -> None:
        """Commit and end the turn."""
        try:
            super().commit()
        finally:
            self._leave()

    def rollback(self) -> None:
        """Roll back and end the turn."""
        try:
            super().rollback()
        finally:
            self._leave()

    def close(self) -> None:
        """Close, which rolls back."""
        try:
            super().close()
        finally:
            self._leave()
            if self.is_counted:
                self.is_counted = False
                self.queue.close()

    def _leave(self) -> None:
        if self.has_turn:
            self.has_turn = False
            self.queue.leave()


def queued_connections() -> Any:
    """The class of the connections of one engine."""
    return type("QueuedConnection", (QueuedConnection,), {"queue": Queue()})
