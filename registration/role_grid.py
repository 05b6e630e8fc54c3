"""The grid of an organization: its people or machines, its access roles, and who holds which
(AR-03, AR-04). It is data in, data out: pages and downloads show it, a form of it gives changes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind

#: In the fields of the form; no Person ID, user name or code of a role has it.
SEPARATOR = "|"


class BadCell(ValueError):
    """A field of the form does not name a cell."""


@dataclass(frozen=True)
class Column:
    """An access role under the heading of its market."""

    code: str
    name: str
    description: str
    heading: str


class Holding(NamedTuple):
    """That a role is held: since and until when, and who gave it."""

    since: datetime
    until: datetime | None
    given_by: str


@dataclass(frozen=True)
class Row:
    """A person or a machine with its cells."""

    account: AccountKey
    name: str
    username: str
    #: What tells people of the same name apart, such as the preferred name (RG-05).
    also: str = ""
    #: By the code of the role; odd while it is held (``CellState``). Cells that never changed have
    #: none.
    versions: Mapping[str, int] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of its cells begin with (``name_of``)."""
        return f"{self.account.kind}{SEPARATOR}{self.account.id}{SEPARATOR}"

    @property
    def since(self) -> datetime | None:
        """Since when the row holds anything of what it holds now."""
        return min((one.since for one in self.holdings.values()), default=None)


@dataclass(frozen=True)
class Grid:
    """Columns in the order of the catalogue, rows in the order asked for."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def headings(self) -> tuple[tuple[str, int], ...]:
        """The headings above the columns, each with the number of its columns."""
        found: dict[str, int] = {}
        for column in self.columns:
            found[column.heading] = found.get(column.heading, 0) + 1
        return tuple(found.items())


@dataclass(frozen=True)
class Wanted:
    """What of the grid is shown, and in which order."""

    text: str = ""
    heading: str = ""
    #: Only those who hold this role.
    role: str = ""
    sort: str = "name"
    is_descending: bool = False


def arranged(grid: Grid, wanted: Wanted) -> Grid:
    """The rows and columns that are wanted, in order. An unknown order is that of names."""
    columns = tuple(c for c in grid.columns if wanted.heading in ("", c.heading))
    rows = [row for row in grid.rows if _matches(row, wanted)]
    rows.sort(key=_ORDERS.get(wanted.sort, _by_name), reverse=wanted.is_descending)
    return Grid(columns, tuple(rows))


def _matches(row: Row, wanted: Wanted) -> bool:
    words = plain(wanted.text).split()
    text = plain(f"{row.name} {row.also} {row.username} {row.account.id}")
    return all(word in text for word in words) and (not wanted.role or wanted.role in row.holdings)


def _by_name(row: Row) -> tuple[Any, ...]:
    return (plain(row.name), row.account.id)


def plain(text: str) -> str:
    """The text without accents and capitals: people find and order names by it."""
    if text.isascii():
        return text.casefold()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_ORDERS = {
    "name": _by_name,
    "username": lambda row: (row.username, *_by_name(row)),
    "roles": lambda row: (len(row.holdings), *_by_name(row)),
    "since": lambda row: (row.since.timestamp() if row.since else 0.0, *_by_name(row)),
}
#: The orders that a list offers.
ORDERS = tuple(_ORDERS)


def seen(grid: Grid) -> str:
    """For the form: the cells on it that were ever changed, each with its version."""
    codes = {column.code for column in grid.columns}
    return " ".join(
        f"{prefix}{code}={version}"
        for row in grid.rows
        if (prefix := row.prefix)
        for code, version in row.versions.items()
        if code in codes
    )


def changes(ticked: Iterable[str], said_seen: str) -> tuple[Change, ...]:
    """What a form asks for: the ticks that were set, and those that were taken away, by somebody
    who saw these versions. A version is odd while the role is held. Raises BadCell."""
    versions = dict(_versions(said_seen))
    wanted = dict.fromkeys(cell_of(name) for name in ticked)
    granted = [
        Change(cell, True, versions.get(cell, 0))
        for cell in wanted
        if versions.get(cell, 0) % 2 == 0
    ]
    revoked = [
        Change(cell, False, version)
        for cell, version in versions.items()
        if version % 2 and cell not in wanted
    ]
    return tuple(sorted([*granted, *revoked], key=lambda one: one.cell))


def _versions(said_seen: str) -> Iterator[tuple[Cell, int]]:
    for part in said_seen.split():
        name, _, version = part.rpartition("=")
        yield cell_of(name), _number(version)


def written(change: Change) -> str:
    """A change as a field of the confirmation's form."""
    sign = "+" if change.grants else "-"
    return f"{sign}{name_of(change.cell)}={change.saw}"


def read(field: str) -> Change:
    """The change of such a field. Raises BadCell."""
    name, _, version = field[1:].rpartition("=")
    if field[:1] not in ("+", "-"):
        raise BadCell(field)
    return Change(cell_of(name), field[0] == "+", _number(version))


def name_of(cell: Cell) -> str:
    """The cell as the value of its tick."""
    return SEPARATOR.join((cell.account.kind, cell.account.id, cell.role))


def cell_of(name: str) -> Cell:
    """The cell of such a value. Raises BadCell."""
    parts = name.split(SEPARATOR)
    if len(parts) != 3 or not all(parts) or parts[0] not in set(AccountKind):
        raise BadCell(name)
    return Cell(AccountKey(AccountKind(parts[0]), parts[1]), parts[2])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadCell(text)
    return int(text)


def records(grid: Grid) -> Iterator[dict[str, Any]]:
    """For downloads: a record for each role that is held."""
    for row in grid.rows:
        for column in grid.columns:
            if held := row.holdings.get(column.code):
                yield {
                    "id": row.account.id,
                    "kind": str(row.account.kind),
                    "name": row.name,
                    "username": row.username,
                    "market": column.heading,
                    "role": column.code,
                    "role_name": column.name,
                    "since": held.since.isoformat(),
                    "until": held.until.isoformat() if held.until else "",
                    "granted_by": held.given_by,
                }


#: The columns of a download.
RECORD = (
    "id", "kind", "name", "username", "market", "role", "role_name", "since", "until", "granted_by",
)  # fmt: skip
