"""Settings of the holder: telephone, browsers, recent sign-ins, notices of new browsers."""

from __future__ import annotations

import re

import pytest

from idp.models import AccountKind
from tests.world import PASSWORD, Browser, World

EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"
PHONE = {"number": "(416) 967-1111", "current": PASSWORD, "do": "send"}


def add_phone(world: World, browser: Browser, **changes: str) -> str:
    """Send a number; returns the code that came to it."""
    browser.submit(browser.get("/settings/phone"), "/settings/phone", **(PHONE | changes))
    world.run_worker()
    return str(re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0])


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_sp03_a_number_is_usable_after_verification(world: World, kind: AccountKind) -> None:
    """SP-03: password, code, "successfully verified"; a notice; unusable before."""
    username = world.account(kind=kind)
    browser = world.browser().signed_in(username)
    code = add_phone(world, browser)
    assert world.sms.sent[-1][0] == "+14169671111"
    assert world.account_row(username).recovery_phone is None
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    page = browser.get("/settings/phone/code")
    assert browser.submit(page, "/settings/phone/code", code=wrong).status_code == 400
    done = browser.submit(page, "/settings/phone/code", code=f" {code[:3]} {code[3:]} ")
    assert "Phone number successfully verified" in done.text
    assert "+1 416-967-1111" in done.text
    assert world.account_row(username).recovery_phone == "+14169671111"
    assert "ending in ••• 11" in world.mails("recovery_phone_changed")[-1].text
    removed = browser.submit(
        browser.get("/settings/phone"), "/settings/phone", do="remove", current=PASSWORD
    )
    assert "The number was removed" in removed.text
    assert world.account_row(username).recovery_phone is None
    assert "was removed" in world.mails("recovery_phone_changed")[-1].text


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("", "not a valid phone number"),
        ("12", "not a valid phone number"),
        ("hello", "not a valid phone number"),
        ("9" * 500, "not a valid phone number"),
        ("+1 416 967 1111 ext 5", "cannot send text messages to an extension"),
        ("+33 1 42 68 53 00", "cannot receive text messages"),
        ("<script>", "not a valid phone number"),
    ],
)
def test_sp03_a_number_that_cannot_receive_texts_is_refused(
    world: World, number: str, words: str
) -> None:
    """CR-09: an extension is for voice; nothing is sent."""
    browser = world.browser().signed_in(world.account())
    page = browser.get("/settings/phone")
    answer = browser.submit(page, "/settings/phone", **(PHONE | {"number": number}))
    assert answer.status_code == 400
    assert words in answer.text
    assert "<script>" not in answer.text.split("<main")[1].split("</main>")[0]
    world.run_worker()
    assert world.sms.sent == []


def test_a_code_is_valid_only_in_the_session_that_requested_it(world: World) -> None:
    """Another session of the same person cannot use it, nor a number of somebody else."""
    username = world.account()
    mine, other = world.browser().signed_in(username), world.browser().signed_in(username)
    code = add_phone(world, mine)
    page = other.get("/settings/phone/code")
    assert other.submit(page, "/settings/phone/code", code=code).status_code == 400
    stranger = world.browser().signed_in(world.account())
    page = stranger.get("/settings/phone/code")
    assert stranger.submit(page, "/settings/phone/code", code=code).status_code == 400
    assert world.account_row(username).recovery_phone is None


def test_more_than_five_codes_an_hour_are_refused(world: World) -> None:
    """Nobody's telephone is flooded."""
    browser = world.browser().signed_in(world.account())
    for _ in range(5):
        add_phone(world, browser)
        world.clock.advance(minutes=2)
    page = browser.get("/settings/phone")
    assert "too many codes" in browser.submit(page, "/settings/phone", **PHONE).text
    assert len(world.sms.sent) == 5


