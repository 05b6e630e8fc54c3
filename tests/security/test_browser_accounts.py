"""Several accounts of one person in one browser: choice, switch, sign-out, and what a browser may
not have (docs/decisions/0066)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.models import AccountKind, AccountState, BrowserSession
from idp.policy.registered_values import SecondAccountReason
from idp.session import browser_accounts
from tests.oidc.test_statements import count
from tests.security.test_authorization_request import claims_of
from tests.security.test_front_channel_logout import relying_party as framed
from tests.security.test_login_cookies import cookie_of, is_signed_in, plant
from tests.world import PASSWORD, Browser, Rp, World, answer_of, hidden_fields, registered

ACCOUNTS, CHOOSE = "/accounts", "/signin/account"


def of_one_person(world: World, number: int) -> list[str]:
    """User names of accounts of one person: one for each further participant."""
    names = [world.account() for _ in range(number)]
    with world.work() as work:
        first, *more = (accounts.by_username(work, name) for name in names)
        for n, row in enumerate(more):
            row.second_reason = SecondAccountReason.TRANSMISSION_RIGHTS
            row.second_participant = registered(work, f"1093{n:02}")
            row.person = first.person
    return names


def add(browser: Browser, username: str) -> TestResponse:
    """Sign in with one more account, as the page offers it."""
    page = browser.submit(browser.get(ACCOUNTS), ACCOUNTS, choice="other")
    return browser.sign_in(username, page=page)


def two(world: World) -> tuple[Browser, str, str]:
    """A browser with two accounts; the second one is active."""
    first, second = of_one_person(world, 2)
    browser = world.browser().signed_in(first)
    assert add(browser, second).status_code == 200
    return browser, first, second


def id_of(world: World, username: str) -> str:
    """The public id of the latest session of an account."""
    with world.work() as work:
        query = select(BrowserSession).where(
            BrowserSession.account_id == world.id_of(work, username)
        )
        rows = work.db.scalars(query.order_by(BrowserSession.id))
        return str(list(rows)[-1].public_id)


def shown(page: TestResponse) -> list[str]:
    """The accounts that a page offers."""
    return re.findall(r"holder\d+", "".join(re.findall(r'<p class="hint">[^<]*</p>', page.text)))


def active(browser: Browser) -> str:
    """Whose settings this browser opens."""
    found = re.findall(r"holder\d+", browser.get("/settings").text)
    return found[0] if found else ""


def answered_as(world: World, rp: Rp, answer: TestResponse) -> dict[str, object]:
    """The claims that the application gets."""
    tokens = world.redeem(rp, answer_of(answer)["code"]).json or {}
    return dict(claims_of(tokens["id_token"]))


def test_n14_the_page_shows_the_accounts_and_continues_with_the_chosen_one(world: World) -> None:
    """N14, OIDC Core 3.1.2.1: with the session of that account: its ``auth_time`` and ``sub``."""
    rp = world.relying_party()
    first, second = of_one_person(world, 2)
    world.role_group("EMI User", rp.client_id)
    world.grant_role(first, "EMI User")
    browser = world.browser().signed_in(first)
    begun = int(world.clock.now().timestamp())
    world.clock.advance(minutes=10)
    add(browser, second)
    page = browser.authorize(rp, prompt="select_account")
    assert shown(page) == [second, first]
    assert "Company 109120" in page.text
    claims = answered_as(world, rp, browser.submit(page, CHOOSE, account=id_of(world, first)))
    assert (claims["preferred_username"], claims["auth_time"]) == (first, begun)
    assert active(browser) == first
    (event,) = world.events("session.switched")
    assert (event.account_id, event.data["former"]) == (world.account_row(first).id, second)


def test_n13_the_chosen_account_has_to_meet_the_request_as_any_other(world: World) -> None:
    """N13, N14: ``max_age`` of its own sign-in, and the hint. A level is asked for afterwards."""
    rp, (first, second) = world.relying_party(), of_one_person(world, 2)
    browser = world.browser()
    code = browser.code(rp, first)
    of_first = (world.redeem(rp, code).json or {})["id_token"]
    world.clock.advance(minutes=6)
    add(browser, second)
    page = browser.authorize(rp, prompt="select_account", max_age="300")
    page = browser.submit(page, CHOOSE, account=id_of(world, first))
    assert page.request.path == "/signin"
    assert "code" in answer_of(browser.sign_in(first, page=page))
    page = browser.authorize(rp, prompt="select_account", id_token_hint=of_first)
    answer = answer_of(browser.submit(page, CHOOSE, account=id_of(world, second)))
    assert answer["error"] == "login_required"
    page = browser.authorize(rp, prompt="select_account", id_token_hint=of_first)
    assert "code" in answer_of(browser.submit(page, CHOOSE, account=id_of(world, first)))
    page = browser.authorize(
        rp, prompt="select_account", claims='{"id_token":{"acr":{"essential":true,"value":"phr"}}}'
    )
    answer = answer_of(browser.submit(page, CHOOSE, account=id_of(world, second)))
    assert answer["error"] == "unmet_authentication_requirements"


def test_n14_a_silent_request_with_a_hint_finds_the_account_that_is_not_active(
    world: World,
) -> None:
    """OIDC Core 3.1.2.1: the person of the hint is signed in. The active account stays. Without the
    session it is ``login_required``."""
    rp, (first, second) = world.relying_party(), of_one_person(world, 2)
    browser = world.browser()
    hint = (world.redeem(rp, browser.code(rp, first)).json or {})["id_token"]
    add(browser, second)
    answer = browser.authorize(rp, prompt="none", id_token_hint=hint)
    assert answered_as(world, rp, answer)["preferred_username"] == first
    assert active(browser) == second
    world.set_state(first, AccountState.SUSPENDED)
    refused = browser.authorize(rp, prompt="none", id_token_hint=hint)
    assert answer_of(refused)["error"] == "login_required"


def _of_another_browser(world: World, _browser: Browser, username: str) -> str:
    world.browser().signed_in(username)
    return id_of(world, username)


def _suspended(world: World, _browser: Browser, username: str) -> str:
    world.set_state(username, AccountState.SUSPENDED)
    return id_of(world, username)


def _locked(world: World, _browser: Browser, username: str) -> str:
    world.set_state(username, AccountState.LOCKED)
    return id_of(world, username)


def _ended(world: World, _browser: Browser, username: str) -> str:
    elsewhere = world.browser().signed_in(username)
    elsewhere.submit(elsewhere.get("/settings/sessions"), "/settings/sessions/end-others")
    with world.work() as work:
        query = select(BrowserSession).where(BrowserSession.ended_at.is_not(None))
        return str(work.db.scalars(query).one().public_id)


def _idle(world: World, browser: Browser, username: str) -> str:
    for _ in range(3):
        world.clock.advance(minutes=25)
        browser.get("/")
    return id_of(world, username)


REFUSED: dict[str, Callable[[World, Browser, str], str]] = {
    "of another browser": _of_another_browser,
    "suspended": _suspended,
    "locked": _locked,
    "ended": _ended,
    "idle": _idle,
    "unknown": lambda _w, _b, _u: "x" * 22,
    "empty": lambda _w, _b, _u: "",
    "overlong": lambda _w, _b, _u: "x" * 5_000,
}


@pytest.mark.parametrize("case", REFUSED)
def test_n73_an_account_that_is_not_in_this_browser_cannot_be_chosen(
    world: World, case: str
) -> None:
    """N73, N58: by the id of its session; each session keeps its own limits and its own end."""
    browser, first, second = two(world)
    page = browser.get(ACCOUNTS)
    wanted = REFUSED[case](world, browser, first)
    before = cookie_of(browser)
    browser.submit(page, ACCOUNTS, account=wanted)
    assert active(browser) == second
    assert cookie_of(browser) == before
    assert world.events("session.switched") == []
    page = browser.authorize(world.relying_party(), prompt="select_account")
    page = browser.submit(page, CHOOSE, account=wanted)
    assert page.request.path == CHOOSE
    assert active(browser) == second


def test_n53_a_switch_and_a_sign_in_change_every_cookie(world: World) -> None:
    """N53, N55: an old session cookie opens nothing, neither does the one that names them all."""
    first, second = of_one_person(world, 2)
    browser = world.browser().signed_in(first)
    assert cookie_of(browser, "accounts") is None
    of_first = cookie_of(browser, "state")
    seen, names_all = [cookie_of(browser)], []
    add(browser, second)
    of_second = cookie_of(browser, "state")
    for username, state in ((first, of_first), (second, of_second)):
        seen.append(cookie_of(browser))
        names_all.append(cookie_of(browser, "accounts"))
        browser.submit(browser.get(ACCOUNTS), ACCOUNTS, account=id_of(world, username))
        assert active(browser) == username
        assert cookie_of(browser, "state") == state
    assert of_first != of_second
    assert len({*seen, cookie_of(browser)}) == 4
    assert len({*names_all, cookie_of(browser, "accounts")}) == 3
    for old in (*seen, *names_all, cookie_of(browser, "accounts")):
        assert not is_signed_in(world, old)
    thief = world.browser()
    for old in names_all:
        plant(thief, old or "", "accounts")
        assert thief.get(ACCOUNTS).request.path == "/signin"


def test_n54_a_planted_cookie_names_no_accounts_to_who_is_signed_in(world: World) -> None:
    """N54: fixation. The cookie of another browser does not belong to the victim's session, and
    the victim's sign-in does not join what the attacker knows."""
    attacker, first, _second = two(world)
    planted = cookie_of(attacker, "accounts") or ""
    victim = world.browser().signed_in(world.account())
    plant(victim, planted, "accounts")
    assert first not in victim.get(ACCOUNTS).text
    fresh = world.browser()
    plant(fresh, planted, "accounts")
    username = world.account()
    assert fresh.sign_in(username).status_code == 200
    assert cookie_of(fresh, "accounts") is None
    assert shown(fresh.get(ACCOUNTS)) == [username]


