"""New rows that wait for the end of their transaction and are then written by one statement.

PostgreSQL takes several inserts as one statement, which needs neither BEGIN nor COMMIT if nothing
else was written before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, insert, literal, select

from service_base.database import WHOLE_TRANSACTION
from service_base.prepared import Prepared

#: The parameter of the value on which the rows depend.
EXPECTED = "expected"
#: A statement, the names of its values, and those that are the key of a former row, with its place.
Part = tuple[Prepared, tuple[str, ...], tuple[tuple[str, int], ...]]


class WaitingRow:
    """A row that is inserted later. As a value of another row, it stands for its key."""

    __slots__ = ("returned", "statement", "values")

    def __init__(self, statement: Prepared, values: Mapping[str, Any]) -> None:
        self.statement, self.values = statement, values
        #: What its own statement returned, if it was written by that: first the key.
        self.returned: Any = None

    def known_values(self) -> dict[str, Any]:
        """The values, with the keys of rows that are written."""
        return {
            name: value.returned[0] if isinstance(value, WaitingRow) and value.returned else value
            for name, value in self.values.items()
        }


class Condition(NamedTuple):
    """An update of one row without which nothing is written."""

    statement: Prepared
    values: Mapping[str, Any]


def together(
    rows: Sequence[WaitingRow],
    condition: Condition | None,
    current: ColumnElement[Any] | None,
    expected: Any,
) -> tuple[Prepared, dict[str, Any]]:
    """The statement for these rows, and its parameters. It returns a row if it has written them: if
    the condition is met, and ``current`` is what was expected, or None. A statement is built
    once. Raises LookupError for a column with a default of Python that has no value."""
    places = {id(row): place for place, row in enumerate(rows)}
    parts: list[Part] = []
    values = {} if current is None else {EXPECTED: expected}
    for place, row in enumerate(rows):
        keys = []
        for name, value in row.known_values().items():
            if isinstance(value, WaitingRow):
                keys.append((name, places[id(value)]))
            else:
                values[_parameter(place, name)] = value
        parts.append((row.statement, tuple(row.values), tuple(keys)))
    if condition is not None:
        values |= condition.values
    return _statement(tuple(parts), condition and condition.statement, current), values


def _parameter(place: int, name: str) -> str:
    return f"row_{place}_{name}"


@lru_cache(200)
def _statement(
    parts: tuple[Part, ...], condition: Prepared | None, current: ColumnElement[Any] | None
) -> Prepared:
    found: Any = select(literal(1).label("id"))
    if condition is not None:
        found = condition.statement.returning(condition.statement.table.c.id)
    if current is not None:
        found = found.where(current == bindparam(EXPECTED, type_=current.type))
    first = found.cte(WHOLE_TRANSACTION)
    written: list[Any] = []
    for place, (statement, names, keys) in enumerate(parts):
        table, former = statement.statement.table, dict(keys)
        if any(c.default is not None and c.name not in names for c in table.columns):
            raise LookupError(f"defaults of {table.name}")
        columns = [
            written[former[name]].c.id
            if name in former
            else bindparam(_parameter(place, name), type_=table.c[name].type)
            for name in names
        ]
        # One row or none, as the condition has. Each is written after the one before it.
        sources = {(written or [first])[-1], *(written[other] for other in former.values())}
        row = insert(table).from_select(names, select(*columns).select_from(*sources))
        written.append(row.returning(table.c.id).cte(f"row_{place}"))
    return Prepared(select(first.c.id).add_cte(*written))
