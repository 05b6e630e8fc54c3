"""Codes by text message and by mail as second steps (MF-01, MF-04, N61 to N63)."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.factors import authenticators
from idp.policy.scopes import ACR_MFA
from tests.factor_steps import (
    add_app,
    add_passkey,
    add_sent,
    code,
    device_of,
    half_signed_in,
    is_in,
    last_code,
    set_up_app,
    verify,
)
from tests.world import PASSWORD, Browser, World

CHANNELS = ["sms", "email"]


def holder_of(world: World, kind: str) -> str:
    """An account whose only factor is this one."""
    username = world.account()
    add_sent(world, world.browser().signed_in(username), kind, current=PASSWORD)
    world.clock.advance(minutes=5)
    return username


def resend(browser: Browser, page: TestResponse) -> TestResponse:
    return browser.submit(page, "/signin/factor", do="send", method=method_on(page))


def method_on(page: TestResponse) -> str:
    return str(re.findall(r'name="method" value="([^"]+)"', page.text)[0])


@pytest.mark.parametrize("kind", CHANNELS)
def test_mf01_a_code_is_sent_and_asked_for(world: World, kind: str) -> None:
    """MF-01, MF-04, NT-08, NT-09: by the right password alone; where it goes is told masked; the
    session says what was proved."""
    username = holder_of(world, kind)
    browser, page = half_signed_in(world, username)
    assert ("••• 11" if kind == "sms" else "h•••@participant.example") in page.text
    assert "+1416" not in page.text
    assert browser.submit(page, "/signin/factor", code="").status_code == 400
    done = browser.submit(page, "/signin/factor", code=f" {last_code(world, kind)} ")
    assert done.request.path == "/"
    amr = ["pwd", "sms", "mfa"] if kind == "sms" else ["pwd", "email"]
    assert world.events("signin.succeeded")[-1].data["amr"] == amr
    rp = world.relying_party(minimum_acr=ACR_MFA)
    assert "code=" in browser.authorize(rp).headers["Location"]
    if kind == "sms":
        assert world.sms.sent[-1][1].endswith(f"@gateway.test #{last_code(world, kind)}")


@pytest.mark.parametrize("kind", CHANNELS)
def test_n63_five_tries_then_a_new_code(world: World, kind: str) -> None:
    """N63: the sixth try with the right one fails too; a new one comes after half a minute, and
    the old one is dead."""
    username = holder_of(world, kind)
    browser, page = half_signed_in(world, username)
    right = last_code(world, kind)
    for n in range(5):
        wrong = f"{(int(right) + 1 + n) % 1_000_000:06}"
        assert browser.submit(page, "/signin/factor", code=wrong).status_code == 400
    assert browser.submit(page, "/signin/factor", code=right).status_code == 400
    soon = resend(browser, page)
    assert soon.status_code == 400
    assert "just sent a code" in soon.text
    world.clock.advance(seconds=30)
    page = resend(browser, page)
    fresh = last_code(world, kind)
    assert browser.submit(page, "/signin/factor", code=right).status_code == 400
    assert browser.submit(page, "/signin/factor", code=fresh).request.path == "/"


@pytest.mark.parametrize("kind", CHANNELS)
def test_n63_wrong_codes_count_over_sessions_and_resends(world: World, kind: str) -> None:
    """N63: ten wrong ones of the account, wherever, and none counts for a quarter of an hour."""
    username = holder_of(world, kind)
    for n in range(10):
        browser, page = half_signed_in(world, username)
        if n == 9 and kind == "sms":
            break
        browser.submit(page, "/signin/factor", code="000000" if n % 2 else "AAAA")
        world.clock.advance(seconds=40)
    if kind == "sms":
        # No more texts within the hour: guesses need no text to count.
        browser.submit(page, "/signin/factor", code="AAAA")
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=last_code(world, kind)).status_code == 400
    assert not is_in(browser)


@pytest.mark.parametrize("kind", CHANNELS)
def test_n62_a_code_is_good_in_its_own_sign_in(world: World, kind: str) -> None:
    """N62: in no other browser, in no other flow, not for a change in settings, not late."""
    username = holder_of(world, kind)
    first, one = half_signed_in(world, username)
    sent = last_code(world, kind)
    other, two = half_signed_in(world, username)
    assert other.submit(two, "/signin/factor", code=sent).status_code == 400
    # The second one ended the first.
    assert first.submit(one, "/signin/factor", code=sent).status_code == 400
    fresh = last_code(world, kind)
    assert first.submit(one, "/signin/factor", code=fresh).status_code == 400
    world.clock.advance(minutes=10)
    assert other.submit(two, "/signin/factor", code=fresh).status_code == 400


def test_another_verification_method_can_be_used(world: World) -> None:
    """MF-04: only what is enrolled is offered, each on the same page; any of them opens."""
    username = world.account()
    secret, _ = set_up_app(world, username)
    browser, page = half_signed_in(world, username)
    assert "Text message" not in page.text
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    add_sent(world, browser, "email", code=code(world, secret))
    browser, page = half_signed_in(world, username)
    assert "Enter the code from your authenticator app" in page.text
    choice = page.text.split("Send a code: E-mail code")[0]
    method = re.findall(r'name="method" value="([^"]+)"', choice)[-1]
    page = browser.submit(page, "/signin/factor", do="send", method=method)
    assert "sent a verification code to your e-mail address" in page.text
    done = browser.submit(page, "/signin/factor", code=last_code(world, "email"))
    assert done.request.path == "/"


def test_mf08_preferred_and_renamed(world: World) -> None:
    """Settings: a name of one's own; what is preferred is offered first."""
    username = world.account()
    browser = world.browser().signed_in(username)
    add_passkey(world, browser, device_of(world), current=PASSWORD)
    add_sent(world, browser, "email")
    _, page = half_signed_in(world, username)
    assert "Use passkey" in page.text
    with world.work() as work:
        rows = authenticators.list_usable(work, accounts.by_username(work, username))
        path = f"/settings/factors/own/{rows[1].public_id}"
    page = browser.get(path)
    for bad in ("x" * 61, "\u202egnp", "\x07"):
        browser.submit(page, path, do="rename", name=bad)
        assert bad not in browser.get("/settings/factors").text
    browser.submit(page, path, do="rename", name="Work mail")
    assert "Work mail" in browser.get("/settings/factors").text
    browser.submit(page, path, do="prefer")
    assert len(world.mails("factor_changed", to=username)) == 5
    _, page = half_signed_in(world, username)
    assert "sent a verification code to your e-mail address" in page.text


