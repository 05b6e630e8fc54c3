"""N58: what ends an account's powers ends all of them, at once, wherever they wait."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from idp.directory import accounts, activation, lifecycle
from idp.errors import Conflict
from idp.models import AccountKind, AccountState
from idp.recovery.recovery_requests import Channel, Goal, request_recovery
from tests.console.desk import Desk
from tests.factor_steps import code as code_now
from tests.factor_steps import half_signed_in, set_up_app
from tests.world import NEW_PASSWORD, PASSWORD, World

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
Use = Callable[[], bool]


@dataclass(frozen=True)
class Secret:
    """Something that is waiting to be used: how it is got, and whether its use succeeds."""

    name: str
    prepare: Callable[[World, str], Use]
    state: AccountState = AccountState.ACTIVE


def _link(world: World, kind: str, page: str) -> Use:
    mail = world.mails(kind)[-1]
    path = next(one for one in mail.links if page in one).removeprefix(world.settings.issuer)
    browser = world.browser()
    shown = browser.get(path)

    def use() -> bool:
        fields = CHOICE if "password" in shown.text else {}
        return browser.submit(shown, page, **fields).status_code == 200

    return use


def _request(world: World, username: str, goal: Goal, channel: Channel) -> None:
    with world.work() as work:
        accounts.by_username(work, username).recovery_phone = "+14169671111"
        request_recovery(work, goal, channel, username)
    world.run_worker()


def activation_link(world: World, username: str) -> Use:
    with world.work() as work:
        activation.invite(work, accounts.by_username(work, username))
    return _link(world, "account_created", "/activate")


def reset_link(world: World, username: str) -> Use:
    _request(world, username, Goal.RESET, Channel.MAIL)
    return _link(world, "password_reset_link", "/recover/open")


def unlock_link(world: World, username: str) -> Use:
    _request(world, username, Goal.UNLOCK, Channel.MAIL)
    return _link(world, "unlock_link", "/recover/unlock/open")


def disown_link(world: World, username: str) -> Use:
    browser = world.browser().signed_in(username)
    page = browser.get("/settings/password")
    same = "Marble-Otter3-window"
    browser.submit(page, "/settings/password", current=PASSWORD, password=same, again=same)
    return _link(world, "password_changed", "/recover/not-me")


def code(goal: Goal) -> Callable[[World, str], Use]:
    path = {"reset": "/recover/code", "unlock": "/recover/unlock/code"}[goal]

    def prepare(world: World, username: str) -> Use:
        with world.work() as work:
            accounts.by_username(work, username).recovery_phone = "+14169671111"
        browser = world.browser()
        start = "/recover/unlock" if goal is Goal.UNLOCK else "/recover"
        browser.submit(browser.get(start), start, username=username, channel="sms")
        world.run_worker()
        digits = re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0]
        return lambda: browser.submit(browser.get(path), path, code=digits).status_code == 200

    return prepare


def temporary_password(world: World, username: str) -> Use:
    temporary = Desk.of(world).temporary_password(username)
    return lambda: world.browser().sign_in(username, temporary).status_code == 200


def temporary_password_entered(world: World, username: str) -> Use:
    temporary = Desk.of(world).temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary)

    def use() -> bool:
        done = browser.submit(page, "/signin/password", current=temporary, **CHOICE)
        return "Your applications" in done.text

    return use


def factor_step(world: World, username: str) -> Use:
    secret, _ = set_up_app(world, username)
    browser, page = half_signed_in(world, username)
    return lambda: (
        browser.submit(page, "/signin/factor", code=code_now(world, secret)).status_code == 200
        and "Sign in" not in browser.get("/settings").text
    )


def session(world: World, username: str) -> Use:
    browser = world.browser().signed_in(username)
    return lambda: "Sign in" not in browser.get("/settings").text


def password(world: World, username: str) -> Use:
    return lambda: world.browser().sign_in(username).status_code == 200


SECRETS = [
    Secret("activation link", activation_link, AccountState.PENDING),
    Secret("reset link", reset_link),
    Secret("unlock link", unlock_link),
    Secret("this was not me", disown_link),
    Secret("reset code", code(Goal.RESET)),
    Secret("unlock code", code(Goal.UNLOCK)),
    Secret("temporary password", temporary_password),
    Secret("temporary password, entered", temporary_password_entered),
    Secret("second step of a sign-in", factor_step),
    Secret("session", session),
    Secret("password", password),
]
ENDING = [AccountState.LOCKED, AccountState.SUSPENDED, AccountState.DEACTIVATED]


@pytest.fixture(params=SECRETS, ids=lambda secret: secret.name)
def secret(request: pytest.FixtureRequest) -> Secret:
    """Each kind of secret in turn."""
    found: Secret = request.param
    return found


def test_n58_every_secret_works_in_its_state(world: World, secret: Secret) -> None:
    """The control: the table below would notice."""
    assert secret.prepare(world, world.account(state=secret.state))()


@pytest.mark.parametrize("state", ENDING)
def test_n58_every_secret_is_refused_after_a_change_of_state(
    world: World, secret: Secret, state: AccountState
) -> None:
    """N58: a lock, a suspension and a deactivation end it at once; and it does not come back."""
    username = world.account(state=secret.state)
    use = secret.prepare(world, username)
    world.clock.advance(seconds=1)
    world.set_state(username, state)
    assert not use()
    if state is AccountState.DEACTIVATED:
        return
    with world.work() as work:
        lifecycle.resume(work, accounts.by_username(work, username), reason="test")
    # The password is the holder's own and works again where no new one was due.
    if secret.name != "password":
        assert not use()


@pytest.mark.parametrize(
    "name",
    [
        "reset link", "reset code", "session", "password", "temporary password",
        "second step of a sign-in",
    ],
)  # fmt: skip
def test_n58_a_reset_invalidates_earlier_secrets(world: World, name: str) -> None:
    """N58: after "this was not me", or a reset mail of an agent, only the new way in counts."""
    secret = next(one for one in SECRETS if one.name == name)
    username = world.account(state=secret.state)
    use = secret.prepare(world, username)
    desk = Desk.of(world)
    desk.verify(username)
    desk.act("reset-mail", username)
    assert not use()


def test_n81_the_name_of_a_deactivated_account_is_never_reused(world: World) -> None:
    """N81: neither the name nor anything of it is given to another."""
    username = world.account("moreaua", state=AccountState.DEACTIVATED)
    for again in (username, username.upper()):
        with world.work() as work:
            person = accounts.by_username(work, username).person
            with pytest.raises(Conflict):
                accounts.create_account(work, person, kind=AccountKind.PERSONAL, username=again)
    assert world.browser().sign_in(username).status_code == 400
