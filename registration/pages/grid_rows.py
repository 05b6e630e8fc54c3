"""Writes the rows of the grid. A grid has thousands of cells, so this is no template, and what many
cells have in common is written once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from markupsafe import Markup, escape

from hosted_pages.languages import EASTERN, day
from registration.role_grid import Grid, Row


def written(grid: Grid, *, may_change: bool) -> Iterator[Markup]:
    """A row of the table for each row of the grid, with a tick for each role. The labels of a tick
    are the name of the row, with the id ``p`` and its number, and the head of the column, ``r`` and
    its number."""
    end = "></td>" if may_change else " disabled></td>"
    columns = [
        (
            column.code,
            f'{escape(column.code)}" aria-labelledby="p',
            f' r{number}"{end}',
            f' r{number}" checked{end}',
        )
        for number, column in enumerate(grid.columns)
    ]
    days: dict[date | None, Markup] = {}
    for number, row in enumerate(grid.rows):
        begin = f'<td><input type="checkbox" name="cell" value="{escape(row.prefix)}'
        held = row.holdings
        cells = [
            f"{begin}{value}{number}{ticked if code in held else open_}"
            for code, value, open_, ticked in columns
        ]
        yield Markup(f"<tr>{_head(row, number, days)}{''.join(cells)}</tr>\n")  # noqa: S704 - escaped


def _head(row: Row, number: int, days: dict[date | None, Markup]) -> str:
    """``days``: those that are written already."""
    also = f", {escape(row.also)}" if row.also else ""
    since = row.since.astimezone(EASTERN).date() if row.since else None
    if since not in days:
        days[since] = escape(day(since))
    return (
        f'<th scope="row"><span id="p{number}">{escape(row.name)}</span>'
        f'<span class="hint">{escape(row.account.id)}{also}</span></th>'
        f"<td>{escape(row.username)}</td>"
        f'<td class="nowrap">{days[since]}</td>'
    )
