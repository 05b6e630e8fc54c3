"""Keyset pagination for the lists of the console (docs/decisions/0037).

A page starts after a row or ends before one. The id of that row is in the URL, so URLs contain no
personal data. The database starts reading at that row, so a late page costs as much as the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from idp.transaction import UnitOfWork

#: Rows on a page.
SIZE = 50
R = TypeVar("R")
S = TypeVar("S")
#: The columns of each sort order, by its name. The columns are not nullable.
Sorts = Mapping[str, tuple[InstrumentedAttribute[Any], ...]]


@dataclass(frozen=True)
class ListRequest:
    """The requested page. An unknown sort order means the first one of the list; a missing row
    means the first page."""

    sort: str = ""
    is_descending: bool = False
    after: int = 0
    before: int = 0


@dataclass(frozen=True)
class ListPage(Generic[R]):
    """The rows of a page and their order. ``next`` and ``previous`` are the row ids for the
    neighbouring pages, None if there is no such page."""

    rows: list[R]
    sort: str = ""
    is_descending: bool = False
    next: int | None = None
    previous: int | None = None

    def of(self, rows: Sequence[S]) -> ListPage[S]:
        """The same page with these rows instead."""
        return replace(self, rows=list(rows))  # type: ignore[arg-type, return-value]


def page(
    work: UnitOfWork,
    key: InstrumentedAttribute[int],
    sorts: Sorts,
    request: ListRequest,
    *conditions: ColumnElement[bool],
    size: int = SIZE,
    newest_first: bool = False,
) -> ListPage[int]:
    """The primary keys of a page; ``load`` returns their rows. Without ``sorts``, the order is that
    of the keys, reversed with ``newest_first``."""
    name = request.sort if request.sort in sorts else next(iter(sorts), "")
    columns = sorts[name] if name else ()
    is_backwards, is_descending = bool(request.before), request.is_descending != newest_first
    anchor = _anchor(work, key, columns, request.before or request.after)
    query = keys_query(
        key,
        columns,
        *conditions,
        is_descending=is_descending != is_backwards,
        anchor=anchor,
    )
    found = list(work.db.scalars(query.limit(size + 1)))
    rows, has_more = found[:size], len(found) > size
    if is_backwards:
        rows.reverse()
    has_next = bool(rows) and (is_backwards or has_more)
    has_previous = bool(rows) and (has_more if is_backwards else anchor is not None)
    return ListPage(
        rows,
        name,
        request.is_descending,
        rows[-1] if has_next else None,
        rows[0] if has_previous else None,
    )


def keys_query(
    key: InstrumentedAttribute[int],
    columns: tuple[InstrumentedAttribute[Any], ...],
    *conditions: ColumnElement[bool],
    is_descending: bool = False,
    anchor: tuple[Any, ...] | None = None,
) -> Select[int]:
    """The query of ``page`` without its limit. It compares row values, which SQLite and PostgreSQL
    read from one index. ``anchor`` has the values of the row after which the page starts."""
    ordered = (*columns, key)
    query = select(key).where(*conditions)
    if anchor is not None:
        here = tuple_(*(literal(v, c.type) for v, c in zip(anchor, ordered, strict=True)))
        beyond = tuple_(*ordered) < here if is_descending else tuple_(*ordered) > here
        query = query.where(beyond if columns else _beyond(key, anchor[-1], is_descending))
    return query.order_by(*(c.desc() if is_descending else c.asc() for c in ordered))


def _beyond(
    key: InstrumentedAttribute[int], value: int, is_descending: bool
) -> ColumnElement[bool]:
    return key < value if is_descending else key > value


def _anchor(
    work: UnitOfWork,
    key: InstrumentedAttribute[int],
    columns: tuple[InstrumentedAttribute[Any], ...],
    at: int,
) -> tuple[Any, ...] | None:
    if not at:
        return None
    row = work.db.execute(select(*columns, key).where(key == at)).first()
    return tuple(row) if row is not None else None


def load(work: UnitOfWork, key: InstrumentedAttribute[Any], keys: Sequence[Any]) -> list[Any]:
    """The rows with these keys, in the order of the keys. Deleted rows are left out."""
    found = work.db.scalars(select(key.class_).where(key.in_(keys)))
    by_key = {getattr(row, key.key): row for row in found}
    return [by_key[value] for value in keys if value in by_key]


def single_page(
    rows: Sequence[R],
    request: ListRequest,
    sorts: Mapping[str, Callable[[R], Any]],
    matches: Callable[[R], bool] = lambda row: True,  # noqa: ARG005 - every row
) -> ListPage[R]:
    """A short list on one page: all rows that match, in the requested order."""
    name = request.sort if request.sort in sorts else next(iter(sorts))
    chosen = sorted(filter(matches, rows), key=sorts[name], reverse=request.is_descending)
    return ListPage(chosen, name, request.is_descending)
