"""The list component: what a list page of the console reads from its address, and the addresses of
its orders, pages and downloads. ``console/_list.html`` draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for

from idp.list_pages import ListPage, ListRequest
from idp.web.console import forms

MAX_FILTER = 320


def asked_page() -> ListRequest:
    """Order and page, from the address."""
    return ListRequest(
        sort=request.args.get("sort", ""),
        is_descending=request.args.get("order") == "desc",
        after=forms.number("after"),
        before=forms.number("before"),
    )


def asked_filters(*names: str) -> dict[str, str]:
    """The filters, from the address."""
    return {name: request.args.get(name, "").strip()[:MAX_FILTER] for name in names}


@dataclass(frozen=True)
class ListView:
    """A page of a list, as its template needs it."""

    endpoint: str
    page: ListPage[Any]
    filters: Mapping[str, str] = field(default_factory=dict)
    #: What every address of the list has: its path, and which of several lists it is.
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
        """The heads of the table, from a text and the name of an order, or nothing for a column
        that orders nothing."""
        return [{"text": text, **(self._head(sort) if sort else {})} for text, sort in columns]

    def _head(self, sort: str) -> dict[str, str]:
        """Where a click on a head leads: the list in its order, or the other way round."""
        if sort != self.page.sort:
            return {"sort": self._url(sort=sort)}
        is_down = self.page.is_descending
        return {
            "sort": self._url(sort=sort, order="" if is_down else "desc"),
            "order": "descending" if is_down else "ascending",
        }

    @property
    def order_fields(self) -> list[tuple[str, str]]:
        """The order and the list, as hidden fields of the filter."""
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
        """The same rows in the same order, to download."""
        return self._url(endpoint, **self._order(), **values)

    @property
    def clear_url(self) -> str:
        """The list without filters."""
        return url_for(self.endpoint, **self.fixed)

    def _page_url(self, direction: str, row: int | None) -> str:
        return "" if row is None else self._url(**self._order(), **{direction: str(row)})

    def _order(self) -> dict[str, str]:
        return {"sort": self.page.sort, "order": "desc" if self.page.is_descending else ""}

    def _url(self, endpoint: str = "", **values: str) -> str:
        given: dict[str, Any] = {k: v for k, v in {**self.filters, **values}.items() if v}
        return url_for(endpoint or self.endpoint, **{**self.fixed, **given})