def test_n54_the_accounts_of_another_person_end_at_a_shared_terminal(world: World) -> None:
    """N54: when another person signs in, all sessions of the person before end, with their
    logouts. A machine account of the same person does not stay either."""
    browser, first, second = two(world)
    stranger = world.account()
    assert add(browser, stranger).status_code == 200
    ended = world.events("session.ended")
    assert [row.data["why"] for row in ended] == ["replaced", "replaced"]
    assert {row.account_id for row in ended} == {world.account_row(n).id for n in (first, second)}
    assert shown(browser.get(ACCOUNTS)) == [stranger]
    machine = world.account("APIIESO00042", kind=AccountKind.MACHINE, person_id="P00009")
    with world.work() as work:
        accounts.by_username(work, machine).person = accounts.by_username(work, stranger).person
    add(browser, machine)
    assert [row.data["why"] for row in world.events("session.ended")][2:] == ["replaced"]


def test_a_browser_has_five_accounts_at_most(world: World) -> None:
    """The one that was not used for longest ends. Signing in again keeps a session."""
    names = of_one_person(world, 6)
    browser = world.browser().signed_in(names[0])
    for name in names[1:]:
        world.clock.advance(minutes=2)
        add(browser, name)
    page = browser.get(ACCOUNTS)
    assert sorted(shown(page)) == sorted(names[1:])
    assert len(shown(page)) == browser_accounts.MOST
    (ended,) = world.events("session.ended")
    assert (ended.account_id, ended.data["why"]) == (world.account_row(names[0]).id, "replaced")
    before = id_of(world, names[1])
    add(browser, names[1])
    assert id_of(world, names[1]) == before
    assert active(browser) == names[1]


