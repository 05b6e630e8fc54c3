"""The queue of SQLite's writers.

SQLite has one writer at a time. A connection that finds another one writing sleeps for up to 100 ms
and tries again, in no order: with 16 threads some waited for seconds. In this process the
connections wait for a lock instead, and only the one whose turn it is asks SQLite.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

BUSY_TIMEOUT_MS = 10_000


class QueuedConnection(sqlite3.Connection):
    """A connection that waits for its turn to write. Its transaction ends the turn. Subclasses have
    the ``turn`` of their database."""

    turn: threading.Lock
    has_turn = False

    def begin_write(self) -> None:
        """Begin a transaction that writes. Raises OperationalError as SQLite does after the same
        time."""
        if not self.has_turn and not self.turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise sqlite3.OperationalError("database is locked")
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

    def _leave(self) -> None:
        if self.has_turn:
            self.has_turn = False
            self.turn.release()


def queued_connections() -> Any:
    """The class of the connections of one engine."""
    return type("QueuedConnection", (QueuedConnection,), {"turn": threading.Lock()})
