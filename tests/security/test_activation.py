"""Activation: the conditions of use, when "active" is said, and where a sign-in ends."""

from __future__ import annotations

import re

import pytest

from idp.directory import accounts, activation
from idp.models import AccountState
from idp.policy.console import ConsoleRole
from idp.web.console import labels
from tests.console.desk import Desk
from tests.factor_steps import code, set_up_app
from tests.security.test_enrolment import activated, add_mails, finish, send
from tests.world import NEW_PASSWORD, PASSWORD, World, answer_of

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


def invited(world: World) -> tuple[str, str]:
    """A pending account, and the path of its link."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        return username, activation.invite(work, accounts.by_username(work, username))


def test_gw02_conditions_are_accepted_at_activation_and_stored(world: World) -> None:
    """GW-02, TM-11: the page shows them; version and time are stored with the account, and with the
    language in the trail."""
    username, path = invited(world)
    browser = world.browser()
    page = browser.get(path)
    assert "With your new password you accept these conditions." in page.text
    assert "Conditions of use" in page.text
    (version,) = re.findall(r'name="conditions" value="([0-9a-f]{12})"', page.text)
    assert browser.submit(page, "/activate", **CHOICE).status_code == 200
    row = world.account_row(username)
    assert (row.conditions_version, row.conditions_accepted_at) == (version, world.clock.now())
    (event,) = world.events("conditions.accepted")
    assert event.data == {"version": version, "language": "en"}
    assert event.account_id == row.id


@pytest.mark.parametrize("shown", ["", "0" * 12])
def test_gw02_nothing_is_accepted_that_was_not_shown(world: World, shown: str) -> None:
    """GW-02: other conditions than the present ones: the page again, and nothing is activated."""
    username, path = invited(world)
    browser = world.browser()
    page = browser.get(path)
    answer = browser.submit(page, "/activate", conditions=shown, **CHOICE)
    assert answer.status_code == 400
    assert "The conditions of use have changed. Read them again." in answer.text
    row = world.account_row(username)
    assert (row.state, row.conditions_version) == (AccountState.PENDING, "")


def test_gw02_a_temporary_password_activates_with_the_conditions_too(world: World) -> None:
    """GW-02, CR-08: the other way into a pending account; a later change asks nothing."""
    username, _path = invited(world)
    temporary = Desk.of(world).temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary)
    assert 'name="conditions"' in page.text
    browser.submit(page, "/signin/password", current=temporary, **CHOICE)
    assert world.account_row(username).conditions_version != ""
    assert len(world.events("conditions.accepted")) == 1
    assert 'name="conditions"' not in browser.get("/settings/password").text


def test_ac04_the_account_active_mail_is_sent_after_the_last_enrolment_step(strict: World) -> None:
    """AC-04: no mail and no word of the console before the last step; then one mail, once."""
    username, browser, page = activated(strict)
    assert strict.mails("activation_finished") == []
    account = strict.account_row(username)
    with strict.app.test_request_context():
        assert labels.standing(account, is_ready=False) == "setup not finished"
        assert labels.standing(account, is_ready=True) == "active"
    page = add_mails(strict, browser, send(browser, page, do="skip"))
    assert strict.mails("activation_finished") == []
    finish(strict, username, browser, page)
    assert len(strict.mails("activation_finished", to=username)) == 1
    assert strict.account_row(username).ready_at == strict.clock.now()


def test_ac09_without_enrolment_the_account_active_mail_is_sent_at_the_first_session(
    world: World,
) -> None:
    """AC-09: with the first session; not again at the next sign-in."""
    username, path = invited(world)
    browser = world.browser()
    browser.submit(browser.get(path), "/activate", **CHOICE)
    world.browser().sign_in(username, NEW_PASSWORD)
    assert len(world.mails("activation_finished", to=username)) == 1


@pytest.mark.parametrize("role", [*ConsoleRole, None])
def test_operators_arrive_in_the_console(world: World, role: ConsoleRole | None) -> None:
    """Every console role; others land on their applications. A page or an application that was
    asked for is opened instead."""
    username = world.operator(*([role] if role else []))
    landed = world.browser().sign_in(username)
    assert landed.request.path == ("/console" if role else "/")
    browser = world.browser()
    asked = browser.sign_in(username, page=browser.get("/settings"))
    assert asked.request.path == "/settings"
    rp = world.relying_party()
    browser = world.browser()
    answer = browser.sign_in(username, page=browser.authorize(rp))
    assert "code" in answer_of(answer)


def test_z06_a_reset_with_a_proved_factor_ends_in_a_session(world: World) -> None:
    """Z-06, RS-05, N66: the new password, then the factor, and the person is in; without the factor
    nobody is."""
    username = world.account()
    secret, _paper = set_up_app(world, username)
    world.clock.advance(days=1)
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    page = browser.submit(browser.get(link), "/recover/open", **CHOICE)
    assert page.request.path == "/signin/factor"
    assert "Password changed successfully" in page.text
    assert "Sign in" in browser.get("/settings").text
    before = len(world.events("signin.succeeded"))
    done = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert (done.status_code, done.request.path) == (200, "/")
    assert world.events("signin.succeeded")[-1].data["amr"][:2] == ["pwd", "otp"]
    assert len(world.events("signin.succeeded")) == before + 1
    assert world.browser().sign_in(username, PASSWORD).status_code == 400
