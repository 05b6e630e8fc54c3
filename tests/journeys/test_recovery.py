"""Procedures E, F, K and L of the manual, step by step, for people and for machines.

The whole of each at the HTTP level; what a person sees of them is in ``tests/browser``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from idp.directory import accounts, activation
from idp.models import AccountKind, AccountState
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.world import NEW_PASSWORD, PASSWORD, World

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
KINDS = [AccountKind.PERSONAL, AccountKind.MACHINE]


@pytest.fixture(params=["person", "machine", "operator"])
def holder(request: pytest.FixtureRequest, world: World) -> str:
    """Whose account it is: a person's and a machine's (E), and one with powers over others (F)."""
    if request.param == "operator":
        return world.operator(ConsoleRole.AGENT)
    kind = AccountKind.MACHINE if request.param == "machine" else AccountKind.PERSONAL
    return world.account(kind=kind)


def helper_for(world: World, holder: str) -> Desk:
    """Customer Relations; for one of them Access Management, since agents cannot help agents."""
    operator = "Haddad" in world.account_row(holder).person.full_name
    return Desk.of(world, ConsoleRole.ACCESS if operator else ConsoleRole.AGENT)


def add_phone(world: World, username: str) -> None:
    with world.work() as work:
        accounts.by_username(work, username).recovery_phone = "+14169671111"


def link_of(world: World, kind: str) -> str:
    return world.mails(kind)[-1].links[0].removeprefix(world.settings.issuer)


def code_of(world: World) -> str:
    return str(re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0])


@pytest.mark.parametrize("channel", ["mail", "sms"])
def test_e01_f01_the_subscriber_asks_for_help(world: World, holder: str, channel: str) -> None:
    """E.01, F.01: by user name or e-mail, mail or text message."""
    add_phone(world, holder)
    for typed in (holder, f"{holder}@participant.example"):
        browser = world.browser()
        page = browser.submit(browser.get("/recover"), "/recover", username=typed, channel=channel)
        assert page.status_code == 200
        assert (
            "Enter the verification code" if channel == "sms" else "Check your e-mail"
        ) in page.text


@pytest.mark.parametrize("channel", ["mail", "sms"])
def test_e02_f02_the_gateway_validates_and_issues_a_token(
    world: World, holder: str, channel: str
) -> None:
    """E.02, F.02, RS-06, NT-07: to the registered address only; an event is kept."""
    add_phone(world, holder)
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=holder, channel=channel)
    world.run_worker()
    event = world.events("reset.requested")[-1]
    assert (event.outcome, event.data["channel"]) == ("ok", channel)
    if channel == "sms":
        assert [number for number, _ in world.sms.sent] == ["+14169671111"]
    else:
        assert world.mails("password_reset_link")[-1].recipient == f"{holder}@participant.example"


@pytest.mark.parametrize("method", ["reset-mail", "temporary-password", "unlock"])
def test_e03_f03_customer_relations_helps(world: World, holder: str, method: str) -> None:
    """E.03, F.03, CR-03: two methods and an unlock, for a verified caller, and no third path."""
    desk = helper_for(world, holder)
    for _ in range(10):
        world.browser().sign_in(holder, "wrong")
    desk.verify(holder)
    answer = desk.act(method, holder)
    assert answer.status_code == (200 if method == "temporary-password" else 303)
    assert world.events(f"console.{method}")[-1].actor == desk.username


@pytest.mark.parametrize("way", ["mail", "sms", "agent mail", "temporary password"])
def test_e04_f04_the_subscriber_uses_it(world: World, holder: str, way: str) -> None:
    """E.04, F.04, E.06, F.06: the gateway validates the token, the new password works, the old
    one does not, sessions elsewhere are over, and a notice went out."""
    add_phone(world, holder)
    elsewhere = world.browser().signed_in(holder)
    browser = world.browser()
    fields: dict[str, str] = dict(CHOICE)
    path = "/recover/open"
    if way in ("mail", "sms"):
        browser.submit(browser.get("/recover"), "/recover", username=holder, channel=way)
        world.run_worker()
        if way == "sms":
            page = browser.get("/recover/code")
            page = browser.submit(page, "/recover/code", code=code_of(world))
        else:
            page = browser.get(link_of(world, "password_reset_link"))
    else:
        desk = helper_for(world, holder)
        if way == "agent mail":
            desk.verify(holder)
            desk.act("reset-mail", holder)
            page = browser.get(link_of(world, "password_reset_by_agent"))
        else:
            temporary = desk.temporary_password(holder)
            page, path = browser.sign_in(holder, temporary), "/signin/password"
            fields["current"] = temporary
    browser.submit(page, path, **fields)
    assert world.account_row(holder).state == AccountState.ACTIVE
    assert world.browser().sign_in(holder, NEW_PASSWORD).status_code == 200
    assert world.browser().sign_in(holder, PASSWORD).status_code == 400
    assert "Sign in" in elsewhere.get("/").text
    assert world.mails("password_changed", to=holder)


def test_e05_f05_customer_relations_resets_the_password(world: World, holder: str) -> None:
    """E.05, F.05: both ways end what came before, and wait for the holder."""
    desk = helper_for(world, holder)
    desk.verify(holder)
    desk.act("reset-mail", holder)
    assert world.account_row(holder).state == AccountState.RESET_REQUIRED
    first = link_of(world, "password_reset_by_agent")
    desk.temporary_password(holder)
    assert world.browser().get(first).status_code == 400
    assert "temporary password was issued" in desk.open(holder).text


def test_e06_f06_a_used_token_is_refused(world: World, holder: str) -> None:
    """E.06, F.06: a token completes one reset."""
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=holder, channel="mail")
    world.run_worker()
    link = link_of(world, "password_reset_link")
    browser.submit(browser.get(link), "/recover/open", **CHOICE)
    again = world.browser().get(link)
    assert again.status_code == 400
    assert "already been used" in again.text


def test_rs07_before_activation_the_mail_refers_to_customer_relations(world: World) -> None:
    """RS-07, RS-09: a mail says so; a temporary password that was not used changes nothing."""
    username = world.account(state=AccountState.PENDING)
    for _ in range(2):
        browser = world.browser()
        browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
        world.run_worker()
        assert world.mails(to=username)[-1].kind == "not_activated"
        Desk.of(world).temporary_password(username)
    assert world.mails("password_reset_link") == []


# K: initialization


@pytest.mark.parametrize("kind", KINDS)
def test_k01_the_mail_leads_to_the_gateway_of_its_environment(
    world: World, kind: AccountKind
) -> None:
    """K.01: the address in the mail is the environment's, and the page says which it is."""
    username = world.account(state=AccountState.PENDING, kind=kind)
    with world.work() as work:
        activation.invite(work, accounts.by_username(work, username))
    link = world.mails("account_created")[-1].links[0]
    assert link.startswith(world.settings.issuer + "/")
    assert "Sandbox" in world.browser().get(link.removeprefix(world.settings.issuer)).text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["activation", "self-service", "agent", "temporary password"])
