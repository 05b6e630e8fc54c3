"""Pages of what was found: by index, and by cursor after or before a row (RFC 9865)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from scim2_models import SearchRequest
from scim2_server.storage import SearchPage
from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from idp.db import UtcDateTime
from idp.transaction import UnitOfWork
from registration_bridge.filters import Columns, sort_columns
from registration_bridge.user_schema import MAX_RESULTS

AFTER, BEFORE = "after", "before"


class Searchable(Protocol):
    """The resources of one type."""

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        """A page of those that match."""


@dataclass(frozen=True)
class Page:
    """How many there are, those of the page, and where the pages around it are."""

    total: int
    rows: list[Any]
    next: list[Any] | None = None
    previous: list[Any] | None = None


def _bounds(search_request: SearchRequest[Any]) -> tuple[int, int]:
    """How many rows are wanted, and how many are left out before them."""
    count = MAX_RESULTS if search_request.count is None else search_request.count
    return count, search_request.start_index_0 or 0


def page_of(
    work: UnitOfWork,
    base: Select[Any],
    key: Any,
    search_request: SearchRequest[Any],
    columns: Columns,
    position: Any,
) -> Page:
    """A page by index; or by cursor, after or before the row at ``position``: its sort values and
    its key (RFC 9865)."""
    total = work.db.scalar(base.with_only_columns(func.count(key))) or 0
    count, first = _bounds(search_request)
    if count == 0 or first >= total:
        return Page(total, [])
    down = search_request.sort_order == SearchRequest.SortOrder.descending
    sorted_by: list[Any] = []
    if search_request.sort_by is not None:
        sorted_by = sort_columns(str(search_request.sort_by), columns)
    if search_request.cursor is None:
        keys = base.with_only_columns(key).order_by(*_order(sorted_by, key, down=down))
        return Page(total, _rows(work, key, work.db.scalars(keys.offset(first).limit(count)).all()))
    is_back = position is not None and position[0] == BEFORE
    query = base.order_by(*_order(sorted_by, key, down=down, is_back=is_back))
    if position is not None:
        query = query.where(_beyond(sorted_by, key, position[1:], down=down, is_back=is_back))
    found = work.db.execute(query.add_columns(*sorted_by, key).limit(count + 1)).all()
    rows, has_more = list(found[:count]), len(found) > count
    if is_back:
        rows.reverse()
    if not rows:
        return Page(total, [])
    has_next, has_previous = (True, has_more) if is_back else (has_more, position is not None)
    return Page(
        total,
        [row[0] for row in rows],
        [AFTER, *map(_plain, rows[-1][1:])] if has_next else None,
        [BEFORE, *map(_plain, rows[0][1:])] if has_previous else None,
    )


def _rows(work: UnitOfWork, key: Any, keys: Sequence[Any]) -> list[Any]:
    """The rows of these keys, in their order: of those before the page only keys were read."""
    found = work.db.scalars(select(key.class_).where(key.in_(keys)))
    by_key = {getattr(row, key.key): row for row in found}
    # Whoever is deleted at this moment is not there any more.
    return [by_key[value] for value in keys if value in by_key]


def _order(columns: list[Any], key: Any, *, down: bool, is_back: bool = False) -> list[Any]:
    """The columns in the wanted order, then by key; all of it turned round to go back."""
    turned = [column.desc() if down != is_back else column.asc() for column in columns]
    return [*turned, key.desc() if is_back else key.asc()]


def _beyond(
    columns: list[Any], key: Any, values: list[Any], *, down: bool, is_back: bool
) -> ColumnElement[bool]:
    """The condition of rows that come after one, or before it; a position is sealed, so it has our
    form."""
    last = values[len(columns)]
    found: ColumnElement[bool] = key < last if is_back else key > last
    for column, value in reversed(list(zip(columns, values, strict=False))):
        if isinstance(column.type, UtcDateTime):
            value = datetime.fromisoformat(value)
        beyond = column < value if down != is_back else column > value
        found = or_(beyond, and_(column == value, found))
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def by_index(parts: Sequence[Searchable], search_request: SearchRequest[Any]) -> SearchPage:
    """A page of several types, one type after the other."""
    count, first = _bounds(search_request)
    total, found = 0, list[Any]()
    for part in parts:
        asked = {"start_index": max(first - total, 0) + 1, "count": count - len(found)}
        page = part.search(search_request.model_copy(update=asked), None)
        total, found = total + (page.total or 0), [*found, *page.resources]
    return SearchPage(total, found)


def by_cursor(
    parts: Sequence[Searchable], search_request: SearchRequest[Any], position: Any
) -> SearchPage:
    """The same by cursor, forwards only: a position is the number of the type and the position in
    it."""
    count, _ = _bounds(search_request)
    start, *inner = position or [0]
    total, found = 0, list[Any]()
    following: list[Any] | None = None
    for number, part in enumerate(parts):
        left = count - len(found) if number >= start and following is None else 0
        asked = search_request.model_copy(update={"count": left})
        page = part.search(asked, inner if inner and number == start else None)
        total, found = total + (page.total or 0), [*found, *page.resources]
        if following is None and number >= start:
            if page.next is not None:
                following = [number, *page.next]
            elif not left and page.total:
                following = [number]
    return SearchPage(total, found, following)
