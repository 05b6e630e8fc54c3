"""What a request stores does not outlast a reset, a lock or a sign-out that came while it was under
way (N58, N66)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.credentials.hashing import PasswordHasher
from idp.factors import authenticators, recovery_codes
from idp.helpdesk import account_actions
from idp.models import Account, AccountState, BrowserSession
from idp.session import concurrent_ends, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from tests.factor_steps import (
    APP,
    add_app,
    code,
    device_of,
    half_signed_in,
    is_in,
    options_on,
    secret_on,
    set_up_app,
    verify,
)  # fmt: skip
from tests.web.test_settings import add_phone
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World

Meanwhile = Callable[[Callable[[], object]], None]
Send = Callable[[], Any]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Does something in another transaction after the next request has found for whom it acts."""

    def arrange(act: Callable[[], object]) -> None:
        rely_on = concurrent_ends.rely_on

        def and_then(work: UnitOfWork, account: Account, *session: BrowserSession | None) -> None:
            rely_on(work, account, *session)
            monkeypatch.setattr(concurrent_ends, "rely_on", rely_on)
            act()

        monkeypatch.setattr(concurrent_ends, "rely_on", and_then)

    return arrange


def act(world: World, action: str, username: str) -> None:
    """As the desk does."""
    with world.work() as work:
        account = work.db.get_one(Account, world.id_of(work, username))
        hasher = world.app.extensions["hasher"]
        account_actions.apply(work, hasher, action, account, reason="lost", ticket="T-1")


def passkey(world: World, browser: Browser, proof: str) -> Send:
    path = "/settings/factors/passkey"
    page = verify(browser, path, code=proof)
    made = device_of(world).create(options_on(page))
    return lambda: browser.submit(page, path, credential=made, name="My laptop")


def app(world: World, browser: Browser, proof: str) -> Send:
    page = browser.submit(verify(browser, APP, code=proof), APP, name="Second", do="begin")
    secret = secret_on(page)
    return lambda: browser.submit(page, APP, code=code(world, secret))


def codes(world: World, browser: Browser, proof: str) -> Send:
    page = verify(browser, "/settings/recovery-codes", code=proof)
    return lambda: browser.submit(page, "/settings/recovery-codes")


def phone(world: World, browser: Browser, _proof: str) -> Send:
    number = add_phone(world, browser)
    page = browser.get("/settings/phone/code")
    return lambda: browser.submit(page, "/settings/phone/code", code=number)


def password(_world: World, browser: Browser, _proof: str) -> Send:
    page = browser.get("/settings/password")
    fields = {"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    return lambda: browser.submit(page, "/settings/password", **fields)


@pytest.mark.parametrize("prepare", [passkey, app, codes, phone, password])
def test_n66_what_is_under_way_when_the_desk_resets_is_not_stored(
    world: World, meanwhile: Meanwhile, prepare: Callable[[World, Browser, str], Send]
) -> None:
    """The request finds its session ended, now or when it is run again."""
    username = world.account()
    browser = world.browser().signed_in(username)
    secret, _ = add_app(world, browser, current=PASSWORD)
    submit = prepare(world, browser, code(world, secret))
    before = world.account_row(username).password_hash
    meanwhile(lambda: act(world, "reset-factors", username))
    submit()
    assert not is_in(browser)
    with world.work() as work:
        account = work.db.get_one(Account, world.id_of(work, username))
        assert (account.state, account.enrolled_at) == (AccountState.RESET_REQUIRED, None)
        assert authenticators.list_usable(work, account) == []
        assert recovery_codes.count_unused(work, account) == 0
        assert (account.recovery_phone, account.password_hash) == (None, before)
    assert len(world.events("factors.reset")) == 1


def test_n66_a_session_that_is_ended_elsewhere_stores_nothing(
    world: World, meanwhile: Meanwhile
) -> None:
    """The person ends the session of a stolen laptop while somebody adds a passkey on it."""
    username = world.account()
    browser = world.browser().signed_in(username)
    secret, _ = add_app(world, browser, current=PASSWORD)
    submit = passkey(world, browser, code(world, secret))

    def end() -> None:
        with world.work() as work:
            account = work.db.get_one(Account, world.id_of(work, username))
            sessions.end_all(work, account, EndReason.ENDED_BY_HOLDER)

    meanwhile(end)
    assert "Sign in" in submit().text
    with world.work() as work:
        account = work.db.get_one(Account, world.id_of(work, username))
        assert [row.kind for row in authenticators.list_usable(work, account)] == ["totp"]


@pytest.mark.parametrize("step", ["password", "factor"])
def test_n58_a_sign_in_under_way_when_the_desk_locks_opens_nothing(
    world: World, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """No session is there when the lock is lifted either."""
    username = world.account()
    browser, fields = world.browser(), {"username": username, "password": PASSWORD}
    page = browser.get("/signin")
    if step == "factor":
        secret, _ = set_up_app(world, username)
        world.clock.advance(days=100)
        browser, page = half_signed_in(world, username)
        fields = {"code": code(world, secret)}

    def lock() -> None:
        act(world, "lock", username)

    if step == "password":
        verify_hash = PasswordHasher.verify

        def slowly(hasher: PasswordHasher, given: str, stored: str | None) -> bool:
            monkeypatch.undo()
            lock()
            return verify_hash(hasher, given, stored)

        monkeypatch.setattr(PasswordHasher, "verify", slowly)
    else:
        meanwhile(lock)
    browser.submit(page, page.request.path, **fields)
    act(world, "unlock", username)
    assert world.account_row(username).state == AccountState.ACTIVE
    assert not is_in(browser)