def test_n57_a_sign_out_of_one_account_leaves_the_others(world: World) -> None:
    """N57: the page names them; the next page does not open one of them without a choice."""
    browser, first, second = two(world)
    question = browser.get("/signout")
    assert f"Sign out of {second} only" in question.text
    done = browser.submit(question, "/signout", which="one")
    assert f"Still signed in in this browser: {first}." in done.text
    assert [row.data["why"] for row in world.events("session.ended")] == ["signed_out"]
    assert browser.get("/settings").request.path == "/signin"
    rp = world.relying_party()
    assert answer_of(browser.authorize(rp, prompt="none"))["error"] == "login_required"
    page = browser.authorize(rp)
    assert "Continue with an account that is signed in" in page.text
    page = browser.authorize(rp, prompt="select_account")
    assert shown(page) == [first]
    chosen = browser.submit(page, CHOOSE, account=id_of(world, first))
    assert answered_as(world, rp, chosen)["preferred_username"] == first


@pytest.mark.parametrize("start", ["question", "after one", "application"])
def test_n57_a_sign_out_of_all_accounts_ends_every_session(world: World, start: str) -> None:
    """N57, Front-Channel Logout 1.0: on the question, on the page after it, and when an application
    asks. The frames are those of all sessions."""
    emi, crow = framed(world), framed(world, "CROW")
    first, second = of_one_person(world, 2)
    browser = world.browser()
    browser.code(emi, first)
    add(browser, second)
    browser.authorize(crow)
    path, page = "/signout", browser.get("/signout")
    if start == "after one":
        page = browser.submit(page, "/signout", which="one")
    elif start == "application":
        path = "/oauth2/v1/logout/confirm"
        page = browser.get("/oauth2/v1/logout", client_id=emi.client_id)
    done = browser.submit(page, path, which="all")
    assert "Still signed in" not in done.text
    assert "https://emi.rp.test/front" in done.text
    assert ("https://crow.rp.test/front" in done.text) == (start != "after one")
    assert [row.data["why"] for row in world.events("session.ended")] == ["signed_out"] * 2
    assert cookie_of(browser, "accounts") is None
    assert browser.get(ACCOUNTS).request.path == "/signin"


