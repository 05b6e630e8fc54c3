"""Pages of role groups: the list, one with its members, and granting from choices."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from idp.directory import accounts, held_role_groups, role_groups
from idp.models import AccountKind, AccountState, Assignment
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.console.test_people import usernames
from tests.world import World

AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR


@pytest.fixture
def desk(world: World) -> Desk:
    world.relying_party()
    world.role_group("EMI Viewer", "emi")
    world.role_group("TRA Bidder", participation="TR Market")
    world.role_group("EMI Robot", "emi", kind="machine")
    world.participant("109120", "Grand Bend Energy")
    world.participant("111340", "Erie Wind")
    return Desk.of(world, ACCESS)


def path(world: World, name: str) -> str:
    with world.work() as work:
        return f"/console/role-groups/{role_groups.by_name(work, name).id}"


def heads(page: str) -> list[str]:
    """The first cell of each row."""
    body = page.split("<tbody>")[1].split("</tbody>")[0] if "<tbody>" in page else ""
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)', body)


def held(world: World, username: str) -> list[Assignment]:
    with world.work() as work:
        rows = held_role_groups.list_held(work, accounts.by_username(work, username))
        work.db.expunge_all()
        return rows


def options(page: str, name: str) -> list[str]:
    """The values of a field with choices."""
    found = re.search(rf'<select id="[^"]+" name="{name}".*?</select>', page, re.DOTALL)
    assert found
    return re.findall(r'<option value="([^"]*)"', found[0])


def test_role_groups_are_listed_filtered_and_sorted(desk: Desk) -> None:
    """By name, type and application."""

    def found(**query: str) -> list[str]:
        names = heads(desk.browser.get("/console/role-groups", **query).text)
        return [name for name in names if not name.startswith("Gateway ")]

    assert found() == ["EMI Robot", "EMI Viewer", "TRA Bidder"]
    assert found(sort="name", order="desc") == ["TRA Bidder", "EMI Viewer", "EMI Robot"]
    assert found(sort="kind") == ["EMI Robot", "EMI Viewer", "TRA Bidder"]
    assert found(kind="machine") == ["EMI Robot"]
    assert found(application="emi") == ["EMI Robot", "EMI Viewer"]
    assert found(text="bid") == ["TRA Bidder"]
    assert "No results for these filters." in (
        desk.browser.get("/console/role-groups", text="zzz").text
    )


def test_the_page_of_a_role_group_has_its_members_by_participant(world: World, desk: Desk) -> None:
    """With the dates of each, filtered and paged."""
    for name in ("alpha", "beta"):
        world.account(name, family_name=name.capitalize())
    world.grant_role("alpha", "EMI Viewer", "109120")
    world.grant_role("alpha", "EMI Viewer", "111340")
    world.grant_role("beta", "EMI Viewer", "111340")
    here = path(world, "EMI Viewer")
    page = desk.browser.get(here).text
    assert usernames(page) == ["alpha", "beta"]
    assert "Grand Bend Energy (109120)<br>Erie Wind (111340)" in page
    assert '<a href="/console/clients/emi">emi</a>' in page
    assert usernames(desk.browser.get(here, participant="109120").text) == ["alpha"]
    world.revoke_role("alpha", "EMI Viewer", "109120")
    assert usernames(desk.browser.get(here, participant="109120").text) == []
    assert desk.browser.get("/console/role-groups/999999").status_code == 404
    assert "Nobody has this role group." in desk.browser.get(path(world, "TRA Bidder")).text


def test_more_members_are_on_the_next_page(world: World, desk: Desk) -> None:
    """Fifty on a page, none twice."""
    for n in range(52):
        name = world.account(f"many{n:02}", state="pending", family_name=f"Many{n:02}")
        world.grant_role(name, "EMI Viewer")
    first = desk.browser.get(path(world, "EMI Viewer")).text
    assert len(usernames(first)) == 50
    (link,) = re.findall(r'href="([^"]+)">Next page', first)
    second = usernames(desk.browser.get(unescape(link)).text)
    assert second == ["many50", "many51"]


def test_a_role_group_is_granted_from_choices_with_dates(world: World, desk: Desk) -> None:
    """PR-02: whole days in Toronto, the last one included; the page shows them."""
    username, here = world.account("alpha"), path(world, "EMI Viewer")
    assert {"109120", "111340"} <= set(options(desk.browser.get(here).text, "participant"))
    sent = {"username": username, "participant": "111340"}
    dates = {"valid_from": "2026-12-01", "valid_until": "2026-12-31"}
    answer = desk.post(f"{here}/members", **sent, **dates)
    assert (answer.status_code, answer.headers["Location"]) == (303, here)
    (row,) = held(world, username)
    assert row.valid_from == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert row.valid_until == datetime(2027, 1, 1, 5, tzinfo=UTC)
    assert "from 1 December 2026, 00:00 EST, until 1 January 2027, 00:00 EST" in (
        desk.browser.get(here).text
    )
    assert world.events("role_group.assigned")[-1].actor == desk.username
    desk.post(f"{here}/members", **sent)
    assert "already has this role group. Nothing was changed." in desk.browser.get(here).text
    assert held(world, username)[0].valid_until is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "nobody"}, "No account has this user name."),
        ({"participant": "9"}, "Participant 9 is not registered."),
        ({"valid_until": "tomorrow"}, "Enter dates as YYYY-MM-DD."),
        ({"valid_until": "2020-01-01"}, "ends before it starts"),
    ],
)
def test_a_refused_grant_is_explained_and_the_input_kept(
    world: World, desk: Desk, change: dict[str, str], words: str
) -> None:
    """400, nothing changed."""
    username, here = world.account("alpha"), path(world, "EMI Viewer")
    sent = {"username": username, "participant": "111340", "valid_from": "2026-11-30"} | change
    answer = desk.post(f"{here}/members", **sent)
    assert (answer.status_code, words in unescape(answer.text)) == (400, True), answer.text
    assert f'value="{sent["username"]}"' in answer.text
    assert 'value="2026-11-30"' in answer.text
    assert held(world, username) == []


def test_the_account_page_offers_role_groups_of_its_kind(world: World, desk: Desk) -> None:
    """Not those of operators, nor of other kinds; participants that have not ended."""
    person, robot = world.account(), world.account(kind=AccountKind.MACHINE)
    page = access_of(desk, person)
    assert options(page, "group") == ["EMI Viewer", "TRA Bidder"]
    assert "111340" in options(page, "participant")
    assert options(access_of(desk, robot), "group") == ["EMI Robot"]
    answer = desk.post(
        f"{desk.path(person)}/grant",
        group="EMI Viewer",
        participant="111340",
        valid_until="2027-06-30",
    )
    assert answer.status_code == 303
    assert held(world, person)[0].valid_until == datetime(2027, 7, 1, 4, tzinfo=UTC)


def access_of(desk: Desk, username: str) -> str:
    return desk.browser.get(f"{desk.path(username)}/access").text


def test_a_role_group_is_created_and_a_faulty_form_keeps_its_input(
    world: World, desk: Desk
) -> None:
    """The participations that exist; the new one has its page."""
    assert options(desk.browser.get("/console/role-groups").text, "participation") == [
        "", "TR Market",
    ]  # fmt: skip
    typed = {"name": "EMI Viewer", "kind": "machine", "description": "Reads <all>"}
    wrong = desk.post("/console/role-groups/new", **typed)
    assert wrong.status_code == 400
    assert 'value="Reads &lt;all&gt;"' in wrong.text
    assert '<option value="machine" selected>' in wrong.text
    made = desk.post("/console/role-groups/new", **(typed | {"name": "EMI Writer"}))
    assert made.headers["Location"] == path(world, "EMI Writer")


def test_operator_role_groups_cannot_be_granted_in_the_console(world: World, desk: Desk) -> None:
    """N74: no form, and 403."""
    here = path(world, str(ACCESS))
    assert "/members" not in desk.browser.get(here).text
    sent = {"username": world.account(), "participant": "IESO"}
    assert desk.post(f"{here}/members", **sent).status_code == 403


def test_auditors_read_what_access_management_changes(world: World, desk: Desk) -> None:
    """Applications, role groups, participants, settings and keys: without a form that changes
    anything; agents see none of them."""
    auditor, agent = Desk.of(world, AUDITOR), Desk.of(world, AGENT)
    pages = {
        "/console/clients": "EMI",
        "/console/clients/emi": "https://emi.rp.test/callback",
        "/console/role-groups": "EMI Viewer",
        path(world, "EMI Viewer"): "Members",
        "/console/participants": "Erie Wind",
        "/console/participants/111340": "Erie Wind",
        "/console/keys": "RS256",
        "/console/settings": "IDP_LOCKOUT_FAILURES",
    }
    for address, words in pages.items():
        page = auditor.browser.get(address)
        assert (page.status_code, words in page.text) == (200, True), address
        for action in re.findall(r'<form [^>]*action="([^"]+)" method="post"', page.text):
            allowed = ("/language", "/console/clients/emi")
            assert action in allowed, (address, action)
        assert agent.browser.get(address).status_code == 403
    registration = auditor.browser.get("/console/clients/emi").text
    assert "<fieldset disabled><legend>Registration, read only</legend>" in registration
    assert "<fieldset disabled>" not in desk.browser.get("/console/clients/emi").text
    for address in ("/console/clients/emi", "/console/role-groups/new", "/console/keys/rotate"):
        assert auditor.post(address, name="x").status_code == 403


def test_the_account_of_a_grant_is_searched_and_chosen(world: World, desk: Desk) -> None:
    """PR-02: accounts of the kind that may hold it, not deactivated; the dates stay."""
    here = path(world, "EMI Viewer")
    person = {"given_name": "Rosa", "family_name": "Delgado"}
    world.account("alpha", **person)
    world.account("beta", **person)
    world.account("gamma", state=AccountState.DEACTIVATED, **person)
    world.account("robot", kind=AccountKind.MACHINE, **person)
    page = desk.browser.get(here, who="delgado", valid_until="2026-12-31").text
    found = re.findall(r'type="radio" id="username-\d" name="username" value="([^"]+)"', page)
    assert found == ["alpha", "beta"]
    assert "checked" not in page
    assert 'name="valid_until" type="text" value="2026-12-31"' in page
    assert 'name="username"' not in desk.browser.get(here).text
    assert "Nobody found." in desk.browser.get(here, who="nobody").text


def test_the_texts_of_a_role_group_can_be_changed(world: World, desk: Desk) -> None:
    """GW-10: in both languages; the name that applications receive stays; recorded."""
    here = path(world, "EMI Viewer")
    typed = {"description": "See data", "name_fr": "Lecture", "description_fr": "Voir les données"}
    assert desk.post(f"{here}/texts", **typed).status_code == 303
    with world.work() as work:
        group = role_groups.by_name(work, "EMI Viewer")
        assert {name: getattr(group, name) for name in typed} == typed
    assert world.events("role_group.described")[-1].data == {"group": "EMI Viewer"} | typed
    page = desk.browser.get(here).text
    assert '<dd lang="fr">Lecture</dd>' in page
    wrong = desk.post(f"{here}/texts", name_fr="x" * 101)
    assert (wrong.status_code, 'value="' + "x" * 101 in wrong.text) == (400, True)
    with world.work() as work:
        assert role_groups.by_name(work, "EMI Viewer").description == "See data"
