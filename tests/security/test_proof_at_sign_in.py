"""MF-03, N58: a browser with a key proves it in the sign-in itself, so that a copy of its cookies
saves no second factor (docs/decisions/0089; "Server considerations" of the draft)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.models import DeviceBinding
from idp.session.end_reasons import EndReason
from idp.transaction import CLOCK_SECONDS
from tests.bound_browser import CHALLENGE, BoundBrowser, challenge_in
from tests.factor_steps import code, set_up_app
from tests.security.test_bound_sessions import bound, ends, thief_of
from tests.security.test_login_cookies import cookie_of, plant
from tests.world import PASSWORD, World, hidden_fields


@dataclass
class Holder:
    """Somebody with a factor, whose browser is remembered and has a key. Nobody is signed in."""

    world: World
    username: str
    secret: str
    browser: BoundBrowser

    def form(self, browser: BoundBrowser, password: str = PASSWORD) -> dict[str, str]:
        fields = hidden_fields(browser.pages.get("/signin").text, "/signin")
        return fields | {"username": self.username, "password": password}

    def assessed(self) -> dict[str, Any]:
        """What the latest sign-in was judged to be."""
        return dict(self.world.events("signin.assessed")[-1].data)


@pytest.fixture
def holder(world: World) -> Holder:
    username = world.account()
    secret, _ = set_up_app(world, username)
    browser = BoundBrowser(world)
    page = browser.pages.sign_in(username, remember="1")
    browser.pages.submit(page, "/signin/factor", code=code(world, secret))
    browser.pages.submit(browser.pages.get("/signout"), "/signout")
    assert browser.instructions
    return Holder(world, username, secret, browser)


def send(browser: BoundBrowser, path: str, form: dict[str, str]) -> TestResponse:
    """One POST, whose redirects are not followed."""
    return browser.client.post(path, data=form, base_url=browser.pages.base)


def test_mf03_a_sign_in_asks_for_a_proof_and_goes_on_with_it(holder: Holder) -> None:
    """The answer ends the bound cookie and has a challenge (section 7.7), so that one request is a
    refresh. The browser sends the form again, and needs no second factor."""
    browser, form = holder.browser, holder.form(holder.browser)
    holder.world.clock.advance(minutes=5)
    asked = send(browser, "/signin", form)
    assert asked.status_code == 307
    again = asked.headers["Location"]
    assert urlsplit(again).path == "/signin"
    assert PASSWORD not in again
    assert cookie_of(browser.pages, "bound") is None
    assert f';id="{browser.identifier}"' in asked.headers[CHALLENGE]
    assert browser.answer(browser.proof_of(asked)).status_code == 200
    assert send(browser, again, form).status_code == 303
    assert (holder.assessed()["decision"], holder.assessed()["hits"]) == ("no_prompt", [])
    assert browser.is_let_in()
    assert ends(holder.world)[-1] is None


@pytest.mark.parametrize("does", ["keep", "claim", "drop"])
def test_n58_a_thief_in_the_life_of_the_bound_cookie_is_asked_for_the_factor(
    holder: Holder, does: str
) -> None:
    """N58: whether it keeps the copied cookie, claims to have been asked, or does what a browser
    without the key does. The owner gets a mail, and is not asked for more."""
    world, browser = holder.world, holder.browser
    world.clock.advance(minutes=5)
    copied = str(cookie_of(browser.pages, "bound"))
    thief = thief_of(browser, ip=browser.ip)
    thief.is_deaf = True
    form, path = holder.form(thief), "/signin"
    if does == "claim":
        path = f"/signin?asked={int(world.clock.now().timestamp())}"
    else:
        path = send(thief, path, form).headers["Location"]
    if does == "keep":
        plant(thief.pages, copied, "bound")
    page = thief.pages.post(path, form)
    assert page.request.path == "/signin/factor"
    assert "stolen_device" in holder.assessed()["hits"]
    assert len(world.mails("browser_suspect", to=holder.username)) == 1
    assert browser.pages.sign_in(holder.username).request.path == "/"


def test_n58_a_thief_who_was_asked_and_sends_the_session_cookie_ends_the_session(
    holder: Holder,
) -> None:
    """N58: from another network, without the proof, it is a copy: the owner and the desk learn of
    it."""
    world, browser = holder.world, holder.browser
    browser.pages.sign_in(holder.username)
    world.clock.advance(minutes=5)
    thief = thief_of(browser)
    thief.is_deaf = True
    session = str(cookie_of(thief.pages, "session"))
    plant(thief.pages, "", "session")
    form = holder.form(thief)
    plant(thief.pages, session, "session")
    send(thief, f"/signin?asked={int(world.clock.now().timestamp())}", form)
    assert ends(world)[-1] == EndReason.COOKIE_COPIED
    assert len(world.mails("session_copied", to=holder.username)) == 1
    assert len(world.events("alarm.session_copied")) == 1


@pytest.mark.parametrize(("seconds", "path"), [(69, "/"), (70, "/signin/factor")])
def test_a_copy_passes_for_a_proof_for_seconds_only(
    holder: Holder, seconds: int, path: str
) -> None:
    """Ten seconds, and the minute by which the clocks of two processes may differ."""
    holder.browser.refresh()
    holder.world.clock.advance(seconds=seconds)
    thief = thief_of(holder.browser, ip=holder.browser.ip)
    thief.is_deaf = True
    assert thief.pages.sign_in(holder.username).request.path == path


def test_a_host_with_another_clock_accepts_the_proof(holder: Holder) -> None:
    """The proof is verified by a process whose clock is a minute behind."""
    browser, form, clock = holder.browser, holder.form(holder.browser), holder.world.clock
    clock.advance(minutes=5)
    asked = send(browser, "/signin", form)
    clock.advance(seconds=-CLOCK_SECONDS)
    browser.refresh()
    clock.advance(seconds=CLOCK_SECONDS + 9)
    assert send(browser, asked.headers["Location"], form).status_code == 303
    assert holder.assessed()["decision"] == "no_prompt"


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_browser_that_cannot_prove_its_key_is_asked_once_and_not_locked_out(
    holder: Holder, is_ended: bool
) -> None:
    """A proxy strips the headers, or the key has ended here: the second factor is asked for."""
    world, browser = holder.world, holder.browser
    world.clock.advance(minutes=5)
    browser.is_deaf = not is_ended
    if is_ended:
        with world.work() as work:
            work.db.execute(update(DeviceBinding).values(ended_at=work.now))
    page = browser.pages.sign_in(holder.username)
    assert page.request.path == "/signin/factor"
    done = browser.pages.submit(page, "/signin/factor", code=code(world, holder.secret))
    assert done.request.path == "/"
    assert browser.is_let_in()


def test_n47_n49_a_proof_is_asked_for_before_the_form_is_looked_at(holder: Holder) -> None:
    """N47, N49: every name gets the same answer, and nothing counts as an attempt. Further attempts
    within a minute need no other proof, since browsers allow only some."""
    world, browser = holder.world, holder.browser
    world.clock.advance(minutes=5)
    form = holder.form(browser, "wrong")
    for name in (holder.username, "nobody"):
        assert send(browser, "/signin", form | {"username": name}).status_code == 307
        browser.refresh()
        world.clock.advance(minutes=5)
    assert world.events("signin.refused") == []
    proofs = browser.refreshes
    for _ in range(3):
        assert browser.pages.sign_in(holder.username, "wrong").status_code == 400
        world.clock.advance(seconds=20)
    assert browser.refreshes == proofs + 1
    assert browser.pages.sign_in(holder.username).request.path == "/"


def test_an_address_with_an_old_or_malformed_time_asks_again(holder: Holder) -> None:
    """A page is loaded again much later, or somebody writes what they like: it is asked as a first
    time."""
    browser = holder.browser
    holder.world.clock.advance(minutes=5)
    now = int(holder.world.clock.now().timestamp())
    for text in (str(now - 300), str(now + 300), "x", "²", "-1", "9" * 40, ""):
        form = holder.form(browser)
        answer = send(browser, f"/signin?asked={text}", form)
        assert answer.status_code == 307
        assert challenge_in(answer.headers[CHALLENGE])
        browser.refresh()
        holder.world.clock.advance(seconds=90)


def test_only_the_sign_in_asks_for_more_than_the_bound_cookie(world: World) -> None:
    """A link cannot make a session lose its proof."""
    browser = bound(world)
    world.clock.advance(minutes=5)
    now = int(world.clock.now().timestamp())
    for path in ("/settings", "/signin"):
        answer = browser.without_proof(f"{path}?asked={now}")
        assert answer.status_code in (200, 303)
        assert CHALLENGE not in answer.headers
    assert browser.without_proof("/settings").status_code == 200
    assert ends(world) == [None]