def test_k02_every_password_form_enforces_the_same_rules(
    world: World, kind: AccountKind, way: str
) -> None:
    """K.02, PW-13: each door names the broken rules and stays open for a better password."""
    state = AccountState.PENDING if way == "activation" else AccountState.ACTIVE
    username = world.account(kind=kind, state=state)
    browser, path, old = world.browser(), "/recover/open", {}
    if way == "activation":
        with world.work() as work:
            activation.invite(work, accounts.by_username(work, username))
        page, path = browser.get(link_of(world, "account_created")), "/activate"
    elif way == "self-service":
        browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
        world.run_worker()
        page = browser.get(link_of(world, "password_reset_link"))
    elif way == "agent":
        desk = Desk.of(world)
        desk.verify(username)
        desk.act("reset-mail", username)
        page = browser.get(link_of(world, "password_reset_by_agent"))
    else:
        temporary = Desk.of(world).temporary_password(username)
        page, path = browser.sign_in(username, temporary), "/signin/password"
        old = {"current": temporary}
    for bad, rule in (
        ("Sh0rt!", "too-short"),
        (f"{username.capitalize()}-Heron7", "contains-user-name"),
        ("no-upper-case7-lantern", "no-upper"),
        ("Password1!", "common"),
    ):
        page = browser.submit(page, path, password=bad, again=bad, **old)
        assert f'data-broken="{rule}"' in page.text, (way, bad)
    page = browser.submit(page, path, password=NEW_PASSWORD, again="Other-Heron7-x", **old)
    assert 'data-broken="mismatch"' in page.text
    browser.submit(page, path, **CHOICE, **old)
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200


