"""Pages over several resource types, one after the other (RFC 7644 section 3.4.2.4, RFC 9865)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from scim2_models import SearchRequest
from scim2_server.storage import SearchPage

from registration_bridge.paging import by_cursor, by_index


@dataclass
class Part:
    """The resources of one type. It may give shorter pages than are asked for, or count nothing."""

    rows: list[str]
    longest: int = 100
    is_counted: bool = True

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        start = position[0] if position else search_request.start_index_0 or 0
        end = min(start + min(search_request.count or 0, self.longest), len(self.rows))
        is_more = search_request.cursor is not None and start < end < len(self.rows)
        found: list[Any] = self.rows[start:end]
        return SearchPage(len(self.rows) if self.is_counted else None, found,
                          [end] if is_more else None)  # fmt: skip


PARTS = (Part(["a", "b", "c"]), Part([]), Part(["d"]), Part(["e", "f", "g"]))


def walk(parts: tuple[Part, ...], count: int) -> tuple[list[list[Any]], set[int | None]]:
    """The pages by cursor, and the totals that they give."""
    pages, totals = list[list[Any]](), set[int | None]()
    position: Any = None
    for _ in range(30):
        found = by_cursor(parts, SearchRequest(count=count, cursor=""), position)
        pages.append(found.resources)
        totals.add(found.total)
        position = found.next
        if position is None:
            return pages, totals
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_cursor_walks_through_all_types(count: int) -> None:
    """RFC 9865 section 2: each once, in order, full pages, the same total on each."""
    pages, totals = walk(PARTS, count)
    assert [row for page in pages for row in page] == list("abcdefg")
    assert [len(page) for page in pages[:-1]] == [count] * (len(pages) - 1)
    assert pages[-1]
    assert totals == {7}


def test_no_page_goes_on_behind_a_type_that_gave_less() -> None:
    """RFC 9865 section 2: a page may be shorter than asked for; nothing is passed over."""
    pages, _ = walk((Part(["a", "b", "c"], longest=2), Part(["d"])), 3)
    assert pages == [["a", "b"], ["c", "d"]]


def test_a_type_that_is_not_counted_is_walked_through() -> None:
    """RFC 9865 section 2: the total may be missing. It counts as nothing."""
    pages, totals = walk((Part(["a", "b"], is_counted=False), Part(["c"])), 1)
    assert (pages, totals) == ([["a"], ["b"], ["c"]], {1})
    found = by_index((Part(["a"], is_counted=False), Part(["c"])), SearchRequest(count=5))
    assert (found.resources, found.total) == (["a", "c"], 1)


@pytest.mark.parametrize(
    ("start", "count", "rows"),
    [
        (None, None, "abcdefg"),
        (1, 3, "abc"),
        (2, 3, "bcd"),
        (4, 2, "de"),
        (5, 10, "efg"),
        (8, 3, ""),
        (1, 0, ""),
    ],
)
def test_an_index_counts_through_all_types(start: int | None, count: int | None, rows: str) -> None:
    """RFC 7644 section 3.4.2.4: ``startIndex`` begins with 1."""
    found = by_index(PARTS, SearchRequest(start_index=start, count=count))
    assert (found.resources, found.total, found.next) == (list(rows), 7, None)
