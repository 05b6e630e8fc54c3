"""How Alembic reaches the database: one upgrader at a time, each step whole or not at all.

The connection is the application's, or the one that a caller put into the configuration as
``attributes["connection"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

import idp.models  # noqa: F401  fills the metadata
from idp.db import Base, UtcDateTime, db

#: Names our lock among a server's advisory locks; all releases must agree on it ("IESO").
UPGRADE_LOCK = 0x4945534F
#: How long a second upgrader waits for the first.
WAIT_FOR_UPGRADER = "120s"
#: A step that waits for a table makes everyone else wait behind it: give up, and be run again.
WAIT_FOR_TABLE = "5s"


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write plain SQLAlchemy types: migrations must outlive the application's own."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def configure(**how: Any) -> None:
    """Tell Alembic what is the same for every database."""
    context.configure(
        target_metadata=Base.metadata,
        render_item=render_item,
        compare_type=True,
        compare_server_default=True,
        **how,
    )


@contextmanager
def alone_on_postgresql(connection: Connection) -> Iterator[None]:
    """Hold the advisory lock. It outlives transactions: each step commits by itself."""
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT_FOR_UPGRADER}'")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({UPGRADE_LOCK})")
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT_FOR_TABLE}'")
    connection.commit()
    try:
        yield
    finally:
        # The session ends here, and with it the lock and what was set above.
        connection.rollback()
        connection.invalidate()


@contextmanager
def alone_on_sqlite(connection: Connection) -> Iterator[None]:
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


def run_on(connection: Connection) -> None:
    """Run the steps that were asked for."""
    sqlite = connection.dialect.name == "sqlite"
    with alone_on_sqlite(connection) if sqlite else alone_on_postgresql(connection):
        configure(
            connection=connection,
            render_as_batch=sqlite,
            transactional_ddl=True,
            transaction_per_migration=not sqlite,
        )
        with context.begin_transaction():
            context.run_migrations()
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise RuntimeError(f"rows would point to nothing: {broken[:5]}")


def run_online() -> None:
    """Upgrade the database."""
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        run_on(given)
        return
    with db.engine.connect() as connection:
        run_on(connection)


def run_offline() -> None:
    """Print the statements, for operators whose database is changed by others."""
    configure(
        dialect_name=db.engine.dialect.name,
        literal_binds=True,
        render_as_batch=db.engine.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