def test_k03_k04_codes_and_links_are_validated(world: World) -> None:
    """K.03, K.04: a wrong code and an altered link open nothing."""
    username = world.account()
    add_phone(world, username)
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username, channel="sms")
    world.run_worker()
    page = browser.get("/recover/code")
    assert browser.submit(page, "/recover/code", code="abcdef").status_code == 400
    browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
    world.run_worker()
    assert world.browser().get(link_of(world, "password_reset_link") + "x").status_code == 400


@pytest.mark.parametrize("kind", KINDS)
def test_k04_a_locked_account_is_unlocked_by_customer_relations(
    world: World, kind: AccountKind
) -> None:
    """K.04, CR-07: audited; the password is the same."""
    username = world.account(kind=kind, state=AccountState.LOCKED)
    assert world.browser().sign_in(username).status_code == 400
    desk = Desk.of(world)
    desk.verify(username)
    desk.act("unlock", username)
    assert world.browser().sign_in(username).status_code == 200
    assert world.mails("account_unlocked", to=username)


@pytest.mark.parametrize("kind", KINDS)
def test_k05_a_sign_in_confirms_the_new_password(world: World, kind: AccountKind) -> None:
    """K.05: disclaimer, sign-in, applications; a machine account has none."""
    username, rp = world.account(kind=kind), world.relying_party()
    if kind is AccountKind.PERSONAL:
        world.role_group("EMI Viewer", rp.client_id)
        world.grant_role(username, "EMI Viewer")
    browser = world.browser()
    page = browser.get("/signin")
    assert "Conditions of use" in page.text
    home = browser.sign_in(username, page=page).text
    assert ("https://emi.rp.test/signin" in home) == (kind is AccountKind.PERSONAL)
    assert ("machine account" in home) == (kind is AccountKind.MACHINE)


# L: login and renewal


@pytest.fixture
def renewing(world: World) -> World:
    """Passwords are renewed every 90 days."""
    runtime: Any = world.app.extensions["runtime"]
    settings = replace(world.settings, password_max_age_days=90)
    world.app.extensions["runtime"] = replace(runtime, settings=settings)
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_l01_l02_l03_a_recent_password_signs_in(renewing: World, kind: AccountKind) -> None:
    """L.01 to L.03: checked, not due, normal use."""
    username = renewing.account(kind=kind)
    renewing.clock.advance(days=89)
    assert renewing.browser().sign_in(username).request.path == "/"


@pytest.mark.parametrize("kind", KINDS)
def test_l04_l05_l06_an_expired_password_is_replaced_during_sign_in(
    renewing: World, kind: AccountKind
) -> None:
    """L.04 to L.06: prompted, changed with the old password, validated; failure names the rule."""
    username = renewing.account(kind=kind)
    renewing.clock.advance(days=91)
    browser = renewing.browser()
    page = browser.sign_in(username)
    assert page.request.path == "/signin/password"
    wrong = browser.submit(page, "/signin/password", current="wrong", **CHOICE)
    assert 'data-broken="current"' in wrong.text
    weak = browser.submit(page, "/signin/password", current=PASSWORD, password="a", again="a")
    assert 'data-broken="too-short"' in weak.text
    done = browser.submit(page, "/signin/password", current=PASSWORD, **CHOICE)
    assert done.request.path == "/"
    assert renewing.browser().sign_in(username, PASSWORD).status_code == 400


def test_l04_the_application_opens_after_the_renewal(renewing: World) -> None:
    """L.04, L.06: nobody skips it by going to an application, and the way leads on to it."""
    username, rp = renewing.account(), renewing.relying_party()
    renewing.clock.advance(days=91)
    browser = renewing.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    assert page.request.path == "/signin/password"
    again = browser.authorize(rp)
    assert "Sign in" in again.text
    silent = browser.authorize(rp, prompt="none")
    assert "error=login_required" in silent.headers["Location"]
    answer = browser.submit(page, "/signin/password", current=PASSWORD, **CHOICE)
    assert "code=" in answer.headers["Location"]