def test_remembered_browsers_are_listed_and_forgotten(world: World) -> None:
    """Workstation, place, last use, until when; one click forgets."""
    username = world.account()
    browser = world.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = EDGE
    browser.client.environ_base["REMOTE_ADDR"] = "192.0.2.44"
    browser.sign_in(username, remember="1")
    page = browser.get("/settings/sessions")
    section = page.text.split('id="browsers-heading"')[1].split("</section>")[0]
    assert "Edge, Windows" in section
    assert "192.0.2.44" in section
    assert "remembered until 25 December 2026" in section
    (path,) = re.findall(r'action="(/settings/browsers/[^"]+)"', section)
    assert world.browser().signed_in(world.account()).post(path, {}).status_code == 400
    done = browser.submit(page, path)
    assert "The browser is no longer remembered" in done.text
    assert "browsers-heading" not in done.text
    assert browser.submit(page, path).status_code == 404


def test_browsers_of_another_account_cannot_be_forgotten(world: World) -> None:
    """N73: 404, nothing changed."""
    owner, other = world.account(), world.account()
    mine = world.browser()
    mine.sign_in(owner, remember="1")
    (path,) = re.findall(
        r'action="(/settings/browsers/[^"]+)"', mine.get("/settings/sessions").text
    )
    stranger = world.browser()
    stranger.sign_in(other, remember="1")
    page = stranger.get("/settings/sessions")
    (own,) = re.findall(r'action="(/settings/browsers/[^"]+)"', page.text)
    fields = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    assert stranger.post(path, {"csrf_token": fields}).status_code == 404
    assert own != path
    assert "browsers-heading" in mine.get("/settings/sessions").text


def test_recent_sign_ins_are_shown(world: World) -> None:
    """Refused ones too, ten at most, with program and address."""
    username = world.account()
    for _ in range(4):
        world.browser().sign_in(username, "wrong")
    browser = world.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = EDGE
    section = (
        browser.signed_in(username)
        .get("/settings/sessions")
        .text.split('id="recent-heading"')[1]
        .split("</section>")[0]
    )
    assert section.count("Refused") == 4
    assert section.count("Signed in") == 1
    assert "Edge, Windows" in section


def test_a_new_browser_is_notified_once(world: World) -> None:
    """Not of the first ever, not of a known one, not of the same program again."""
    username = world.account()

    def sign_in(browser: Browser, address: str, agent: str = EDGE) -> int:
        browser.client.environ_base["REMOTE_ADDR"] = address
        browser.client.environ_base["HTTP_USER_AGENT"] = agent
        browser.sign_in(username)
        browser.submit(browser.get("/signout"), "/signout")
        return len(world.mails("signin_from_new_browser", to=username))

    first = world.browser()
    assert sign_in(first, "192.0.2.1") == 0
    assert sign_in(first, "198.51.100.1") == 0
    assert sign_in(world.browser(), "198.51.100.1") == 0
    assert sign_in(world.browser(), "203.0.113.1") == 1
    assert sign_in(world.browser(), "203.0.113.1") == 1
    assert sign_in(world.browser(), "203.0.113.1", "Mozilla/5.0 (X11; Linux) Firefox/140.0") == 2
    mail = world.mails("signin_from_new_browser")[-1]
    assert "Firefox, Linux" in mail.text
    assert "203.0.113.1" in mail.text
    assert any("not-me" in link for link in mail.links)


def test_a_hostile_user_agent_is_not_shown_in_the_mail(world: World) -> None:
    """N82: only names that we know are shown."""
    username = world.account()
    world.browser().sign_in(username)
    browser = world.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = "<b>https://evil.example/ Call 555"
    browser.sign_in(username)
    mail = world.mails("signin_from_new_browser")[-1]
    assert "evil" not in mail.text + mail.html


@pytest.mark.parametrize("path", ["/settings/phone", "/settings/phone/code", "/console"])
def test_settings_pages_return_after_sign_in(world: World, path: str) -> None:
    """N56: only a path of this site comes back."""
    answer = world.browser().client.get(path, base_url=world.settings.issuer)
    assert (answer.status_code, answer.headers["Location"]) == (
        303, f"/signin?next={path}",
    )  # fmt: skip
