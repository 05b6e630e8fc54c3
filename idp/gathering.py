"""Rows that a transaction writes together, and answers that it has read ahead.

A first load creates many accounts by the services that a push uses, and a push one. While rows are
gathered, these services find their answers in what was read for all accounts of a batch, and their
new rows are written by one statement for each table. What was not read ahead is never guessed:
asking the database then raises ``NotReadAhead``, and the caller does this part alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnDefault,
    Insert,
    String,
    Table,
    Text,
    bindparam,
    column,
    func,
    insert,
    select,
)

from idp.db import Base, table
from service_base.core_session import CoreSession
from service_base.database import reserve_keys
from service_base.prepared import Prepared

if TYPE_CHECKING:
    from idp.transaction import UnitOfWork

#: So many rows of a table are written by a statement that has a parameter for each value.
FEW = 16
Key = TypeVar("Key")
Found = TypeVar("Found")


class NotReadAhead(Exception):
    """The database was asked for something that was not read ahead. Nothing was sent to it."""


class Lookup(Generic[Key, Found]):
    """A question that is asked for one key, or read ahead for many. ``read`` returns what was found
    for some keys."""

    def __init__(self, read: Callable[[UnitOfWork, Sequence[Key]], Mapping[Key, Found]]) -> None:
        self._read = read

    def find(self, work: UnitOfWork, key: Key) -> Found | None:
        """What belongs to the key."""
        known = self._known(work)
        return known[key] if key in known else self._read(work, [key]).get(key)

    def get(self, work: UnitOfWork, key: Key) -> Found:
        """What belongs to the key. Raises LookupError if there is nothing."""
        found = self.find(work, key)
        if found is None:
            raise LookupError(key)
        return found

    def find_many(self, work: UnitOfWork, keys: Collection[Key]) -> dict[Key, Found | None]:
        """What belongs to each key."""
        known = self._known(work)
        missing = [key for key in keys if key not in known]
        read = self._read(work, missing) if missing else {}
        return {key: known[key] if key in known else read.get(key) for key in keys}

    def read_ahead(self, work: UnitOfWork, keys: Collection[Key]) -> None:
        """Read what belongs to the keys, while rows are gathered."""
        if work.gathering is not None and keys:
            found = self._read(work, list(keys))
            work.gathering.answers.setdefault(self, {}).update(
                (key, found.get(key)) for key in keys
            )

    def know_nothing(self, work: UnitOfWork, key: Key) -> None:
        """Nothing belongs to the key, as something else was read that says so."""
        if work.gathering is not None:
            work.gathering.answers.setdefault(self, {})[key] = None

    def learn(self, work: UnitOfWork, key: Key, found: Found | None) -> None:
        """The answer from now on, due to rows that are gathered."""
        if work.gathering is not None:
            work.gathering.learn(self, key, found)

    def _known(self, work: UnitOfWork) -> Mapping[Key, Found | None]:
        return {} if work.gathering is None else work.gathering.answers.get(self, {})


class Gathering:
    """The rows of one transaction that are not written yet, as objects of models that do not belong
    to the session, or as values; and the answers that were read ahead."""

    def __init__(self, db: CoreSession) -> None:
        self._db = db
        self._rows: dict[Table, list[Any]] = {}
        self._keys: dict[Table, deque[int]] = {}
        self.answers: dict[Lookup[Any, Any], dict[Any, Any]] = {}
        #: What the present part learned, with what was known before.
        self._learned: list[tuple[dict[Any, Any], Any, tuple[Any, ...]]] = []
        self._is_guarded = False

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """For the duration of the block, parts may not ask the database."""
        self._db.guard = self.check
        try:
            yield
        finally:
            self._db.guard = None

    def check(self) -> None:
        """The database may be asked now. Raises NotReadAhead."""
        if self._is_guarded:
            raise NotReadAhead

    @contextmanager
    def part(self) -> Iterator[None]:
        """What belongs together. Nothing of it is kept if the block raises. Raises NotReadAhead."""
        before = {written: len(rows) for written, rows in self._rows.items()}
        self._learned.clear()
        self._is_guarded = True
        try:
            yield
            # What a service gave to the session would be written too late.
            if self._db.new or self._db.dirty:
                raise NotReadAhead
        except BaseException:
            self._is_guarded = False
            self._undo(before)
            raise
        finally:
            self._is_guarded = False

    def _undo(self, before: Mapping[Table, int]) -> None:
        for written, rows in self._rows.items():
            del rows[before.get(written, 0) :]
        for known, key, former in reversed(self._learned):
            if former:
                known[key] = former[0]
            else:
                known.pop(key, None)
        for row in list(self._db.new):
            self._db.expunge(row)
        for row in list(self._db.dirty):
            self._db.expire(row)

    def learn(self, lookup: Lookup[Any, Any], key: Any, found: Any) -> None:
        """See ``Lookup.learn``."""
        known = self.answers.setdefault(lookup, {})
        self._learned.append((known, key, (known[key],) if key in known else ()))
        known[key] = found

    def reserve(self, model: type[Base], count: int) -> None:
        """Have primary keys for so many new rows."""
        keys = self._keys.setdefault(table(model), deque())
        if (missing := count - len(keys)) > 0:
            keys.extend(reserve_keys(self._db.core_connection(), table(model), missing))

    def have_key(self, model: type[Base], key: int) -> None:
        """Have this primary key for a new row."""
        self._keys.setdefault(table(model), deque()).append(key)

    def forget(self) -> None:
        """Forget what was read: other rows are written now, which get keys of their own."""
        self.answers.clear()
        if self._db.get_bind().dialect.name == "sqlite":
            # Keys are those after the last row.
            self._keys.clear()

    def add(self, row: Any) -> None:
        """Gather a new object of a model. Its attributes may change until it is written."""
        for name, value in _defaults(row.__table__):
            # The session never compares it with a former value.
            row.__dict__.setdefault(name, value)
        self._rows.setdefault(row.__table__, []).append(row)

    def add_with_key(self, row: Any) -> None:
        """As ``add``, and give it a primary key. Raises NotReadAhead if none is left."""
        if not (keys := self._keys.get(row.__table__)):
            raise NotReadAhead
        row.id = keys.popleft()
        self.add(row)

    def add_values(self, into: Table, *rows: dict[str, Any]) -> None:
        """Gather new rows of a table, as values."""
        self._rows.setdefault(into, []).extend(rows)

    def write(self) -> None:
        """Write all rows, tables that others refer to first, and each in its order."""
        gathered, self._rows = self._rows, {}
        connection = self._db.core_connection()
        for written in sorted(gathered, key=_place):
            alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            for row in gathered[written]:
                values = row if isinstance(row, dict) else _values(written, row)
                alike.setdefault(tuple(values), []).append(values)
            for names, rows in alike.items():
                if len(rows) <= FEW:
                    _insert_few(written, names, len(rows)).run(connection, _numbered(rows))
                elif connection.dialect.name == "postgresql":
                    connection.execute(_insert_arrays(written, names), _arrays(written, rows))
                else:
                    connection.execute(_insert(written), rows)


def _values(of: Table, row: Any) -> dict[str, Any]:
    given = row.__dict__
    return {column.key: given[column.key] for column in of.columns if column.key in given}


@cache
def _defaults(of: Table) -> tuple[tuple[str, Any], ...]:
    """The values of columns that an object does not have."""
    found = ((column.key, column.default) for column in of.columns)
    return tuple(
        (name, default.arg) for name, default in found if isinstance(default, ColumnDefault)
    )


@cache
def _insert(of: Table) -> Insert:
    # With RETURNING, many rows are written by one statement.
    return insert(of).returning(*of.primary_key.columns)


@cache
def _insert_few(of: Table, names: tuple[str, ...], count: int) -> Prepared:
    columns = {name: of.columns[name] for name in names}
    rows = [
        {name: bindparam(f"{name}_{n}", type_=kept.type) for name, kept in columns.items()}
        for n in range(count)
    ]
    return Prepared(insert(of).values(rows if count > 1 else rows[0]).inline())


def _numbered(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {f"{name}_{n}": value for n, row in enumerate(rows) for name, value in row.items()}


@cache
def _insert_arrays(of: Table, names: tuple[str, ...]) -> Insert:
    """One array for each column: with a parameter for each value, the driver takes longer than
    PostgreSQL takes for the rows."""
    kinds = {name: Text() if _is_text(of, name) else of.columns[name].type for name in names}
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in kinds.items()]
    rows = func.unnest(*arrays).table_valued(*(column(*pair) for pair in kinds.items()))
    return insert(of).from_select(names, select(*rows.render_derived().columns))


def _arrays(of: Table, rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    found = {name: [row[name] for row in rows] for name in rows[0]}
    for name, values in found.items():
        if _is_text(of, name):
            # An array has one type, and an enumeration is not text for the driver.
            found[name] = [None if value is None else str(value) for value in values]
    return found


def _is_text(of: Table, name: str) -> bool:
    """Its length is checked when it is written: a cast to a shorter text would cut it."""
    return isinstance(of.columns[name].type, String)


@cache
def _place(of: Table) -> int:
    return of.metadata.sorted_tables.index(of)
