"""One-time links for activation and reset: each works once, for its purpose and owner, in time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp.credentials import links
from idp.credentials.links import Problem, Purpose
from idp.directory import accounts, activation
from idp.models import Account, AccountState, Link
from idp.recovery import recovery_requests
from idp.recovery.recovery_requests import Channel, Goal
from tests.security.test_headers_host import mailed
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World

THIRD_PASSWORD = "Marble-Otter3-window"


@dataclass(frozen=True)
class Kind:
    """A kind of link: its page, the state of its owner, its life."""

    purpose: Purpose
    page: str
    state: AccountState
    life: dict[str, int]
    done: str

    def issue(self, world: World, username: str) -> str:
        """A new link for the account; returns its token."""
        with world.work() as work:
            if self.purpose is Purpose.ACTIVATE:
                path = activation.invite(work, accounts.by_username(work, username))
                return path.partition("token=")[2]
            recovery_requests.request_recovery(work, Goal.RESET, Channel.MAIL, username)
        world.run_worker()
        found = re.findall(r"token=([\w-]+)", mailed(world, "password_reset_link")[-1])
        return str(found[-1])

    def owner(self, world: World) -> str:
        return world.account(state=self.state)


KINDS = [
    Kind(Purpose.ACTIVATE, "/activate", AccountState.PENDING, {"days": 90}, "activation_finished"),
    Kind(Purpose.RESET, "/recover/open", AccountState.ACTIVE, {"minutes": 60}, "password_changed"),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.purpose)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of link in turn."""
    found: Kind = request.param
    return found


def open_link(browser: Browser, kind: Kind, token: str) -> TestResponse:
    """Follow the link of a mail."""
    return browser.get(kind.page, token=token)


def use(browser: Browser, kind: Kind, token: str, password: str = NEW_PASSWORD) -> TestResponse:
    """Open the link and choose a password on its page."""
    page = open_link(browser, kind, token)
    assert page.status_code == 200, page.text
    return browser.submit(page, kind.page, password=password, again=password)


def assert_refused(world: World, kind: Kind, answer: TestResponse, problem: str) -> None:
    """The problem's own page, and its row in the trail."""
    assert answer.status_code == 400
    assert f'action="{kind.page}"' not in answer.text
    row = world.events("link.refused")[-1]
    assert (row.reason, row.data["purpose"]) == (f"link_{problem}", str(kind.purpose))


def test_n68_a_link_works_once(world: World, kind: Kind) -> None:
    """N68: the second use is refused as used, in the same browser and in another."""
    username = kind.owner(world)
    token = kind.issue(world, username)
    browser = world.browser()
    assert use(browser, kind, token).status_code == 200
    assert len(mailed(world, kind.done)) == 1
    for again in (browser, world.browser()):
        assert_refused(world, kind, open_link(again, kind, token), "used")
    assert world.browser().sign_in(username, NEW_PASSWORD).request.path == "/"


def test_n68_a_page_that_was_open_cannot_use_a_spent_link(world: World, kind: Kind) -> None:
    """N68: two tabs, one link."""
    username = kind.owner(world)
    token = kind.issue(world, username)
    late = world.browser()
    page = open_link(late, kind, token)
    use(world.browser(), kind, token)
    answer = late.submit(page, kind.page, password=THIRD_PASSWORD, again=THIRD_PASSWORD)
    assert_refused(world, kind, answer, "used")
    assert world.browser().sign_in(username, THIRD_PASSWORD).status_code == 400
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200


def test_n68_a_newer_link_invalidates_the_older(world: World, kind: Kind) -> None:
    """N68: only the last mail counts."""
    username = kind.owner(world)
    older, newer = kind.issue(world, username), kind.issue(world, username)
    assert_refused(world, kind, open_link(world.browser(), kind, older), "superseded")
    assert use(world.browser(), kind, newer).status_code == 200


ENDING = [s for s in AccountState if s not in (AccountState.ACTIVE, AccountState.PENDING)]


