"""The pages that a client requests: of one resource type, or of several, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from scim2_models import SearchRequest
from scim2_server.storage import SearchPage

from idp.directory.result_pages import PageRequest
from registration_bridge.filter_attributes import Attributes
from registration_bridge.filters import sort_attribute
from registration_bridge.user_schema import MAX_RESULTS


class Searchable(Protocol):
    """The resources of one type."""

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        """A page of matching resources."""


def _bounds(search_request: SearchRequest[Any]) -> tuple[int, int]:
    """The number of rows to return, and the number to skip."""
    count = MAX_RESULTS if search_request.count is None else search_request.count
    return count, search_request.start_index_0 or 0


def page_request(
    search_request: SearchRequest[Any], attributes: Attributes, position: Any
) -> PageRequest:
    """The page that a search of one resource type requests. Raises InvalidFilterException."""
    count, start = _bounds(search_request)
    sort_by = search_request.sort_by
    return PageRequest(
        count=count,
        start=start,
        sort_by=sort_attribute(str(sort_by), attributes) if sort_by is not None else None,
        is_descending=search_request.sort_order == SearchRequest.SortOrder.descending,
        is_by_cursor=search_request.cursor is not None,
        position=position,
    )


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
    """A page by cursor, forwards only. A position is the number of the type and the position within
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
