"""Steps of a person with second factors, through the pages."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pyotp
from werkzeug.test import TestResponse

from tests.authenticator import SoftAuthenticator
from tests.world import PASSWORD, Browser, World

APP = "/settings/factors/totp"
PHONE = "+14169671111"


def code(world: World, secret: str, steps: int = 0) -> str:
    """What the app shows, some steps away from now."""
    return pyotp.TOTP(secret).at(world.clock.now() + timedelta(seconds=30 * steps))


def secret_on(page: TestResponse) -> str:
    """The key of an app that is being set up."""
    return str(re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", ""))


def paper_on(page: TestResponse) -> list[str]:
    """The recovery codes that are shown."""
    return re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", page.text)


def options_on(page: TestResponse) -> str:
    """What the page asks of passkeys."""
    return unescape(re.findall(r'data-options="([^"]+)"', page.text)[0])


def verify(browser: Browser, path: str, **proof: str) -> TestResponse:
    """Open a page of extra verification, and prove first who is here."""
    page = browser.get(path)
    if page.request.path == "/settings/verify":
        page = browser.submit(page, "/settings/verify", **proof)
    return page


def set_up_app(world: World, username: str) -> tuple[str, list[str]]:
    """An authenticator app in settings; returns its secret and the recovery codes."""
    return add_app(world, world.browser().signed_in(username), current=PASSWORD)


def add_app(world: World, browser: Browser, **proof: str) -> tuple[str, list[str]]:
    """The same for somebody who is signed in and proves it in whatever way."""
    page = verify(browser, APP, **proof)
    page = browser.submit(page, APP, name="My telephone", do="begin")
    secret = secret_on(page)
    page = browser.submit(page, APP, code=code(world, secret))
    world.clock.advance(seconds=30)
    return secret, paper_on(page)


def add_sent(world: World, browser: Browser, kind: str, **proof: str) -> TestResponse:
    """Codes by text message or mail as a factor, in settings."""
    path = f"/settings/factors/{kind}"
    page = verify(browser, path, **proof)
    fields = {"country": "CA", "number": "416 967 1111"} if kind == "sms" else {}
    page = browser.submit(page, path, do="begin", **fields)
    return browser.submit(page, path, code=last_code(world, kind))


def add_passkey(
    world: World, browser: Browser, device: SoftAuthenticator, **proof: str
) -> TestResponse:
    """A passkey in settings."""
    path = "/settings/factors/passkey"
    page = verify(browser, path, **proof)
    return browser.submit(page, path, credential=device.create(options_on(page)), name="My laptop")


def last_code(world: World, kind: str) -> str:
    """The code that came last by text message or by mail."""
    world.run_worker()
    text = world.sms.sent[-1][1] if kind == "sms" else str(world.mailer.sent[-1])
    if kind != "sms":
        sent = [mail for mail in world.mails() if mail.kind.endswith("_code")]
        text = sent[-1].text
    return str(re.findall(r"\b\d{6}\b", text)[0])


def device_of(world: World, **faults: object) -> SoftAuthenticator:
    """An authenticator in a browser at this gateway."""
    host = world.settings.issuer.split("//")[1].split(":")[0]
    device = SoftAuthenticator(world.settings.issuer, host)
    for name, value in faults.items():
        setattr(device, name, value)
    return device


def half_signed_in(
    world: World, username: str, password: str = PASSWORD
) -> tuple[Browser, TestResponse]:
    """A browser whose password was right and that is asked for a second step."""
    browser = world.browser()
    page = browser.sign_in(username, password)
    assert page.request.path == "/signin/factor", page.text
    return browser, page


def is_in(browser: Browser) -> bool:
    """Whether somebody is signed in."""
    return "Sign in" not in browser.get("/settings").text
