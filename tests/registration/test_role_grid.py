"""The grid of people and access roles: what it shows, and what its form asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration import role_grid
from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind
from registration.role_grid import BadCell, Column, Grid, Holding, Row, Wanted

JANUARY, MAY = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)
BIDS = Column("bids", "Submit bids", "Sends bids and offers.", "Energy market")
VIEW = Column("view", "View bids", "Sees bids and offers.", "Energy market")
METER = Column("meter", "View meters", "Sees metering data.", "Metering")


def row(person: str, name: str, **held: datetime) -> Row:
    """A person who holds these roles since these moments."""
    return Row(
        AccountKey(AccountKind.PERSON, person),
        name,
        name.split()[-1].casefold(),
        versions=dict.fromkeys(held, 1),
        holdings={code: Holding(since, None, "P-9") for code, since in held.items()},
    )


ADA, BO, TWIN = row("P-1", "Ada Moreau", bids=MAY), row("P-2", "Bo Singh"), row("P-3", "Bo Singh")
GRID = Grid((BIDS, VIEW, METER), (BO, TWIN, replace(ADA, also="Adah")))


def cell(person: str, role: str) -> Cell:
    return Cell(AccountKey(AccountKind.PERSON, person), role)


@pytest.mark.parametrize(
    ("wanted", "people", "roles"),
    [
        (Wanted(), ["P-1", "P-2", "P-3"], ["bids", "view", "meter"]),
        (Wanted(is_descending=True), ["P-3", "P-2", "P-1"], ["bids", "view", "meter"]),
        (Wanted(sort="roles", is_descending=True), ["P-1", "P-3", "P-2"], None),
        (Wanted(sort="no such order"), ["P-1", "P-2", "P-3"], None),
        (Wanted(text="SIN bo"), ["P-2", "P-3"], None),
        (Wanted(text="adah"), ["P-1"], None),
        (Wanted(text="môreau"), ["P-1"], None),
        (Wanted(text="p-3"), ["P-3"], None),
        (Wanted(heading="Metering"), ["P-1", "P-2", "P-3"], ["meter"]),
        (Wanted(role="bids"), ["P-1"], None),
    ],
)
def test_ar03_a_list_is_sorted_and_filtered(
    wanted: Wanted, people: list[str], roles: list[str] | None
) -> None:
    """AR-03, RG-05: in the order of names; people of the same name by Person ID."""
    shown = role_grid.arranged(GRID, wanted)
    assert [one.account.id for one in shown.rows] == people
    assert roles is None or [one.code for one in shown.columns] == roles


def test_ar03_columns_stand_under_market_headings() -> None:
    """AR-03."""
    assert GRID.headings == (("Energy market", 2), ("Metering", 1))


def test_ar05_an_untouched_form_asks_for_nothing() -> None:
    """AR-05: what is ticked is what is held."""
    assert role_grid.changes(["person|P-1|bids"], role_grid.seen(GRID)) == ()


def test_ar04_a_tick_that_is_taken_away_revokes() -> None:
    """AR-04: only what the form showed is revoked, at the version that it showed."""
    asked = role_grid.changes(["person|P-2|view"], role_grid.seen(GRID))
    assert asked == (
        Change(cell("P-1", "bids"), False, 1),
        Change(cell("P-2", "view"), True, 0),
    )


def test_ar04_what_a_filter_hides_is_kept() -> None:
    """AR-04: the form of a filtered grid says nothing about hidden people and roles."""
    for wanted in (Wanted(text="singh"), Wanted(heading="Metering")):
        assert role_grid.seen(role_grid.arranged(GRID, wanted)) == ""


@pytest.mark.parametrize(
    "field",
    ["", "person", "person|P-1", "person|P-1|", "robot|P-1|bids", "person|P-1|bids|more", "||"],
)
def test_a_field_that_names_no_cell_is_refused(field: str) -> None:
    """A named refusal, never a fault of the server."""
    with pytest.raises(BadCell):
        role_grid.cell_of(field)
    with pytest.raises(BadCell):
        role_grid.changes([field], "")
    with pytest.raises(BadCell):
        role_grid.read(f"+{field}=1")


@pytest.mark.parametrize("version", ["", "x", "-1", "١", "1" * 10])
def test_a_version_is_a_number(version: str) -> None:
    """As above."""
    with pytest.raises(BadCell):
        role_grid.read(f"+person|P-1|bids={version}")
    with pytest.raises(BadCell):
        role_grid.changes([], f"person|P-1|bids={version}")


def test_a_change_without_sign_is_refused() -> None:
    """As above."""
    with pytest.raises(BadCell):
        role_grid.read("person|P-1|bids=1")


@given(st.booleans(), st.integers(0, 10**9 - 1), st.sampled_from(list(AccountKind)))
def test_a_change_is_read_as_it_was_written(grants: bool, version: int, kind: AccountKind) -> None:
    """The confirmation's form carries what was reviewed."""
    change = Change(Cell(AccountKey(kind, "P-1=2"), "bids"), grants, version)
    assert role_grid.read(role_grid.written(change)) == change


def test_a_download_has_a_record_for_each_role_held() -> None:
    """Every column of a record is in the download."""
    (record,) = role_grid.records(GRID)
    assert tuple(record) == role_grid.RECORD
    assert (record["id"], record["role"], record["since"]) == (
        "P-1", "bids", "2026-05-05T00:00:00+00:00",
    )  # fmt: skip


def test_since_is_the_oldest_of_what_is_held() -> None:
    """The grid says since when somebody has access."""
    assert row("P-4", "Cy", bids=MAY, view=JANUARY).since == JANUARY
    assert BO.since is None
