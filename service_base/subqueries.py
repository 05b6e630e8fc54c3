"""A condition on a subquery that PostgreSQL answers by an index, and rows as a value in a row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, CompoundSelect, Select, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> _Among:  # noqa: ARG002
        """A condition already: SQLite, without booleans, would compare it with 1."""
        return self


def among(
    column: ColumnElement[Any] | Any, rows: Select[Any] | CompoundSelect[Any]
) -> ColumnElement[bool]:
    """``column IN (rows)``, for far fewer rows than the table of the column has.

    PostgreSQL does not know how few different values the rows have, when many rows have the same
    one: for 500 people with six roles each it reads all 50,000. As an array, the rows are looked up
    in the index of the column."""
    # As a FROM of its own, the subquery never takes a table of the statement around it for its own.
    (found,) = rows.subquery().columns
    return _Among(column, select(found).scalar_subquery())


@compiles(_Among)
def _in(element: _Among, compiler: SQLCompiler, **more: Any) -> str:
    column, rows = (compiler.process(one, **more) for one in element.clauses)
    return f"{column} IN {rows}"


@compiles(_Among, "postgresql")
def _any(element: _Among, compiler: SQLCompiler, **more: Any) -> str:
    column, rows = (compiler.process(one, **more) for one in element.clauses)
    return f"{column} = ANY (ARRAY{rows})"


class _Gathered(FunctionElement[list[list[Any]] | None]):
    name = "gathered"
    type = JSON()
    inherit_cache = True


def gathered(*columns: ColumnElement[Any] | Any) -> ColumnElement[list[list[Any]] | None]:
    """An aggregate of all rows: a list of the columns of each, in any order; empty or None without
    rows. A statement thus reads rows of another number beside its own."""
    return _Gathered(*columns)


@compiles(_Gathered)
def _json_group_array(element: _Gathered, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **more)}))"


@compiles(_Gathered, "postgresql")
def _json_agg(element: _Gathered, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_agg(json_build_array({compiler.process(element.clauses, **more)}))"
