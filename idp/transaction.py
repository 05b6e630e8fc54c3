"""Units of work: returning commits, raising rolls back.

A ``UnitOfWork`` is one transaction of a request, a command or a worker step. Services take it as
their first argument and never commit; the caller does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, overload

from sqlalchemy import ColumnElement, Connection, CursorResult, Executable, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError, TimeoutError
from sqlalchemy.orm import InstrumentedAttribute, scoped_session

from idp import schema_version
from idp.gathering import Gathering
from idp.kept_rows import Kept, KeptRows
from idp.models import revision
from idp.ports import Ports
from idp.settings import Settings
from idp.vault import Vault
from service_base.core_session import CoreSession
from service_base.prepared import Prepared, Rows
from service_base.refusals import Collision
from service_base.waiting_rows import Condition, WaitingRow, together

#: Every error of the database and its driver.
DatabaseError = SQLAlchemyError
#: The database does not answer, or has no connection left.
DATABASE_UNAVAILABLE: tuple[type[Exception], ...] = (OperationalError, TimeoutError)
#: How much the clocks of two processes may differ.
CLOCK_SECONDS = 60
#: SQLSTATE of a transaction that PostgreSQL ended because of another one: deadlock, serialization
#: failure; and of one that waited too long for a lock.
ENDED_FOR_ANOTHER = ("40P01", "40001")
CONTENTION = (*ENDED_FOR_ANOTHER, "55P03")
#: How long a request waits before it is run again for such a reason, and up to as long again by
#: chance.
PAUSE_MILLISECONDS = 25


_REVISION = Prepared(select(revision.CURRENT))


def is_contention(error: Exception) -> bool:
    """Whether the database aborted the transaction because of a concurrent one; a retry may
    succeed."""
    return _sqlstate(error) in CONTENTION


def _sqlstate(error: Exception) -> str | None:
    original = error.orig if isinstance(error, OperationalError) else None
    return getattr(original, "sqlstate", None)


def is_out_of_reach(error: Exception) -> bool:
    """Whether the database does not answer or a lock was waited for in vain, so that a second
    attempt would wait as long again. A connection that broke is replaced instead."""
    return isinstance(error, DATABASE_UNAVAILABLE) and not getattr(
        error, "connection_invalidated", False
    )


@dataclass(frozen=True)
class Origin:
    """The origin of a request, for audit and sessions. ``actor`` names an operator, and
    ``person_id`` the operator's person, for separation of duties. ``device_key`` names the key that
    the browser has proved (``idp.session.device_bindings``)."""

    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    actor: str | None = None
    person_id: int | None = None
    device_key: str | None = None


class OutdatedRevision(Exception):
    """The transaction used what is kept of another revision than the one that it has read since. It
    is rolled back, and the request is run again."""


class ChangedMeanwhile(Collision):
    """Another transaction has changed what this one relied on. This one is rolled back, and the
    request is run again."""


@dataclass
class UnitOfWork:
    """One unit of work: the open transaction, its time, and the runtime's settings and ports."""

    db: CoreSession
    settings: Settings
    ports: Ports
    vault: Vault
    origin: Origin = field(default_factory=Origin)
    #: Clients already loaded, by client id.
    clients: dict[str, Any] = field(default_factory=dict)
    #: Machine accounts already loaded, by login.
    machine_logins: dict[str, Any] = field(default_factory=dict)
    #: Sessions already read, by cookie (``idp.session.session_records``).
    session_records: dict[str, Any] = field(default_factory=dict)
    #: The rows of browsers already read, by cookie (``idp.session.browsers``).
    browser_rows: dict[str, Any] = field(default_factory=dict)
    #: The receivers of security events of each account, and the events of this transaction
    #: (``idp.audit.security_events``).
    receivers: dict[int, Any] = field(default_factory=dict)
    told: dict[Any, Any] = field(default_factory=dict)
    #: The accounts for which it acts, and their sessions (``idp.session.concurrent_ends``).
    relied_on: dict[int, Any] = field(default_factory=dict)
    #: What the process keeps in memory.
    kept_rows: KeptRows = field(default_factory=KeptRows)
    #: Whether the transaction is rolled back after its effects were read (``dry_run``).
    is_trial: bool = False
    #: Whether it can be run again from its start, so that it may use what is kept before it reads
    #: the revision.
    may_presume: bool = False
    #: New rows that are written together, and what was read ahead for them; None otherwise.
    gathering: Gathering | None = field(init=False, default=None)
    now: datetime = field(init=False)
    _connection: Connection | None = field(init=False, default=None)
    #: New rows that are written with the next statement, or by one statement before the commit.
    _waiting: list[WaitingRow] = field(init=False, default_factory=list)
    #: Without it, they are not.
    _condition: Condition | None = field(init=False, default=None)
    _kept: Kept | None = field(init=False, default=None)
    _presumed: Kept | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.now = self.ports.clock.now()

    def token(self, nbytes: int = 32) -> str:
        """A new random token, base64url."""
        return self.ports.tokens.token(nbytes)

    @property
    def connection(self) -> Connection:
        """The connection of the open transaction."""
        if self.gathering is not None:
            self.gathering.check()
        self._write_waiting()
        return self._core

    @property
    def _core(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self.db.core_connection()
        return self._connection

    @property
    def is_writing(self) -> bool:
        """Whether another write makes nobody wait longer: always, except on SQLite before this
        transaction has its write lock."""
        driver = self._core.connection.dbapi_connection
        return bool(getattr(driver, "in_transaction", True))

    @overload
    def run(self, statement: Prepared, values: Mapping[str, Any] | None = None) -> Rows: ...

    @overload
    def run(
        self,
        statement: Executable,
        values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]: ...

    def run(self, statement: Executable | Prepared, values: Any = None) -> Any:
        """Execute a Core statement in this transaction, after the pending changes of the session.
        The session does not learn of it: objects that it has loaded stay as they are."""
        self.db.flush()
        if isinstance(statement, Prepared):
            return statement.run(self.connection, values or {})
        return self.connection.execute(statement, values)

    def write(self, statement: Prepared, values: Mapping[str, Any]) -> WaitingRow:
        """Insert a row by a prepared statement. On PostgreSQL it waits, so that it is written
        together with others (docs/decisions/0095). Until then it stands for its key as a value of
        other such rows."""
        row = WaitingRow(statement, values)
        if self._may_wait:
            self._waiting.append(row)
            self.db.guard = self._write_waiting
        else:
            self._write(row)
        return row

    def spend(self, statement: Prepared, values: Mapping[str, Any]) -> bool:
        """Update one row by a prepared statement, and return whether it was there. On PostgreSQL a
        request that can be run again presumes so: the update waits as ``write`` does, for the rows
        that depend on it. If the row is not there then, ChangedMeanwhile is raised."""
        if self.presumes_to_spend:
            self._condition = Condition(statement, values)
            self.db.guard = self._write_waiting
            return True
        return bool(self.run(statement, values).rowcount == 1)

    @property
    def presumes_to_spend(self) -> bool:
        """Whether ``spend`` waits now."""
        return self.may_presume and not self._is_waiting and self._may_wait

    @property
    def _is_waiting(self) -> bool:
        return bool(self._waiting) or self._condition is not None

    @property
    def _may_wait(self) -> bool:
        """Not while rows are gathered, or somebody else waits in this session, nor in a savepoint,
        which would not include them."""
        if self._is_waiting:
            return True
        if self.db.guard is not None or self.db.in_nested_transaction():
            return False
        return self._core.dialect.name == "postgresql"

    def _write(self, row: WaitingRow) -> None:
        row.returned = self.run(row.statement, row.known_values()).first()

    def _take_waiting(self) -> tuple[list[WaitingRow], Condition | None]:
        found = self._waiting, self._condition
        if self._is_waiting:
            self._waiting, self._condition, self.db.guard = [], None, None
        return found

    def _write_waiting(self) -> None:
        """Write what waits, in its order, since something else is asked or told now. Raises
        ChangedMeanwhile."""
        rows, condition = self._take_waiting()
        if condition is not None and self.run(*condition).rowcount != 1:
            raise ChangedMeanwhile
        for row in rows:
            self._write(row)

    def write_pending(self) -> None:
        """Write what was added or waits. Call it before a lock of the process that is held while
        something is read: a write may wait for another transaction, which may wait for that lock.
        """
        self.db.flush()
        self._write_waiting()

    def _write_last(self) -> None:
        """Write what waits by one statement, which is the whole transaction if nothing was written
        before. Raises OutdatedRevision and ChangedMeanwhile."""
        (rows, condition), presumed = self._take_waiting(), self._presumed
        self.db.flush()
        current = None if presumed is None else revision.CURRENT
        expected = None if presumed is None else self.kept_rows.revision_of(presumed)
        statement, values = together(rows, condition, current, expected)
        if statement.run(self._core, values).first() is None:
            raise OutdatedRevision if condition is None else ChangedMeanwhile
        if presumed is not None:
            self._kept, self._presumed = presumed, None

    def add(self, row: Any) -> None:
        """Add a new object of a model. It is written with the next flush, or with all rows that are
        gathered."""
        if self.gathering is None:
            self.db.add(row)
        else:
            self.gathering.add(row)

    def add_with_key(self, row: Any) -> None:
        """As ``add``, and it has its primary key at once."""
        if self.gathering is None:
            self.db.add(row)
            self.db.flush()
        else:
            self.gathering.add_with_key(row)

    def flush(self) -> None:
        """Write what was added, unless it is gathered."""
        if self.gathering is None:
            self.db.flush()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back what the block did if it raises. While rows are gathered, that is done by
        ``Gathering.part``."""
        if self.gathering is not None:
            yield
            return
        with self.db.begin_nested():
            yield

    @contextmanager
    def gathered(self) -> Iterator[Gathering]:
        """Gather new rows in the block, and write them at its end."""
        self._write_waiting()
        self.db.flush()
        found = self.gathering = Gathering(self.db)
        try:
            with found.guarding():
                yield found
                found.write()
        except BaseException:
            # Objects that were read may be of rows that will not be there.
            self.db.expunge_all()
            raise
        finally:
            self.gathering = None

    @contextmanager
    def ungathered(self) -> Iterator[None]:
        """In the block of ``gathered``: write what is gathered, and do this part alone. What was
        read ahead may have changed then."""
        gathering = self.gathering
        if gathering is None:
            raise RuntimeError("nothing is gathered")
        gathering.write()
        gathering.forget()
        self.gathering = None
        try:
            yield
        finally:
            self.gathering = gathering

    @property
    def seen(self) -> Kept | None:
        """As ``kept``, if this transaction has read the revision already or presumes it."""
        return self._kept if self._kept is not None else self._presumed

    @property
    def is_presuming(self) -> bool:
        """Whether it uses what is kept of a revision that it has not read."""
        return self._presumed is not None

    def presumed(self) -> Kept:
        """As ``kept``, but the revision may be read later: by the first statement that has it as a
        column, or before the commit. If it differs, that raises OutdatedRevision. Add nothing."""
        if self._kept is None and self._presumed is None and self.may_presume:
            self._presumed = self.kept_rows.latest()
        found = self.seen
        return self.kept() if found is None else found

    def kept(self) -> Kept:
        """What the process keeps of the tables as this transaction sees them."""
        if self._kept is None:
            return self.see_revision(self.run(_REVISION).scalar())
        return self._kept

    def see_revision(self, value: str | None) -> Kept:
        """What the process keeps of the revision that this transaction read. The first one counts
        until it ends. Raises OutdatedRevision if it presumed another one."""
        if self._kept is None:
            found = self.kept_rows.of(value)
            if self._presumed is not None and self._presumed is not found:
                raise OutdatedRevision
            self._kept, self._presumed = found, None
        return self._kept

    def may_run_again(self, error: Exception) -> bool:
        """Whether the request is run once more after this error: when the database ended it in
        favour of another one, or when the error may be due to what the process keeps, since the
        transaction has not read whether that is up to date."""
        if isinstance(error, ChangedMeanwhile) or _sqlstate(error) in ENDED_FOR_ANOTHER:
            return self.may_presume
        return self.is_presuming and not is_out_of_reach(error)

    def start_again(self, error: Exception) -> None:
        """Presume nothing from now on. What was done before was rolled back. If the database ended
        it in favour of another one, that one gets a moment to finish, or the two could meet again.
        """
        if _sqlstate(error) in ENDED_FOR_ANOTHER:
            wait = PAUSE_MILLISECONDS + self.ports.tokens.random_below(PAUSE_MILLISECONDS)
            self.ports.pause(wait / 1000)
        self.may_presume, self._presumed = False, None

    def commit(self) -> None:
        """Commit what was done so far. Services do not call it. Raises OutdatedRevision."""
        if self._is_waiting:
            self._write_last()
        if self.is_presuming:
            self.kept()
        self.db.commit()
        # What was committed cannot be run again.
        self.may_presume = False
        self._forget()

    def rollback(self) -> None:
        """Roll back to the last commit. Services do not call it."""
        self._take_waiting()
        self.db.rollback()
        self._forget()

    def _forget(self) -> None:
        """What was loaded belongs to the transaction that has ended."""
        self._kept = None
        for loaded in (
            self.machine_logins, self.session_records, self.browser_rows, self.receivers,
            self.told, self.relied_on,
        ):  # fmt: skip
            loaded.clear()

    def close(self) -> None:
        """Release the connection before the end of the request."""
        self._take_waiting()
        self.db.close()
        self._kept = None

    def after(self, *, seconds: int = 0, days: int = 0) -> datetime:
        """This time after now."""
        return self.now + timedelta(seconds=seconds, days=days)


def spend_once(
    work: UnitOfWork,
    row: Any,
    mark: InstrumentedAttribute[datetime | None],
    *conditions: ColumnElement[bool],
    **also: Any,
) -> bool:
    """Set ``mark`` of the row to now if it is empty and the conditions are met, with the values of
    ``also``. Of concurrent callers, exactly one gets True."""
    model = type(row)
    result = work.db.execute(
        update(model)
        .where(model.id == row.id, mark.is_(None), *conditions)
        .values({mark.key: work.now, **also})
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def lock_rows(work: UnitOfWork, model: Any, *conditions: ColumnElement[bool]) -> None:
    """Lock these rows until the transaction ends, on every database, by a write that changes
    nothing. Later reads see the result of the last transaction."""
    work.db.flush()
    work.db.execute(
        update(model)
        .where(*conditions)
        .values(updated_at=model.updated_at)
        .execution_options(synchronize_session=False)
    )
    work.db.expire_all()


@dataclass(frozen=True)
class Runtime:
    """What all units of work share: settings, ports, keys and the database. Created once in a
    process (``idp.foundation``)."""

    settings: Settings
    ports: Ports
    vault: Vault
    #: One session for each request of the web; for each thread of a command or the worker.
    sessions: scoped_session[CoreSession]
    kept_rows: KeptRows = field(default_factory=KeptRows)

    def work(self, origin: Origin | None = None, *, may_presume: bool = False) -> UnitOfWork:
        """A unit of work on the session of this request or thread."""
        return UnitOfWork(
            self.sessions(),
            self.settings,
            self.ports,
            self.vault,
            origin or Origin(),
            kept_rows=self.kept_rows,
            may_presume=may_presume,
        )

    @contextmanager
    def one_session(self) -> Iterator[None]:
        """The units of work of the block share a session, which ends with it."""
        try:
            yield
        finally:
            self.sessions.remove()

    @contextmanager
    def step(self, origin: Origin | None = None) -> Iterator[UnitOfWork]:
        """One unit of work of a command or the worker, with a session of its own. It is committed
        when the block returns, and rolled back when it raises."""
        with self.one_session(), committing(self.work(origin)) as work:
            yield work

    def discard(self) -> None:
        """Roll back the session of this request or thread."""
        self.sessions.rollback()


@contextmanager
def committing(work: UnitOfWork) -> Iterator[UnitOfWork]:
    """Commit when the block returns, roll back when it raises."""
    try:
        yield work
        work.commit()
    except BaseException:
        work.rollback()
        raise


def current_schema_status(work: UnitOfWork) -> schema_version.SchemaStatus:
    """The version of the tables. Raises DatabaseError if the database does not answer."""
    return schema_version.SCHEMA.status(work.db.connection())
