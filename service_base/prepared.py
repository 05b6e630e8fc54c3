"""Statements of frequent requests, compiled once and given to the driver directly.

SQLAlchemy keeps the text of a statement, but makes a context, a parameter set and a result with its
metadata for each execution, which cost more than a small statement itself. Types, defaults, events,
errors and transactions are those of SQLAlchemy here too.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Float

Processor = Callable[[Any], Any]
#: What makes the value of a parameter from the values of the caller, and that of the driver from
#: it.
Source = tuple[Callable[[Mapping[str, Any]], Any], Processor | None]
#: The text of a statement with a list depends on the length of the list. So many texts are kept;
#: others are left to SQLAlchemy.
MOST_TEXTS = 200
#: The cursor of a connection is used again, since a new one costs PostgreSQL's driver a quarter of
#: an execution. It holds the rows of its last statement: one with more rows than this is closed.
MOST_ROWS_HELD = 10
#: Where a connection has its cursor.
_CURSOR = "prepared_cursor"


class Rows:
    """What a statement returned: tuples with the names of the columns."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        #: How many rows were written.
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """All rows."""
        return self._rows

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def scalars(self) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self._rows]

    def one(self) -> Any:
        """The only row. Raises ValueError if there is another number of rows."""
        (row,) = self._rows
        return row

    def scalar(self) -> Any:
        """The first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None


class _Context:
    """What listeners of a statement share, in the place of SQLAlchemy's."""

    executemany = False

    def handle_dbapi_exception(self, error: BaseException) -> None:
        """Nothing to do for a statement without a server-side cursor."""


class _Plan:
    """A statement in one dialect, with one set of parameters and lengths of its lists."""

    def __init__(self, statement: Any, dialect: Dialect, values: Mapping[str, Any]) -> None:
        names = list(values)
        compiled = statement.compile(dialect=dialect, column_keys=names)
        listed = compiled.post_compile_params
        #: The parameters that are lists: their lengths belong to the text.
        self.lists = tuple(bound.key for bound in listed if bound.key in names)
        #: Whether the text is the same for all other values.
        self.is_fixed = not compiled.literal_execute_params and not any(
            bound.type._is_tuple_type for bound in listed
        )
        if not self.is_fixed:
            return
        defaults = dict.fromkeys(getattr(compiled, "insert_prefetch", ()), "default")
        defaults |= dict.fromkeys(getattr(compiled, "update_prefetch", ()), "onupdate")
        by_key = {column.key: getattr(column, name) for column, name in defaults.items()}
        sources: dict[str, Source] = {
            name: (_source(bound, names, by_key), _to_driver(bound.type, dialect))
            for bound, name in compiled.bind_names.items()
        }
        self._text, order = str(compiled), compiled.positiontup
        if listed:
            whole = compiled.construct_expanded_state(dict(values))
            self._text, order = whole.statement, whole.positiontup
            for name, entries in whole.parameter_expansion.items():
                source, process = sources.pop(name)
                sources |= {
                    entry: (_entry_of(source, place), process)
                    for place, entry in enumerate(entries)
                }
        self._is_positional = order is not None
        self._names = list(order or sources)
        self._sources: list[Source] = [sources[name] for name in self._names]
        columns = compiled._result_columns
        self._row = (
            namedtuple("Row", [c.keyname for c in columns], rename=True) if columns else None
        )
        from_driver = [_from_driver(column.type, dialect) for column in columns]
        self._from_driver = [(n, made) for n, made in enumerate(from_driver) if made is not None]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Execute it in the transaction of the connection."""
        if not connection.in_transaction():
            connection.begin()
        # Raises if the connection was lost in this transaction.
        driver = connection.connection
        parameters = self._parameters(values)
        text, cursor = self._text, None
        context: Any = _Context()
        try:
            # Not there while it is in use, and after an error.
            cursor = driver.info.pop(_CURSOR, None) or driver.cursor()
            for listener in connection.dispatch.before_cursor_execute:
                text, parameters = listener(connection, cursor, text, parameters, context, False)
            cursor.execute(text, parameters)
            for listener in connection.dispatch.after_cursor_execute:
                listener(connection, cursor, text, parameters, context, False)
            rows = self._rows(cursor.fetchall()) if self._row is not None else ()
            written = cursor.rowcount
            if len(rows) > MOST_ROWS_HELD:
                cursor.close()
            else:
                driver.info[_CURSOR] = cursor
        except BaseException as error:
            # As for every other statement: names refusals, and replaces broken connections.
            connection._handle_dbapi_exception(error, text, parameters, cursor, context)
        return Rows(rows, written)

    def _parameters(self, values: Mapping[str, Any]) -> Any:
        sent = [
            source(values) if process is None else process(source(values))
            for source, process in self._sources
        ]
        return tuple(sent) if self._is_positional else dict(zip(self._names, sent, strict=True))

    def _rows(self, found: Sequence[Any]) -> list[Any]:
        made = []
        for stored in found:
            row = list(stored)
            for place, process in self._from_driver:
                row[place] = process(row[place])
            made.append(self._row._make(row))  # type: ignore[union-attr]
        return made


def _source(bound: Any, names: Sequence[str], defaults: Mapping[str, Any]) -> Callable[..., Any]:
    if bound.key in names:
        return itemgetter(bound.key)
    default = defaults.get(bound.key)
    if default is not None:
        return (lambda _: default.arg(None)) if default.is_callable else lambda _: default.arg
    if bound.required:
        raise LookupError(bound.key)
    return lambda _: bound.effective_value


def _entry_of(source: Callable[[Mapping[str, Any]], Any], place: int) -> Callable[..., Any]:
    """An entry of a list."""
    return lambda values: source(values)[place]


def _to_driver(kind: Any, dialect: Dialect) -> Processor | None:
    made: Processor | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return made


def _from_driver(kind: Any, dialect: Dialect) -> Processor | None:
    if isinstance(kind, Float) and not kind.asdecimal:
        # The same in the driver; that of PostgreSQL would ask for the type that was returned.
        return None
    made: Processor | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return made


class Prepared:
    """A Core statement with bound parameters. Make it once, at import."""

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        #: The parameters that are lists, once a plan is made.
        self._lists: tuple[str, ...] = ()

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Execute it in the transaction of the connection, and return ``Rows`` or a result of
        SQLAlchemy, which has the same methods."""
        dialect = connection.dialect
        plan = self._plans.get(self._key(dialect, values))
        if plan is None:
            if len(self._plans) >= MOST_TEXTS:
                return connection.execute(self.statement, values)
            plan = _Plan(self.statement, dialect, values)
            self._lists = plan.lists
            self._plans[self._key(dialect, values)] = plan
        if not plan.is_fixed:
            return connection.execute(self.statement, values)
        return plan.run(connection, values)

    def _key(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[Any, ...]:
        lengths = [len(values[name]) for name in self._lists if name in values]
        return (dialect.name, *values, *lengths)
