"""A session of the ORM that reads and writes by Core at the cost of a connection.

Most requests of applications use Core statements only. A transaction of the ORM costs them as much
as a statement, and keeps track of nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction


class CoreSession(Session):
    """A session with one connection for Core and ORM. Its transaction is that of the connection,
    which the ORM joins with the first object that it loads or adds."""

    _core: Connection | None = None
    #: Called before the database is asked or told anything; it may raise.
    guard: Callable[[], None] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, join_transaction_mode="control_fully", **options)

    def core_connection(self) -> Connection:
        """The connection of the open transaction, which begins with the first statement."""
        if self.guard is not None:
            self.guard()
        if self.in_transaction():
            return self.connection()
        if self._core is None:
            bind = self.get_bind()
            self._core = bind.connect() if isinstance(bind, Engine) else bind
        return self._core

    def get_bind(self, *arguments: Any, **about: Any) -> Engine | Connection:
        """The connection in use, or what the session was made for."""
        if self.guard is not None:
            self.guard()
        return self._core if self._core is not None else super().get_bind(*arguments, **about)

    def flush(self, *arguments: Any) -> None:
        """Write what has changed."""
        if self.guard is not None and (self.new or self.dirty or self.deleted):
            # An error during it would end the transaction.
            self.guard()
        super().flush(*arguments)

    def begin_nested(self) -> SessionTransaction:
        """Begin a savepoint."""
        if self.guard is not None:
            self.guard()
        point = super().begin_nested()
        # Begun now: the ORM would begin it with its own first statement.
        self.connection()
        return point

    def commit(self) -> None:
        """Commit what both have done."""
        if self.in_transaction():
            super().commit()
        if self._core is not None:
            # Changes nothing if the ORM has committed it already.
            self._core.commit()
            self._release()

    def rollback(self) -> None:
        """Roll back what both have done."""
        try:
            super().rollback()
        finally:
            self._release()

    def close(self) -> None:
        """Roll back, and forget all objects."""
        try:
            if self.in_transaction() or self.identity_map:
                super().close()
        finally:
            self._release()

    def _release(self) -> None:
        held, self._core = self._core, None
        if held is not None:
            held.close()
