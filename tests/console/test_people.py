"""Lists of people: which accounts, in which order, page by page, and as CSV."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest

from idp.directory import account_lists, accounts, lifecycle
from idp.directory.account_lists import AccountFilter, AccountList
from idp.list_pages import ListRequest
from idp.models import AccountKind, AccountState
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.world import World

AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR


def usernames(page: str) -> list[str]:
    """The second cell of each row."""
    if "<tbody>" not in page:
        return []
    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
    return [re.split(r"[ <]", row.split("<td>")[1])[0] for row in rows]


@pytest.fixture
def people(world: World) -> World:
    """One account or two in each list."""
    for name, family, state in (
        ("ann", "Zulu", AccountState.ACTIVE),
        ("ben", "Émond", AccountState.LOCKED),
        ("cyd", "Adams", AccountState.LOCKED),
        ("dan", "eaton", AccountState.SUSPENDED),
        ("eve", "Brown", AccountState.PENDING),
        ("fay", "Moss", AccountState.DEACTIVATED),
    ):
        world.account(name, given_name=name.capitalize(), family_name=family, state=state)
    return world


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("locked", ["cyd", "ben"]),
        ("pending", ["eve"]),
        ("suspended", ["dan"]),
        ("deactivated", ["fay"]),
        ("reset-required", []),
        ("temporary", []),
    ],
)
def test_each_state_has_a_list_of_its_accounts(people: World, name: str, found: list[str]) -> None:
    """By family name, whatever its capitals and accents."""
    page = Desk.of(people).browser.get("/console/people", list=name)
    assert usernames(page.text) == found
    assert f'list={name}" aria-current="page"' in page.text
    assert ("No accounts in this list." in page.text) == (not found)


def test_all_accounts_are_sorted_by_name_user_name_and_time(people: World) -> None:
    """Each head is a link; a second time it turns the order."""
    desk = Desk.of(people)
    first = desk.browser.get("/console/people").text
    ours = [name for name in usernames(first) if name != desk.username]
    assert ours == ["cyd", "eve", "dan", "ben", "fay", "ann"]
    head = re.findall(r'aria-sort="ascending"><a href="([^"]+)"', first)
    assert [unescape(link) for link in head] == ["/console/people?list=all&sort=name&order=desc"]
    turned = usernames(desk.browser.get("/console/people", sort="name", order="desc").text)
    assert [name for name in turned if name != desk.username] == ours[::-1]
    by_name = usernames(desk.browser.get("/console/people", sort="username").text)
    assert by_name == sorted(by_name)
    unknown = usernames(desk.browser.get("/console/people", sort="password_hash").text)
    assert [name for name in unknown if name != desk.username] == ours


def test_an_unused_temporary_password_is_listed(people: World) -> None:
    """Until it is used or expires, with who issued it."""
    desk = Desk.of(people)
    desk.temporary_password("ann")
    page = desk.browser.get("/console/people", list="temporary").text
    assert usernames(page) == ["ann"]
    assert f"issued by {desk.username}, expires " in page
    people.clock.advance(seconds=people.settings.temporary_password_seconds)
    desk.browser.sign_in(desk.username)
    assert usernames(desk.browser.get("/console/people", list="temporary").text) == []


def test_an_expired_account_is_listed_as_deactivated(people: World) -> None:
    """PR-05: deactivated, even before the worker has recorded it."""
    with people.work() as work:
        account = accounts.by_username(work, "ben")
        account.ends_at = work.now
    assert usernames(Desk.of(people).browser.get("/console/people", list="locked").text) == ["cyd"]


def test_filters_by_participant_kind_role_group_and_application(people: World) -> None:
    """Alone and together; a role group counts at the participant that is asked for."""
    people.relying_party()
    people.role_group("EMI Viewer", "emi")
    people.role_group("CROW Viewer")
    people.grant_role("ann", "EMI Viewer", "109120")
    people.grant_role("cyd", "CROW Viewer", "109120")
    people.grant_role("ben", "CROW Viewer", "111340")
    people.account("robot", kind=AccountKind.MACHINE)
    desk = Desk.of(people)

    def found(**query: str) -> list[str]:
        return usernames(desk.browser.get("/console/people", **query).text)

    assert found(participant="109120") == ["cyd", "ann"]
    assert found(group="CROW Viewer") == ["cyd", "ben"]
    assert found(group="CROW Viewer", participant="109120") == ["cyd"]
    assert found(group="EMI Viewer", participant="111340") == []
    assert found(application="emi") == ["ann"]
    assert found(list="locked", participant="111340") == ["ben"]
    assert found(kind="machine") == ["robot"]
    for nothing in ({"participant": "x"}, {"group": "x"}, {"application": "x"}, {"kind": "x"}):
        assert found(**nothing) == []
    page = desk.browser.get("/console/people", participant="x").text
    assert "No results for these filters." in page
    people.revoke_role("ann", "EMI Viewer", "109120")
    assert found(application="emi") == []


def test_paging_in_both_directions_shows_each_account_once(world: World) -> None:
    """Keyset pages: also with many people of one name."""
    for n in range(7):
        world.account(f"same{n}", given_name="Kim", family_name="Lee")
    with world.work() as work:
        for sort in account_lists.SORTS:
            for is_descending in (False, True):
                whole = account_lists.page(
                    work, AccountFilter(), ListRequest(sort, is_descending), size=100
                )
                expected = [row.account.id for row in whole.rows]
                assert len(expected) == 7
                assert (whole.next, whole.previous) == (None, None)
                pages, request = [], ListRequest(sort, is_descending)
                while True:
                    page = account_lists.page(work, AccountFilter(), request, size=3)
                    pages.append([row.account.id for row in page.rows])
                    if page.next is None:
                        break
                    request = ListRequest(sort, is_descending, after=page.next)
                assert pages == [expected[:3], expected[3:6], expected[6:]]
                assert page.previous is not None
                back = account_lists.page(
                    work,
                    AccountFilter(),
                    ListRequest(sort, is_descending, before=page.previous),
                    size=3,
                )
                assert [row.account.id for row in back.rows] == expected[3:6]
                assert (back.next, back.previous) == (expected[5], expected[3])
                first = account_lists.page(
                    work,
                    AccountFilter(),
                    ListRequest(sort, is_descending, before=expected[3]),
                    size=3,
                )
                assert [row.account.id for row in first.rows] == expected[:3]
                assert (first.next, first.previous) == (expected[2], None)


def test_an_unknown_page_key_shows_the_first_page(people: World) -> None:
    """A made-up address is no error."""
    desk = Desk.of(people)
    first = usernames(desk.browser.get("/console/people").text)
    for typed in ("999999", "-1", "x", "9" * 30, "\u0661"):
        assert usernames(desk.browser.get("/console/people", after=typed).text) == first


def test_the_links_of_a_page_keep_filters_and_order(people: World) -> None:
    """Through the page itself."""
    desk = Desk.of(people)
    with people.work() as work:
        one = account_lists.page(
            work, AccountFilter(list=AccountList.LOCKED), ListRequest("username", True), size=1
        )
    page = desk.browser.get(
        "/console/people", list="locked", sort="username", order="desc", after=str(one.next)
    )
    assert usernames(page.text) == ["ben"]
    (back,) = re.findall(r'href="([^"]+)">Previous page', page.text)
    assert usernames(desk.browser.get(unescape(back)).text) == ["cyd"]
    assert "list=locked" in back
    assert "order=desc" in back


@pytest.mark.parametrize("role", [ACCESS, AUDITOR])
def test_a_list_is_downloaded_as_csv(people: World, role: ConsoleRole) -> None:
    """The same accounts in the same order; the download is in the audit log, and no cell is a
    formula (N82)."""
    people.account("gus", given_name="=cmd|x", family_name="Adams", state=AccountState.LOCKED)
    desk = Desk.of(people, role)
    page = desk.browser.get("/console/people", list="locked", sort="username", order="desc").text
    (link,) = re.findall(r'href="(/console/people/export[^"]+)"', page)
    answer = desk.browser.get(unescape(link))
    assert 'filename="people.csv"' in answer.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [row["username"] for row in table] == ["gus", "cyd", "ben"] == usernames(page)
    assert table[0]["name"] == "'=cmd|x Adams"
    assert table[1]["state"] == "locked"
    event = people.events("accounts.exported")[-1]
    assert (event.actor, event.data) == (desk.username, {"filter": {"list": "locked"}})


def test_customer_relations_downloads_no_list(people: World) -> None:
    """N72: the button is not there, and its address is refused and recorded."""
    desk = Desk.of(people, AGENT)
    assert "/console/people/export" not in desk.browser.get("/console/people").text
    assert desk.browser.get("/console/people/export").status_code == 403
    assert people.events("accounts.exported") == []
    assert people.events("console.refused")[-1].data["page"] == "console.export_people"


def test_the_counts_match_the_lists_of_each_state(people: World) -> None:
    """As many as the lists have."""
    with people.work() as work:
        found = account_lists.counts(work)
        assert (found.by_state["locked"], found.by_state["pending"], found.temporary) == (2, 1, 0)
        assert found.total == 5
        lifecycle.change_state(
            work, accounts.by_username(work, "ben"), AccountState.ACTIVE, reason="test"
        )
        work.db.flush()
        assert account_lists.counts(work).by_state["locked"] == 1


def test_a_renamed_person_is_sorted_by_the_new_name(people: World) -> None:
    """The order follows the account."""
    from idp.directory import persons
    from idp.directory.persons import PersonChanges

    with people.work() as work:
        person = accounts.by_username(work, "ann").person
        persons.update(work, person, PersonChanges(family_name="Aaron"))
    assert usernames(Desk.of(people).browser.get("/console/people").text)[0] == "ann"
