"""The search box: what a caller says finds the account."""

from __future__ import annotations

import pytest

from idp.directory import account_search, accounts
from idp.factors import recovery_phone
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.world import World


@pytest.fixture
def people(world: World) -> World:
    """A few people with much in common."""
    world.account(
        "gauthien", given_name="Noémie", family_name="Gauthier-O'Brien", person_id="100233",
        email="noemie@grandbend.example", phone="+1 613 555 0177 ext 4",
    )  # fmt: skip
    world.account("smithj", given_name="John", family_name="Smith", preferred_name="Jack")
    world.account("smithjl", given_name="John", middle_name="Lee", family_name="Smithson")
    world.role_group("EMI Viewer")
    world.grant_role("smithj", "EMI Viewer", "111340")
    return world


QUERIES = {
    "gauthien": ["gauthien"],
    "GAUTHIEN": ["gauthien"],
    "gaut": ["gauthien"],
    "noemie": ["gauthien"],
    "Noémie": ["gauthien"],
    "obrien": ["gauthien"],
    "o'brien": ["gauthien"],
    "brien gauth": ["gauthien"],
    "noemie@grandbend.example": ["gauthien"],
    "noemie@": ["gauthien"],
    "100233": ["gauthien"],
    "(613) 555-0177": ["gauthien"],
    "+1 613 555 0177": ["gauthien"],
    "16135550177": ["gauthien"],
    "smith": ["smithj", "smithjl"],
    "smith john": ["smithj", "smithjl"],
    "john lee": ["smithjl"],
    "jack": ["smithj"],
    "111340": ["smithj"],
    "Company 111": ["smithj"],
    "mith": [],
    "": [],
    "   ": [],
    "%": [],
    "smith_": [],
    "' OR 1=1 --": [],
    "x" * 5000: [],
    "\U0010ffff": [],
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_accounts_by_each_of_their_fields(people: World, query: str) -> None:
    """UserID, e-mail, Person ID, name, telephone, participant; by the beginning, folded."""
    with people.work() as work:
        found = account_search.search(work, query)
        assert sorted(account.username for account in found.accounts) == QUERIES[query]
        assert not found.more


def test_one_hit_is_opened_at_once_and_many_are_listed(people: World) -> None:
    """Keyboard first: type, Enter, the account is there."""
    desk = Desk.of(people)
    page = desk.browser.get("/console", q="gauth")
    assert page.request.path == desk.path("gauthien")
    page = desk.browser.get("/console", q="smith")
    assert "Smithson" in page.text
    assert page.request.path == "/console"
    assert "No accounts found" in desk.browser.get("/console", q="zzz").text


def test_no_more_than_fifty_are_listed(world: World) -> None:
    """The page says that there are more."""
    for number in range(55):
        world.account(f"mass{number:02}", family_name="Crowd")
    with world.work() as work:
        found = account_search.search(work, "crowd")
        assert (len(found.accounts), found.more) == (50, True)


def test_a_changed_value_is_found_by_its_new_words(people: World) -> None:
    """The words follow the account."""
    with people.work() as work:
        account = accounts.by_username(work, "smithj")
        recovery_phone._set(work, account, "+14169671111")
    with people.work() as work:
        assert len(account_search.search(work, "4169671111").accounts) == 1
        recovery_phone.remove(work, accounts.by_username(work, "smithj"))
    with people.work() as work:
        assert account_search.search(work, "4169671111").accounts == []


@pytest.mark.parametrize("role", list(ConsoleRole))
def test_every_operator_finds_accounts(people: World, role: ConsoleRole) -> None:
    """Also the auditor, who changes nothing."""
    desk = Desk.of(people, role)
    page = desk.open("gauthien")
    assert "Gauthier-O&#39;Brien" in page.text
    assert ("/actions/" in page.text) == (role is ConsoleRole.ACCESS)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "{{7*7}}", "A" * 100, "=cmd|x", "x\u200fy"[:1] + "y"]
)
def test_n82_names_are_inert_on_every_page_of_the_console(world: World, name: str) -> None:
    """N82: shown as typed, never as markup or template."""
    world.account("oddone", family_name=name)
    agent, auditor = Desk.of(world), Desk.of(world, ConsoleRole.AUDITOR)
    world.role_group("EMI Viewer")
    world.grant_role("oddone", "EMI Viewer")
    for page in (
        agent.open("oddone"),
        agent.browser.get("/console", q="odd"),
        auditor.browser.get("/console/access"),
        auditor.browser.get("/console/audit", person="oddone"),
    ):
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "49" not in page.text.split("<h1>")[1].split("</h1>")[0]
    csv = auditor.browser.get("/console/access/export").text
    assert "\n=cmd" not in csv
    assert ",=cmd" not in csv