def far_away(world: World, username: str) -> tuple[Browser, TestResponse]:
    """Another network, another program, many wrong passwords before the right one."""
    browser = world.browser()
    browser.client.environ_base["REMOTE_ADDR"] = "203.0.113.77"
    browser.client.environ_base["HTTP_USER_AGENT"] = "curl/8.5.0"
    for _ in range(9):
        browser.sign_in(username, "wrong")
    return browser, browser.sign_in(username)


def test_far_from_usual_a_mailbox_is_not_enough_where_there_is_more(world: World) -> None:
    """High: a possession; whoever has only the mailbox uses it and is told to add one."""
    username, weak = world.account(), holder_of(world, "email")
    secret, _ = set_up_app(world, username)
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    add_sent(world, browser, "email", code=code(world, secret))
    world.clock.advance(seconds=30)
    browser, page = far_away(world, username)
    told = world.events("signin.assessed")[-1].data
    assert (told["band"], told["needs_strong"]) == ("high", True)
    assert "E-mail" not in page.text.split("<footer")[0]
    assert browser.submit(page, "/signin/factor", code=code(world, secret)).request.path == "/"
    browser, page = far_away(world, weak)
    done = browser.submit(page, "/signin/factor", code=last_code(world, "email"))
    assert "Add an authenticator app or a passkey" in done.text


def test_n63_a_code_sent_to_a_removed_number_is_refused(world: World) -> None:
    """N63, MF-04: a code on its way to a number that is gone since; the factors that are left
    still count, and so does a code that is sent to one of them."""
    username = world.account()
    browser = world.browser().signed_in(username)
    secret, _ = add_app(world, browser, current=PASSWORD)
    add_sent(world, browser, "sms")
    world.clock.advance(minutes=5)
    half, page = half_signed_in(world, username)
    with world.work() as work:
        rows = authenticators.list_usable(work, accounts.by_username(work, username))
        number = next(row.public_id for row in rows if row.kind == "sms")
    page = half.submit(page, "/signin/factor", do="send", method=number)
    sent = last_code(world, "sms")
    with world.work() as work:
        account = accounts.by_username(work, username)
        gone = next(row for row in authenticators.list_usable(work, account) if row.kind == "sms")
        authenticators.remove(work, account, gone)
    refused = half.submit(page, "/signin/factor", code=sent)
    assert refused.status_code == 400
    assert not is_in(half)
    assert world.events("factor.checked")[-1].reason == "code_used"
    done = half.submit(refused, "/signin/factor", code=code(world, secret))
    assert (done.request.path, is_in(half)) == ("/", True)


@pytest.mark.parametrize("kind", CHANNELS)
def test_set_up_needs_the_code_that_was_sent(world: World, kind: str) -> None:
    """AC-06: a wrong one, one of another session, a late one."""
    username, path = world.account(), f"/settings/factors/{kind}"
    browser, other = (world.browser().signed_in(username) for _ in range(2))
    form = {"do": "begin", "country": "CA", "number": "416 967 1111"}
    page = browser.submit(verify(browser, path, current=PASSWORD), path, **form)
    sent = last_code(world, kind)
    stolen = verify(other, path, current=PASSWORD)
    assert other.submit(stolen, path, code=sent).status_code == 400
    assert browser.submit(page, path, code=f"{(int(sent) + 1) % 10**6:06}").status_code == 400
    world.clock.advance(minutes=10)
    page = verify(browser, path, current=PASSWORD)
    assert browser.submit(page, path, code=sent).status_code == 400
    with world.work() as work:
        assert authenticators.list_usable(work, accounts.by_username(work, username)) == []


def test_n63_the_code_of_one_number_sets_up_no_other(world: World) -> None:
    """N63, AC-06: another browser of the holder began with another number meanwhile; whoever reads
    the first number has proved nothing of the second."""
    username, path = world.account(), "/settings/factors/sms"
    browser, other = (world.browser().signed_in(username) for _ in range(2))
    form = {"do": "begin", "country": "CA"}
    proved = verify(browser, path, current=PASSWORD)
    page = browser.submit(proved, path, number="416 967 1111", **form)
    first = last_code(world, "sms")
    proved = verify(other, path, current=PASSWORD)
    second = other.submit(proved, path, number="416 967 2222", **form)
    assert browser.submit(page, path, code=first).status_code == 400
    with world.work() as work:
        assert authenticators.list_usable(work, accounts.by_username(work, username)) == []
    other.submit(second, path, code=last_code(world, "sms"))
    with world.work() as work:
        (row,) = authenticators.list_usable(work, accounts.by_username(work, username))
        assert row.destination == "+14169672222"
