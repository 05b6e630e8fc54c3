"""How Alembic reaches a database: one upgrader at a time, each step whole or not at all.

The ``env.py`` of a folder of migrations calls ``run``. The connection is the one that a caller put
into the configuration as ``attributes["connection"]``, or one of the application's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, Engine, MetaData

from service_base.database import UtcDateTime

#: How long a second upgrader waits for the first.
WAIT_FOR_UPGRADER = "120s"
#: A step that waits for a table makes everyone else wait behind it: give up, and be run again.
WAIT_FOR_TABLE = "5s"


@dataclass(frozen=True)
class Target:
    """Which tables are migrated, and where they are when the caller gives no connection. ``lock``
    names the upgrade among the advisory locks of a server; all releases must agree on it."""

    metadata: MetaData
    lock: int
    engine: Callable[[], Engine]


def run(target: Target) -> None:
    """Upgrade the database, or print the statements for operators whose database is changed by
    others."""
    if context.is_offline_mode():
        _print_statements(target)
        return
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        _run_on(given, target)
        return
    with target.engine().connect() as connection:
        _run_on(connection, target)


def _render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write plain SQLAlchemy types: migrations must outlive the application's own."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _configure(target: Target, **how: Any) -> None:
    """Tell Alembic what is the same for every database."""
    context.configure(
        target_metadata=target.metadata,
        render_item=_render_item,
        compare_type=True,
        compare_server_default=True,
        **how,
    )


@contextmanager
def _alone_on_postgresql(connection: Connection, lock: int) -> Iterator[None]:
    """Hold the advisory lock. It outlives transactions, since each step has its own."""
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT_FOR_UPGRADER}'")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({lock})")
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT_FOR_TABLE}'")
    connection.commit()
    try:
        yield
    finally:
        # The session ends here, and with it the lock and what was set above.
        connection.rollback()
        connection.invalidate()


@contextmanager
def _alone_on_sqlite(connection: Connection) -> Iterator[None]:
    """Hold the write lock for the whole upgrade, foreign keys being checked at its end.

    SQLite changes a table by copying it and dropping the old one, which would delete or refuse
    the rows that point to it. The switch works outside a transaction only.
    """
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        if raw.in_transaction:
            raw.rollback()
        raw.execute("PRAGMA foreign_keys = ON")


def _run_on(connection: Connection, target: Target) -> None:
    """Run the steps that were asked for."""
    sqlite = connection.dialect.name == "sqlite"
    with _alone_on_sqlite(connection) if sqlite else _alone_on_postgresql(connection, target.lock):
        _configure(
            target,
            connection=connection,
            render_as_batch=sqlite,
            transactional_ddl=True,
            transaction_per_migration=not sqlite,
        )
        with context.begin_transaction():
            context.run_migrations()
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise RuntimeError(f"rows would point to nothing: {broken[:5]}")


def _print_statements(target: Target) -> None:
    name = target.engine().dialect.name
    _configure(target, dialect_name=name, literal_binds=True, render_as_batch=name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()
