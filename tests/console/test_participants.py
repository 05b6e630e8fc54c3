"""Participants in the console: the list, and the page of one."""

from __future__ import annotations

import re

import pytest

from idp.directory import participants, participations
from idp.directory.participations import ParticipationRef
from idp.models import AccountKind
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.console.test_people import usernames
from tests.console.test_role_groups import heads
from tests.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    for number, name in (
        ("109120", "Grand Bend Energy"),
        ("111340", "Érié Wind"),
        ("120001", "Algoma Storage"),
    ):
        world.participant(number, name)
    desk = Desk.of(world, ConsoleRole.ACCESS)
    with world.work() as work:
        row = participants.by_number(work, "111340")
        participations.replace(work, row, [ParticipationRef("TR Market")])
        participants.end(work, participants.by_number(work, "120001"))
    return desk


def test_participants_are_listed_filtered_and_sorted(desk: Desk) -> None:
    """By name and number, whatever its accents; by participation and status."""

    def found(**query: str) -> list[str]:
        names = heads(desk.browser.get("/console/participants", **query).text)
        return [name for name in names if not name.startswith(("IESO", "Company"))]

    assert found() == ["Algoma Storage", "Érié Wind", "Grand Bend Energy"]
    assert found(sort="number") == ["Grand Bend Energy", "Érié Wind", "Algoma Storage"]
    assert found(state="ended") == ["Algoma Storage"]
    assert found(participation="TR Market") == ["Érié Wind"]
    assert found(text="1") == found()
    page = desk.browser.get("/console/participants", text="zzz").text
    assert "No results for these filters." in page


def test_a_single_match_is_opened_directly(desk: Desk) -> None:
    """By the beginning of its name, without accents, or by its number."""
    for text in ("erie", "111340"):
        page = desk.browser.get("/console/participants", text=text)
        assert page.request.path == "/console/participants/111340"
    assert desk.browser.get("/console/participants/9").status_code == 404


def test_the_page_has_participations_contacts_people_and_machines(world: World, desk: Desk) -> None:
    """Each kind of account is a list of its own."""
    world.role_group("EMI Viewer")
    world.role_group("EMI Robot", kind="machine")
    world.account("alpha", person_id="ID-a", given_name="Rosa")
    world.account("robot", kind=AccountKind.MACHINE)
    world.grant_role("alpha", "EMI Viewer", "111340")
    world.grant_role("robot", "EMI Robot", "111340")
    page = desk.browser.get("/console/participants/111340").text
    assert "<li>TR Market" in page
    assert usernames(page) == ["alpha"]
    machines = desk.browser.get("/console/participants/111340", kind="machine").text
    assert usernames(machines) == ["robot"]
    assert "Custodian" in machines
    ended = desk.browser.get("/console/participants/120001").text
    assert "Ended on 25 November 2026" in ended


def test_an_invalid_contact_is_refused_and_the_input_kept(desk: Desk) -> None:
    """400, in the language of the page, and the form keeps its values."""
    sent = {"number": "111340", "person_id": "ID-none", "function": "primary_contact"}
    answer = desk.post("/console/participants/contact", change="appoint", **sent)
    assert answer.status_code == 400
    assert "Person ID-none has no account and cannot be a contact" in answer.text
    assert 'value="ID-none"' in answer.text
    assert '<input type="hidden" name="function" value="primary_contact">' in answer.text
    again = desk.browser.get("/console/participants/111340", who="none", function="primary_contact")
    assert "Nobody found." in again.text
    desk.browser.client.post(
        "/language",
        data={"csrf_token": desk.token(), "locale": "fr"},
        base_url=desk.browser.base,
    )
    french = desk.post("/console/participants/contact", change="appoint", **sent)
    assert "ID-none" in french.text
    assert "has no account" not in french.text


def test_a_contact_is_searched_and_chosen(world: World, desk: Desk) -> None:
    """NT-03: by name, user name, e-mail or Person ID; each person once; the function stays."""
    world.account("ra", person_id="ID-ra", given_name="Rosa", family_name="Delgado")
    world.account("other", person_id="ID-x", given_name="Otto", family_name="Kim")
    page = desk.browser.get("/console/participants/111340", who="delg", function="primary_contact")
    assert re.findall(r'type="radio" id="person_id-1" name="person_id" value="([^"]+)" checked',
                      page.text) == ["ID-ra"]  # fmt: skip
    assert "Rosa Delgado</label>" in page.text
    assert "ID-ra, ra@participant.example" in page.text
    assert "Otto" not in page.text
    assert '<option value="primary_contact" selected>' in page.text
    assert '<details open><summary id="appoint">' in page.text
    closed = desk.browser.get("/console/participants/111340").text
    assert 'name="person_id"' not in closed
    assert "<details><summary" in closed
