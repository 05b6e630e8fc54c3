"""Passkeys that a browser creates without a prompt after a sign-in (WebAuthn level 3, conditional
mediation; docs/decisions/0077): only for who agreed, and just after a second factor (N66, N67)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.factors import authenticators, automatic_passkeys
from idp.mfa.assurance import FactorKind
from tests.authenticator import SoftAuthenticator
from tests.factor_steps import (
    add_passkey,
    code,
    device_of,
    half_signed_in,
    is_in,
    options_on,
    set_up_app,
    verify,
)
from tests.world import PASSWORD, Browser, World, hidden_fields

AGREE, CREATED = "/settings/automatic-passkeys", "/settings/automatic-passkeys/created"
PASSKEY = "/settings/factors/passkey"
MADE = "Your browser created a passkey."


@dataclass
class Holder:
    """An account with an authenticator app, and an authenticator that asks nobody."""

    world: World
    username: str
    secret: str
    device: SoftAuthenticator

    def enter(self) -> tuple[Browser, TestResponse]:
        """Sign in with password and code: the browser, and the page with the applications."""
        browser, page = half_signed_in(self.world, self.username)
        page = browser.submit(page, "/signin/factor", code=code(self.world, self.secret))
        self.world.clock.advance(seconds=30)
        assert page.request.path == "/"
        return browser, page

    def agree(self, choice: str = "on") -> None:
        """Agree in Settings, or not any more."""
        browser, _ = self.enter()
        page = verify(browser, AGREE, code=code(self.world, self.secret))
        self.world.clock.advance(seconds=30)
        assert "Your password keeps working" in page.text or choice == "off"
        page = browser.submit(page, AGREE, do=choice)
        assert f"Automatic passkeys are turned {choice}." in page.text

    def passkeys(self) -> list[str]:
        """The names of the passkeys of the account."""
        with self.world.work() as work:
            rows = authenticators.list_usable(work, accounts.by_username(work, self.username))
            return [row.name for row in rows if row.kind == FactorKind.PASSKEY]


@pytest.fixture
def holder(world: World) -> Holder:
    username = world.account()
    secret, _ = set_up_app(world, username)
    device = device_of(world, asks_user=False, verifies_user=False, is_synced=True)
    device.aaguid = bytes.fromhex("fbfc3007154e4ecc8c0b6e020557d7bd")
    return Holder(world, username, secret, device)


def create(browser: Browser, page: TestResponse, device: SoftAuthenticator) -> TestResponse:
    """What the script of the page does."""
    return browser.submit(page, CREATED, credential=device.create(options_on(page)))


def refused_for(world: World) -> str:
    event = world.events("factor.checked")[-1]
    assert event.data["ceremony"] == "automatic"
    return str(event.reason)


def test_a_passkey_is_created_where_the_holder_agreed(world: World, holder: Holder) -> None:
    """No presence or verification of the user at its creation; event, mail and name as for any
    other; it signs in, and then the user is verified."""
    holder.agree()
    assert world.events("factor.automatic_passkeys_set")[-1].data["after"] is True
    browser, page = holder.enter()
    asked = json.loads(options_on(page))
    assert asked["attestation"] == "none"
    assert asked["authenticatorSelection"]["userVerification"] == "preferred"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    page = create(browser, page, holder.device)
    assert (page.request.path, MADE in page.text) == ("/", True)
    assert "data-passkey" not in page.text
    assert holder.passkeys() == ["iCloud Keychain"]
    event = world.events("factor.added")[-1].data
    assert (event["factor"], event["ceremony"]) == ("passkey", "automatic")
    world.run_worker()
    assert "iCloud Keychain" in world.mails("factor_added")[-1].text
    other = world.browser()
    page = other.get("/signin")
    unverified = holder.device.get(options_on(page))
    assert other.submit(page, "/signin/passkey", credential=unverified).status_code == 400
    holder.device.asks_user = holder.device.verifies_user = True
    page = other.get("/signin")
    verified = holder.device.get(options_on(page))
    assert other.submit(page, "/signin/passkey", credential=verified).request.path == "/"
    # Signed in by it, there is nothing to create.
    assert "data-passkey" not in other.get("/").text


def test_n66_nothing_is_created_for_who_did_not_agree(world: World, holder: Holder) -> None:
    """Off by default; and a challenge from before the agreement ended is of no use."""
    browser, page = holder.enter()
    assert "data-passkey" not in page.text
    assert "Off. Your browser creates a passkey only" in browser.get("/settings/factors").text
    holder.agree()
    browser, page = holder.enter()
    holder.agree("off")
    assert create(browser, page, holder.device).request.path == "/"
    assert (holder.passkeys(), refused_for(world)) == ([], "not_agreed")


def test_n66_an_open_session_alone_agrees_to_nothing(world: World, holder: Holder) -> None:
    """A fresh code first; with no factor at all there is nothing to agree to."""
    browser, _ = holder.enter()
    assert browser.get(AGREE).request.path == "/settings/verify"
    token = hidden_fields(browser.get("/settings/verify").text, "/settings/verify")
    assert browser.post(AGREE, token | {"do": "on"}).request.path == "/settings/verify"
    assert world.events("factor.automatic_passkeys_set") == []
    bare = world.browser().signed_in(world.account("bare"))
    assert verify(bare, AGREE, current=PASSWORD).status_code == 404


def test_n66_a_password_alone_or_an_old_sign_in_creates_nothing(
    world: World, holder: Holder
) -> None:
    """A second factor within the last five minutes of this session."""
    holder.agree()
    browser, page = holder.enter()
    world.clock.advance(minutes=5)
    assert "data-passkey" not in browser.get("/").text
    create(browser, page, holder.device)
    assert refused_for(world) == "not_just_signed_in"
    assert holder.passkeys() == []
    assert is_in(browser)


def stale(holder: Holder, browser: Browser, page: TestResponse) -> str:
    """The factor was verified again in this session, and the page is six minutes old."""
    holder.world.clock.advance(minutes=4)
    verify(browser, AGREE, code=code(holder.world, holder.secret))
    holder.world.clock.advance(minutes=2)
    return options_on(page)


def used(holder: Holder, browser: Browser, page: TestResponse) -> str:
    """It was used for a response of another site."""
    create(browser, page, device_of(holder.world, origin="https://evil.example", asks_user=False))
    assert refused_for(holder.world) == "not_verified"
    return options_on(page)


def of_another_session(holder: Holder, browser: Browser, page: TestResponse) -> str:
    return options_on(holder.enter()[1])


def of_another_account(holder: Holder, browser: Browser, page: TestResponse) -> str:
    username = holder.world.account("other")
    secret, _ = set_up_app(holder.world, username)
    other = Holder(holder.world, username, secret, holder.device)
    with holder.world.work() as work:
        account = accounts.by_username(work, username)
        automatic_passkeys.set_agreed(work, account, agreed=True)
    return options_on(other.enter()[1])


def of_another_purpose(holder: Holder, browser: Browser, page: TestResponse) -> str:
    return options_on(verify(browser, PASSKEY, code=code(holder.world, holder.secret)))


@pytest.mark.parametrize(
    ("challenge_of", "reason"),
    [
        (stale, "challenge_expired"),
        (used, "challenge_used"),
        (of_another_session, "challenge_unknown"),
        (of_another_account, "challenge_unknown"),
        (of_another_purpose, "challenge_unknown"),
    ],
)
def test_n67_a_challenge_of_another_page_is_refused(
    world: World,
    holder: Holder,
    challenge_of: Callable[[Holder, Browser, TestResponse], str],
    reason: str,
) -> None:
    """N67: nothing is stored, the trail has the reason, and the person goes on as before."""
    holder.agree()
    browser, page = holder.enter()
    answer = holder.device.create(challenge_of(holder, browser, page))
    done = browser.submit(browser.get("/"), CREATED, credential=answer)
    assert (done.status_code, done.request.path, MADE in done.text) == (200, "/", False)
    assert (refused_for(world), holder.passkeys()) == (reason, [])
    assert is_in(browser)


def test_n67_a_passkey_that_asked_nobody_is_not_set_up_by_hand(
    world: World, holder: Holder
) -> None:
    """N67: neither with the challenge of an automatic one, nor with its own."""
    holder.agree()
    browser, page = holder.enter()
    setting = verify(browser, PASSKEY, code=code(world, holder.secret))
    for options in (options_on(page), options_on(setting)):
        answer = holder.device.create(options)
        assert browser.submit(setting, PASSKEY, credential=answer).status_code == 400
    assert holder.passkeys() == []


def test_a_sign_in_creates_one_passkey(world: World, holder: Holder) -> None:
    """A page that was loaded twice, and a key that exists, create no second one."""
    holder.agree()
    browser, page = holder.enter()
    again = browser.get("/")
    create(browser, page, holder.device)
    create(browser, again, holder.device)
    assert refused_for(world) == "one_added_already"
    assert len(holder.passkeys()) == 1
    world.clock.advance(seconds=30)
    browser, page = holder.enter()
    named = json.loads(options_on(page))["excludeCredentials"]
    assert [entry["id"] for entry in named] == list(holder.device.keys)[:1]
    browser.submit(page, CREATED, credential=holder.device.create(options_on(page), anew=False))
    assert refused_for(world) == "known_already"


def test_nothing_is_created_after_a_sign_out(world: World, holder: Holder) -> None:
    """Whatever the browser still has of the page."""
    holder.agree()
    browser, page = holder.enter()
    browser.submit(browser.get("/signout"), "/signout")
    assert create(browser, page, holder.device).status_code == 400
    token = hidden_fields(browser.get("/signin").text, "/signin")
    answer = holder.device.create(options_on(page))
    assert browser.post(CREATED, token | {"credential": answer}).request.path == "/signin"
    assert holder.passkeys() == []
    assert not is_in(browser)


def test_an_account_has_a_bounded_number_of_factors(
    world: World, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set up by hand or automatically: the last place is for one of them."""
    holder.agree()
    browser, page = holder.enter()
    monkeypatch.setattr(authenticators, "MOST", 1)
    assert "data-passkey" not in browser.get("/").text
    create(browser, page, holder.device)
    assert refused_for(world) == "too_many_factors"
    proof = {"code": code(world, holder.secret)}
    refused = add_passkey(world, browser, device_of(world), **proof)
    assert refused.status_code == 400
    assert "You have 1 verification methods, and more are not possible." in refused.text
    sent = len(world.mails("setup_code"))
    page = browser.get("/settings/factors/email")
    assert browser.submit(page, "/settings/factors/email", do="begin").status_code == 400
    world.run_worker()
    assert len(world.mails("setup_code")) == sent
    assert holder.passkeys() == []


def test_a_reset_of_the_factors_ends_the_agreement(world: World, holder: Holder) -> None:
    """Somebody else may have the password manager now."""
    holder.agree()
    with world.work() as work:
        account = accounts.by_username(work, holder.username)
        authenticators.reset(work, account)
        assert not account.creates_passkeys
