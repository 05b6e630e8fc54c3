"""The database: types of columns, UTC times, and SQLite made to behave like PostgreSQL.

Reads run without a transaction, which begins right before the first write. On PostgreSQL each
statement sees what was committed before it either way (READ COMMITTED), and a request that only
reads saves the round trips for BEGIN and COMMIT. SQLite's own deferred transactions fail at once
when two of them want to write, so there it is ``BEGIN IMMEDIATE``, and slow work (bcrypt) never
holds the write lock.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ExceptionContext,
    FromClause,
    Integer,
    Table,
    event,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from service_base import metrics
from service_base.prepared import Prepared
from service_base.refusals import Collision, ServiceError, Unstorable
from service_base.sqlite_writers import BUSY_TIMEOUT_MS, queued_connections

MAX_INTEGER = 2**63 - 1
#: The first name in a statement that is a transaction of its own (``service_base.waiting_rows``).
WHOLE_TRANSACTION = "whole_transaction"
_WHOLE = f"WITH {WHOLE_TRANSACTION} AS"
#: A connection that was used since is assumed to work.
IDLE_SECONDS = 1.0
#: Both ends notice within half a minute that the other one lost its power or network and closed
#: nothing: the server forgets the locks of a host, and a host leaves a dead server.
_FROM_HERE = {
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 15000,
}  # fmt: skip
_FROM_THERE = (
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15000"
)
IN_USE = metrics.Gauge("database_connections_in_use", "Connections that requests and work hold")
#: SQLAlchemy's own, beyond the pool.
_OVERFLOW = 10
#: Unique, primary and foreign keys, as SQLite and PostgreSQL (SQLSTATE) call them.
COLLISIONS = {
    "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY",
    "23505", "23503",
}  # fmt: skip
CHECKS = {"SQLITE_CONSTRAINT_CHECK", "23514"}
#: What no database takes as text.
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
#: What a SELECT that locks rows of PostgreSQL says after its conditions.
_LOCKS = re.compile(r" FOR (?:NO KEY |KEY )?(?:UPDATE|SHARE)\b")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time in Python; ``timestamptz`` in PostgreSQL, naive UTC text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - named by SQLAlchemy
    ) -> datetime | None:
        return _in_utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """The same with fewer calls, since lists read thousands of times."""
        stored: Any = self.impl_instance.result_processor(dialect, coltype)
        if stored is None:
            return _in_utc
        return lambda value: None if value is None else stored(value).replace(tzinfo=UTC)


#: 64-bit keys; SQLite generates keys only for INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")
PrimaryKey = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]


#: The types of columns by the annotations of models.
COLUMN_TYPES: dict[Any, Any] = {
    datetime: UtcDateTime,
    dict[str, Any]: JSON,
    list[str]: JSON,
    list[float]: JSON,
    list[dict[str, Any]]: JSON,
}
#: For ``innerjoin`` of a relationship whose owner may itself be joined by an outer join: nested
#: joins there make SQLite read the whole table. SQLAlchemy's types know True and False only.
UNNESTED: Any = "unnested"


def insert_if_missing(session: Session, model: type[DeclarativeBase], **values: Any) -> bool:
    """Insert a row unless its unique key exists, even if another call inserts it concurrently.
    Returns whether this call inserted it."""
    session.flush()
    connection = session.connection()
    statement = _insert_if_missing(model.__table__, connection.dialect.name)
    return statement.run(connection, values).first() is not None


@cache
def _insert_if_missing(table: FromClause, dialect: str) -> Prepared:
    # Counted by what comes back: PostgreSQL has no number of rows where a key is generated.
    statement = _insert_of(dialect)(table).on_conflict_do_nothing()
    return Prepared(statement.returning(literal_column("1").label("one")))


def reserve_keys(connection: Connection, table: Table, count: int) -> list[int]:
    """So many primary keys that no other row of the table gets. On SQLite the write lock, which the
    transaction has from now on, keeps them free."""
    (key,) = table.primary_key.columns
    if connection.dialect.name == "sqlite":
        lock_keys(connection, table)
        last = connection.execute(select(func.max(key))).scalar() or 0
        return list(range(last + 1, last + 1 + count))
    sequence = func.pg_get_serial_sequence(table.name, key.name)
    numbers = func.generate_series(1, count).table_valued("n")
    return list(connection.execute(select(func.nextval(sequence)).select_from(numbers)).scalars())


def next_key(dialect: str, table: Table) -> ColumnElement[int]:
    """A primary key that no other row of the table gets. On SQLite the transaction has the write
    lock before it asks, and adds a row before it asks again (``lock_keys``)."""
    (key,) = table.primary_key.columns
    if dialect == "sqlite":
        return select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
    return func.nextval(func.pg_get_serial_sequence(table.name, key.name))


def lock_keys(connection: Connection, table: Table) -> None:
    """Have the write lock of SQLite, by a write that changes nothing."""
    if connection.dialect.name == "sqlite":
        _change_nothing(table).run(connection, {})


@cache
def _change_nothing(table: Table) -> Prepared:
    (key,) = table.primary_key.columns
    # No other table refers to it: SQLite would prepare to look there.
    same = next(c for c in table.columns if not c.primary_key and not c.foreign_keys)
    return Prepared(update(table).where(key < 0).values({same: same}))


def ensure(step: Callable[[], None]) -> None:
    """Run a transaction that adds what is missing; once more if another process added it at the
    same time."""
    try:
        step()
    except Collision:
        step()


def _insert_of(dialect: str) -> Callable[..., Any]:
    # Loaded for a database in use only.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert
    from sqlalchemy.dialects import postgresql

    return postgresql.insert


_JSON = json.JSONDecoder()


def _from_json(text: str) -> Any:
    """The value of a JSON column. ``json.loads`` looks for other encodings and spaces first."""
    return _JSON.raw_decode(text)[0]


def engine_options(url: str) -> dict[str, Any]:
    """Options for the engine of ``url``: pool sized for threads, time-outs on PostgreSQL."""
    # Parameters of a failed statement could be secrets: they never reach a message or a log.
    if url.startswith("sqlite"):
        return {
            "hide_parameters": True,
            "pool_size": 20,
            "pool_timeout": 5,
            "json_deserializer": _from_json,
        }
    return {
        "hide_parameters": True,
        # One for each thread (idp.serving), kept open: a new connection costs more than a request.
        "pool_size": 30,
        "max_overflow": 0,
        "pool_use_lifo": True,
        "pool_timeout": 5,
        "connect_args": {
            "connect_timeout": 5,
            "options": "-c statement_timeout=10000 -c lock_timeout=8000 -c synchronous_commit=on"
            # Times come in it, and need no conversion.
            " -c timezone=UTC" + _FROM_THERE,
        }
        | _FROM_HERE,
    }


def most_connections(url: str) -> int:
    """How many connections an engine of ``url`` opens at most."""
    options = engine_options(url)
    return int(options["pool_size"]) + int(options.get("max_overflow", _OVERFLOW))


def _storable(value: Any, *, reads: bool) -> Any:
    """Replace what a database cannot store. Characters that are not valid text (NUL, lone
    surrogates) become U+FFFD, which matches nothing and can be recorded. In a search, a number too
    large for any column becomes the nearest possible one: it matches nothing and keeps its order.
    """
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, int) and reads:
        return max(-MAX_INTEGER, min(MAX_INTEGER, value))
    if isinstance(value, dict):
        return {name: _storable(entry, reads=reads) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_storable(entry, reads=reads) for entry in value)
    return value


def _entries(parameters: Any) -> Iterable[Any]:
    return parameters.values() if isinstance(parameters, dict) else parameters


def _is_plain(value: Any) -> bool:
    """Whether a database stores it as it is, at first sight."""
    kind = type(value)
    if kind is str:
        return value.isascii() and "\0" not in value
    return (
        value is None or kind is datetime or (kind is int and -MAX_INTEGER <= value <= MAX_INTEGER)
    )


def _reads(statement: str) -> bool:
    is_read = statement.lstrip()[:7].upper().startswith(("SELECT", "PRAGMA", "WITH"))
    return is_read and not statement.startswith(_WHOLE)


def _needs_transaction(statement: str, cursor: Any) -> bool:
    """Whether a statement of PostgreSQL writes, locks rows until the transaction ends, or reads by
    a cursor of the server, which ends with it. WITH may write; one of ``waiting_rows`` commits
    itself."""
    only_reads = statement.startswith("SELECT") and not _LOCKS.search(statement)
    return not (only_reads or statement.startswith(_WHOLE)) or hasattr(cursor, "name")


def _refusal(error: BaseException) -> ServiceError | None:
    """What a refusal of the database means, by the name that each driver gives it; None for faults
    of another kind."""
    reason = str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "")
    if reason in COLLISIONS:
        return Collision(reason)
    # Class 22 of SQLSTATE: data exceptions. SQLite's driver takes no larger numbers at all.
    if reason in CHECKS or reason.startswith("22") or isinstance(error, OverflowError):
        return Unstorable(reason or "a number is out of range")
    return None


def prepare_engine(engine: Engine) -> None:
    """Attach what every statement goes through, and the SQLite behaviour described above. What the
    database itself refuses is a Collision or Unstorable, wherever it comes up."""

    @event.listens_for(engine, "handle_error", retval=True)
    def name_refusal(context: ExceptionContext) -> BaseException | None:
        return _refusal(context.original_exception)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def keep_storable(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> tuple[str, Any]:
        if not all(map(_is_plain, _entries(parameters))):
            parameters = _storable(parameters, reads=_reads(statement))
        return statement, parameters

    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _confirm_commits(engine)
        _begin_before_write(engine)
        _check_idle_connections(engine)
    if metrics.is_enabled():
        _count_connections(engine)


def _count_connections(engine: Engine) -> None:
    """Count the connections in use. A checkout that a listener before this one refuses is tried
    again, and counts once."""

    @event.listens_for(engine, "checkout")
    def take(*_arguments: Any) -> None:
        IN_USE.add()

    @event.listens_for(engine, "checkin")
    def give_back(*_arguments: Any) -> None:
        IN_USE.add(amount=-1)


def _confirm_commits(engine: Engine) -> None:
    """PostgreSQL: a commit that no synchronous standby has confirmed fails, and so does a statement
    that commits itself."""
    # Loaded for a database in use only.
    from service_base.postgresql import ConfirmedConnection

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
        return ConfirmedConnection.connect(*arguments, **parameters)

    @event.listens_for(engine, "before_cursor_execute")
    def expect(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(_WHOLE):
            cursor.connection.expect_commit()

    @event.listens_for(engine, "after_cursor_execute")
    def confirm(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(_WHOLE):
            cursor.connection.confirm_commit()


def _begin_before_write(engine: Engine) -> None:
    """PostgreSQL: the driver begins a transaction with the first statement that needs one."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.autocommit = True

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, cursor: Any, statement: str, *_rest: Any) -> None:
        if cursor.connection.autocommit and _needs_transaction(statement, cursor):
            # Some statements cannot be in a transaction, such as CREATE DATABASE.
            asked = connection.get_execution_options().get("isolation_level")
            cursor.connection.autocommit = asked == "AUTOCOMMIT"

    @event.listens_for(engine, "checkin")
    def end(connection: Any, _record: Any) -> None:
        # None is a connection that no longer works.
        if connection is not None and not connection.autocommit:
            connection.autocommit = True


def _check_idle_connections(engine: Engine) -> None:
    """Ask a connection that was idle for a while whether it still works, and replace it if not.
    Asking before every request would add a round trip to each."""

    @event.listens_for(engine, "checkin")
    def note_time(_connection: Any, record: Any) -> None:
        record.info["free_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        now = time.monotonic()
        if now - record.info.get("free_since", now) <= IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # The others are as old, or older.
            raise InvalidatePoolError from error


def _prepare_sqlite(engine: Engine) -> None:
    queued = queued_connections()

    @event.listens_for(engine, "do_connect")
    def choose_class(
        _dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]
    ) -> None:
        parameters["factory"] = queued

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        ((_, _, file),) = connection.execute("PRAGMA database_list")
        connection.join(file)

    @event.listens_for(engine, "before_cursor_execute")
    def begin_before_write(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if not _reads(statement) and not cursor.connection.in_transaction:
            cursor.connection.begin_write()
