"""The list component of the console: it reads the query of a list page, and builds the URLs for
sorting, paging and downloads. ``_list.html`` renders it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for

from idp.list_pages import ListPage, ListRequest
from idp.web.console import forms

MAX_FILTER = 320


def asked_page() -> ListRequest:
    """The sort order and page in the query of this request."""
    return ListRequest(
        sort=request.args.get("sort", ""),
        is_descending=request.args.get("order") == "desc",
        after=forms.number("after"),
        before=forms.number("before"),
    )


def asked_filters(*names: str) -> dict[str, str]:
    """The filters in the query of this request; empty if absent."""
    return {name: request.args.get(name, "").strip()[:MAX_FILTER] for name in names}


@dataclass(frozen=True)
class ListView:
    """A page of a list for its template."""

    endpoint: str
    page: ListPage[Any]
    filters: Mapping[str, str] = field(default_factory=dict)
    #: URL values that every link of the list keeps, such as the id in its path or the list's name.
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[Any]:
        """The rows of the page."""
        return self.page.rows

    @property
    def has_filters(self) -> bool:
        """Whether anything was filtered."""
        return any(self.filters.values())

    def columns(self, columns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        """The headers of the table. A column is a text and the name of its sort order, empty if it
        cannot be sorted."""
        return [{"text": text, **(self._head(sort) if sort else {})} for text, sort in columns]

    def _head(self, sort: str) -> dict[str, str]:
        """The link of a header: sort by this column, or reverse the order if it is sorted by it."""
        if sort != self.page.sort:
            return {"sort": self._url(sort=sort)}
        is_down = self.page.is_descending
        return {
            "sort": self._url(sort=sort, order="" if is_down else "desc"),
            "order": "descending" if is_down else "ascending",
        }

    @property
    def order_fields(self) -> list[tuple[str, str]]:
        """The hidden fields of the filter form: the sort order and the fixed values."""
        fixed = {name: str(value) for name, value in self.fixed.items()}
        return [pair for pair in {**fixed, **self._order()}.items() if pair[1]]

    @property
    def first_url(self) -> str:
        """The first page."""
        return self._url(**self._order())

    @property
    def next_url(self) -> str:
        """The next page; empty if there is none."""
        return self._page_url("after", self.page.next)

    @property
    def previous_url(self) -> str:
        """The previous page; empty if there is none."""
        return self._page_url("before", self.page.previous)

    def export_url(self, endpoint: str, **values: str) -> str:
        """The URL for a download with the same filters and order."""
        return self._url(endpoint, **self._order(), **values)

    @property
    def clear_url(self) -> str:
        """The URL of the list without filters."""
        return url_for(self.endpoint, **self.fixed)

    def _page_url(self, direction: str, row: int | None) -> str:
        return "" if row is None else self._url(**self._order(), **{direction: str(row)})

    def _order(self) -> dict[str, str]:
        return {"sort": self.page.sort, "order": "desc" if self.page.is_descending else ""}

    def _url(self, endpoint: str = "", **values: str) -> str:
        given: dict[str, Any] = {k: v for k, v in {**self.filters, **values}.items() if v}
        return url_for(endpoint or self.endpoint, **{**self.fixed, **given})
