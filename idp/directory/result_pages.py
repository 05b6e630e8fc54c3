"""Pages of a search: by index, and by cursor after or before a row (RFC 9865)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_

from idp import list_pages
from idp.db import UtcDateTime
from idp.directory.search_conditions import Attribute
from idp.transaction import UnitOfWork

AFTER, BEFORE = "after", "before"


@dataclass(frozen=True)
class PageRequest:
    """``count`` rows after the first ``start``; or, by cursor, those after or before ``position``,
    which ``Page`` gave for it."""

    count: int
    start: int = 0
    sort_by: Attribute | None = None
    is_descending: bool = False
    is_by_cursor: bool = False
    position: list[Any] | None = None

    @property
    def is_first(self) -> bool:
        """Whether rows from the first one are asked for, in the order of their keys."""
        return self.count > 0 and not self.start and self.sort_by is None and self.position is None

    @property
    def is_backwards(self) -> bool:
        """Whether the page before a row is asked for."""
        return self.position is not None and self.position[0] == BEFORE


@dataclass(frozen=True)
class Page:
    """The number of all rows, the rows of the page, and the positions of the pages around it."""

    total: int
    rows: list[Any]
    next: list[Any] | None = None
    previous: list[Any] | None = None


def page_of(
    work: UnitOfWork,
    base: Select[Any],
    key: Any,
    request: PageRequest,
    load: Callable[[Sequence[Any]], list[Any]] | None = None,
    values: Mapping[str, Any] | None = None,
    number: Callable[[], int] | None = None,
) -> Page:
    """A page of what ``base`` selects, in the order of the request and then of ``key``. ``load``
    returns the rows of the keys that it gets; without it they are objects. ``values`` are those of
    the parameters of ``base``. ``number`` returns the number of all rows; without it they are
    counted."""
    total_of = number or partial(_total, work, base, key, values)
    if request.count == 0:
        return Page(total_of(), [])
    columns = request.sort_by.order() if request.sort_by is not None else []
    loaded = load or partial(list_pages.load, work, key)
    if request.is_by_cursor:
        return _by_cursor(work, base, key, request, columns, loaded, values, total_of)
    keys = base.with_only_columns(key).order_by(*_order(columns, key, request))
    if request.start:
        keys = keys.offset(request.start)
    found = work.run(keys.limit(request.count), values).scalars().all()
    is_counted = len(found) < request.count and (bool(found) or not request.start)
    # The last page has counted the rows already.
    total = request.start + len(found) if is_counted else total_of()
    return Page(total, loaded(found) if found else [])


def _total(work: UnitOfWork, base: Select[Any], key: Any, values: Mapping[str, Any] | None) -> int:
    return work.run(base.with_only_columns(func.count(key)), values).scalar() or 0


def _by_cursor(
    work: UnitOfWork,
    base: Select[Any],
    key: Any,
    request: PageRequest,
    columns: list[Any],
    load: Callable[[Sequence[Any]], list[Any]],
    values: Mapping[str, Any] | None,
    total_of: Callable[[], int],
) -> Page:
    position, is_backwards = request.position, request.is_backwards
    query = base.with_only_columns(*columns, key).order_by(*_order(columns, key, request))
    if position is not None:
        query = query.where(_beyond(columns, key, position[1:], request))
    found = work.run(query.limit(request.count + 1), values).all()
    rows, has_more = list(found[: request.count]), len(found) > request.count
    is_whole = position is None and not has_more
    total = len(rows) if is_whole else total_of()
    if is_backwards:
        rows.reverse()
    if not rows:
        return Page(total, [])
    has_next, has_previous = (True, has_more) if is_backwards else (has_more, position is not None)
    return Page(
        total,
        load([row[-1] for row in rows]),
        [AFTER, *map(_plain, rows[-1])] if has_next else None,
        [BEFORE, *map(_plain, rows[0])] if has_previous else None,
    )


def _order(columns: list[Any], key: Any, request: PageRequest) -> list[Any]:
    """The columns in the wanted order, then the key; reversed for a page before a row."""
    is_down = request.is_descending != request.is_backwards
    turned = [column.desc() if is_down else column.asc() for column in columns]
    return [*turned, key.desc() if request.is_backwards else key.asc()]


def _beyond(
    columns: list[Any], key: Any, values: list[Any], request: PageRequest
) -> ColumnElement[bool]:
    """The condition of rows that come after a position, or before it. The position is sealed, so it
    has our form."""
    last = values[len(columns)]
    found: ColumnElement[bool] = key < last if request.is_backwards else key > last
    is_down = request.is_descending != request.is_backwards
    for column, value in reversed(list(zip(columns, values, strict=False))):
        if isinstance(column.type, UtcDateTime):
            value = datetime.fromisoformat(value)
        beyond = column < value if is_down else column > value
        found = or_(beyond, and_(column == value, found))
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