@pytest.mark.parametrize("state", ENDING)
def test_n68_a_change_of_state_invalidates_the_link(
    world: World, kind: Kind, state: AccountState
) -> None:
    """N68, N58: also for a page that is open already, and for ever."""
    username = kind.owner(world)
    token = kind.issue(world, username)
    browser = world.browser()
    page = open_link(browser, kind, token)
    world.set_state(username, state)
    answer = browser.submit(page, kind.page, password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert_refused(world, kind, answer, "superseded")
    if state is not AccountState.DEACTIVATED:
        world.set_state(username, kind.state)
        assert_refused(world, kind, open_link(world.browser(), kind, token), "superseded")


@pytest.mark.parametrize("state", AccountState)
@pytest.mark.parametrize("purpose", Purpose)
def test_n68_a_link_is_used_only_in_the_state_that_it_is_for(
    world: World, purpose: Purpose, state: AccountState
) -> None:
    """N68: the table of purposes and states, also for a link that nothing has ended."""
    pending, active, due = (
        AccountState.PENDING, AccountState.ACTIVE, AccountState.RESET_REQUIRED,
    )  # fmt: skip
    fitting = {
        Purpose.ACTIVATE: {pending},
        Purpose.RESET: {active, due},
        Purpose.UNLOCK: {active, due},
        Purpose.DISOWN: {active, due},
        Purpose.CALL: set(AccountState) - {AccountState.DEACTIVATED},
    }
    username = world.account(state=state)
    with world.work() as work:
        account = accounts.by_username(work, username)
        token = links.issue(work, account, purpose, work.after(seconds=60))
        found = links.look_up_with_account(work, purpose, token)
        assert isinstance(found, tuple) is (state in fitting[purpose])
        assert isinstance(found, tuple) or found is Problem.SUPERSEDED


def test_n68_a_password_change_invalidates_a_reset_link(world: World) -> None:
    """N68: what the holder did meanwhile wins."""
    kind = KINDS[1]
    username = kind.owner(world)
    token = kind.issue(world, username)
    browser = world.browser()
    browser.sign_in(username)
    fields = {"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    browser.submit(browser.get("/settings/password"), "/settings/password", **fields)
    assert_refused(world, kind, open_link(world.browser(), kind, token), "superseded")


def test_n68_a_link_of_one_purpose_is_unknown_at_the_other(world: World, kind: Kind) -> None:
    """N68: the purpose is part of what is stored."""
    other = next(k for k in KINDS if k is not kind)
    token = kind.issue(world, kind.owner(world))
    assert_refused(world, other, open_link(world.browser(), other, token), "unknown")
    assert use(world.browser(), kind, token).status_code == 200


def test_n68_a_link_changes_only_its_own_account(world: World, kind: Kind) -> None:
    """N68: no field of the form names another account."""
    username, other = kind.owner(world), world.account()
    browser = world.browser()
    page = open_link(browser, kind, kind.issue(world, username))
    fields = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
    swapped = {"username": other, "account": other, "account_id": "2", "token": "x"}
    browser.submit(page, kind.page, **fields, **swapped)
    assert world.browser().sign_in(other).status_code == 200
    assert world.browser().sign_in(other, NEW_PASSWORD).status_code == 400
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200


ALTERED: list[Callable[[str], str]] = [
    lambda t: t + "x",
    lambda t: t + "=",
    lambda t: t[:-1],
    lambda t: t.swapcase(),
    lambda t: " " + t,
    lambda t: t + "\n",
    lambda t: t + "\0",
    lambda t: "",
    lambda t: "' OR 1=1 --",
    lambda t: t * 300,
]


@pytest.mark.parametrize("change", range(len(ALTERED)))
def test_n68_an_altered_link_is_unknown(world: World, kind: Kind, change: int) -> None:
    """N68: one character more or less is another link."""
    token = kind.issue(world, kind.owner(world))
    answer = open_link(world.browser(), kind, ALTERED[change](token))
    assert_refused(world, kind, answer, "unknown")
    assert use(world.browser(), kind, token).status_code == 200


def test_n68_without_a_link_there_is_no_page(world: World, kind: Kind) -> None:
    """N70: the page cannot be reached, read or sent without the mailed secret."""
    browser = world.browser()
    assert_refused(world, kind, browser.get(kind.page), "elsewhere")
    form = browser.get("/signin")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    assert token
    sent = {"csrf_token": token[1], "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    assert_refused(world, kind, browser.post(kind.page, sent), "elsewhere")


def test_n68_a_link_ends_on_time(world: World, kind: Kind) -> None:
    """N68, AC-03: 90 days and 60 minutes; good a second before, expired at that moment."""
    username = kind.owner(world)
    token = kind.issue(world, username)
    world.clock.advance(seconds=-1, **kind.life)
    browser = world.browser()
    page = open_link(browser, kind, token)
    assert page.status_code == 200
    world.clock.advance(seconds=1)
    assert_refused(world, kind, open_link(world.browser(), kind, token), "expired")
    answer = browser.submit(page, kind.page, password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert_refused(world, kind, answer, "expired")


@pytest.mark.parametrize(("kind", "later"), [(KINDS[0], {"days": 91}), (KINDS[1], {"minutes": 61})])
def test_ac03_an_expired_link_says_so(world: World, kind: Kind, later: dict[str, int]) -> None:
    """AC-03, N68: day 91 and minute 61."""
    token = kind.issue(world, kind.owner(world))
    world.clock.advance(**later)
    answer = open_link(world.browser(), kind, token)
    assert_refused(world, kind, answer, "expired")
    assert world.settings.contact_phone in answer.text


def test_n68_each_problem_has_its_own_page(world: World) -> None:
    """N68, AC-03: what is wrong decides what to do."""
    pages = set()
    for kind in KINDS:
        used, older = kind.issue(world, kind.owner(world)), kind.issue(world, kind.owner(world))
        use(world.browser(), kind, used)
        with world.work() as work:
            owner_id = work.db.scalars(
                select(Link.account_id)
                .where(Link.used_at.is_(None), Link.purpose == kind.purpose)
                .order_by(Link.id.desc())
            ).first()
            owner = work.db.get_one(Account, owner_id).username
        expiring = kind.issue(world, owner)
        for token in ("unknown", used, older):
            pages.add(_main(open_link(world.browser(), kind, token)))
        world.clock.advance(days=91)
        pages.add(_main(open_link(world.browser(), kind, expiring)))
    assert len(pages) == 2 * 4


def _main(page: TestResponse) -> str:
    assert page.status_code == 400
    found = re.search(r"<main\b.*?</main>", page.text, re.DOTALL)
    text = found[0] if found else page.text
    return re.sub(r'nonce="[^"]*"|value="[^"]*"', "", text)


def test_n68_only_digests_are_stored(world: World, kind: Kind) -> None:
    """AC-10: 192 random bits, and the database knows only a keyed digest."""
    token = kind.issue(world, kind.owner(world))
    assert re.fullmatch(r"[\w-]{32}", token)
    with world.work() as work:
        assert work.db.scalar(select(func.count()).where(Link.digest == token)) == 0
        expected = work.vault.digest(f"link:{kind.purpose}", token)
        assert work.db.scalar(select(func.count()).where(Link.digest == expected)) == 1
