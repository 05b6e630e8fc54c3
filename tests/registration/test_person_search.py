"""The search before a person is registered, and the history of an organization."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from registration import access_batches, history_list, person_search
from registration.access_changes import AccountKey, Cell, Change
from registration.delegation_facts import AccountKind, Actor
from registration.history_list import Asked
from registration.person_search import Sought
from registration.transaction import UnitOfWork
from tests.registration.participant import NOW, OLD, RA, TRADER, participant, person


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (Sought(last_name="sm"), ["1", "2"]),
        (Sought(last_name="MIT"), ["1", "2"]),
        (Sought(last_name="sm", first_name="jo"), ["1", "2"]),
        (Sought(first_name="cote"), []),
        (Sought(last_name="cote"), ["3"]),
        (Sought(person_id="2"), ["2"]),
        (Sought(person_id="2", last_name="other"), []),
        (Sought(last_name="%m"), []),
        (Sought(last_name="s_i"), []),
        (Sought(last_name="côté|lu"), []),
        (Sought(last_name="cote", first_name="marie"), ["3"]),
        (Sought(last_name="cote", first_name="lulu"), ["3"]),
        (Sought(first_name="smith"), []),
        (Sought(last_name="john"), []),
        (Sought(), []),
        (Sought(last_name="s"), []),
    ],
)
def test_rg04_any_part_of_a_name_finds(work: UnitOfWork, sought: Sought, found: list[str]) -> None:
    """RG-04, RG-05: "sm" finds Smith; two of the same name are told apart by Person ID; one letter
    and nothing at all find nobody."""
    for number, name in (("2", "John Smith"), ("1", "John Smith")):
        person(work, number, name, account=False)
    lucie = person(work, "3", "Lucie Côté", account=False)
    lucie.middle_name, lucie.preferred_name = "Marie", "Lulu"
    lucie.search_key = person_search.search_key("Lucie", "Côté", "Marie", "Lulu")
    rows = person_search.search(work, sought).persons
    assert sorted(row.person_id for row in rows) == found


def test_rg04_too_many_results_ask_for_more_letters(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RG-04: the database cuts them off, and not this program."""
    monkeypatch.setattr(person_search, "MOST", 2)
    for number in ("1", "2", "3", "4"):
        person(work, number, "John Smith", account=False)
    work.db.flush()
    work.db.expunge_all()
    loaded: list[object] = []
    event.listen(work.db, "loaded_as_persistent", lambda _, row: loaded.append(row))
    found = person_search.search(work, Sought(last_name="smith"))
    assert (len(found.persons), found.has_more) == (2, True)
    assert len(loaded) == 3


def test_tm12_the_history_is_read_newest_first(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TM-12: page after page, by action, person and period; with the names of people."""
    monkeypatch.setattr(history_list, "SIZE", 2)
    here = participant(work)
    cell = Cell(AccountKey(AccountKind.PERSON, TRADER), "bids")
    for saw, grants in enumerate((True, False, True)):
        access_batches.order(work, Actor(RA), here, [Change(cell, grants, saw)], why=f"step {saw}")
        work.db.flush()
    first, following = history_list.page(work, here, Asked())
    assert [one.reason for one in first] == ["step 2", "step 1"]
    assert (first[0].actor_name, first[0].person_name) == ("Marie Tremblay", "Ada Moreau")
    last, end = history_list.page(work, here, Asked(), before=following)
    assert ([one.reason for one in last], end) == (["step 0"], 0)
    monkeypatch.setattr(history_list, "SIZE", 10)
    found = {
        asked: len(history_list.page(work, here, asked)[0])
        for asked in (
            Asked(person=TRADER, actor=RA),
            Asked(action="access.revoked"),
            Asked(person="nobody"),
            Asked(until=OLD),
            Asked(since=NOW),
        )
    }
    assert list(found.values()) == [3, 1, 0, 0, 3]