def test_n57_an_application_signs_out_the_account_of_its_hint(world: World) -> None:
    """RP-Initiated Logout 1.0: also if it is not the active one, which stays."""
    rp, (first, second) = world.relying_party(), of_one_person(world, 2)
    browser = world.browser()
    hint = (world.redeem(rp, browser.code(rp, first)).json or {})["id_token"]
    add(browser, second)
    done = browser.get("/oauth2/v1/logout", id_token_hint=hint)
    assert f"Still signed in in this browser: {second}." in done.text
    (ended,) = world.events("session.ended")
    assert ended.account_id == world.account_row(first).id
    assert active(browser) == second


def test_en03_an_account_of_the_right_kind_can_be_chosen(world: World) -> None:
    """EN-03: the page that asks for another account offers those of this browser that fit."""
    rp = world.relying_party("WORKSPACES", account_kinds=(AccountKind.EMAIL,))
    username = world.account(person_id="P00042")
    mail = world.account("ada@participant.example", kind=AccountKind.EMAIL, person_id="P00042")
    browser = world.browser().signed_in(mail)
    add(browser, username)
    page = browser.authorize(rp)
    assert mail in page.text
    form = "/signin/other-account"
    answer = browser.submit(page, form, account=id_of(world, mail))
    assert answered_as(world, rp, answer)["preferred_username"] == mail


def test_a_person_with_one_account_pays_nothing(world: World) -> None:
    """The number of statements of a sign-in is as before: there is no second cookie to look up."""
    username = world.account()
    browser = world.browser()
    fields = hidden_fields(browser.get("/signin").text, "/signin")
    sent = fields | {"username": username, "password": PASSWORD}

    def post() -> TestResponse:
        answer = browser.client.post("/signin", data=sent, base_url=browser.base)
        assert answer.status_code == 303
        answer.status_code = 200
        return answer

    seen = count(world, post)
    assert not [statement for statement in seen if "accounts_digest IN" in statement]
    assert cookie_of(browser, "accounts") is None
