"""A real browser with Device Bound Session Credentials: it registers a key, proves it for an
application that sends it here, and its cookies open nothing elsewhere.

Chromium without windows as a program of its own (``chromium-headless-shell``) does not have the
feature; ``chromium`` has it. It demands https without errors of certificates. The feature is on by
default on Windows only, and the second of two switches allows keys in software."""

from __future__ import annotations

import hashlib
import os
import ssl
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, Playwright, expect
from sqlalchemy import select

from idp.models import BrowserSession
from idp.session.end_reasons import EndReason
from idp.settings import Settings
from tests.browser.conftest import ARGUMENTS
from tests.browser.site import Site, open_site
from tests.certificates import DAY, Certificate
from tests.world import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM_WITH_KEYS", "/usr/bin/chromium")
FEATURES = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

pytestmark = pytest.mark.browser


@pytest.fixture
def certificate() -> Certificate:
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    return Certificate(names=names, first=now - DAY, last=now + DAY)


@pytest.fixture
def browser_with_keys(driver: Playwright, certificate: Certificate) -> Iterator[Browser]:
    """Chromium with keys in software, which accepts this certificate."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs Chromium with its windows at {CHROMIUM}")
    key = certificate.made.public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = b64encode(hashlib.sha256(der).digest()).decode()
    switches = [
        "--headless=new",
        f"--enable-features={FEATURES}",
        f"--ignore-certificate-errors-spki-list={pin}",
    ]
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *switches])
    yield browser
    browser.close()


@pytest.fixture
def site(settings: Settings, certificate: Certificate, tmp_path: Path) -> Iterator[Site]:
    pem = tmp_path / "gateway.pem"
    pem.write_text(certificate.key_pem + certificate.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with open_site(settings, tls) as site:
        yield site


def stored(site: Site) -> tuple[bool, str | None, bool]:
    """Whether the latest session is bound, why it ended, and if its key was proved just now."""
    with site.world.work() as work:
        row = work.db.scalars(select(BrowserSession).order_by(BrowserSession.id)).all()[-1]
        key = row.binding
        return key is not None, row.end_reason, key is not None and key.proved_at == work.now


def test_chromium_binds_its_session_and_a_copy_of_its_cookies_opens_nothing(
    browser_with_keys: Browser, site: Site
) -> None:
    """Sections 7 and 8 of the draft, with the cookies of the browser in another one."""
    world = site.world
    rp, username = site.register(), world.account()
    site.app.pages["/app"] = f'<title>app</title><a href="{site.address(rp)}">open</a>'
    context = browser_with_keys.new_context(locale="en-CA")
    page = context.new_page()
    page.goto(f"{site.app.url}/app")
    page.click("a")
    sign_in(page, username)
    until_bound(page, site)

    world.clock.advance(minutes=11)
    context.clear_cookies(name=world.settings.cookie_name("bound"))
    page.goto(f"{site.app.url}/app")
    page.click("a")
    page.wait_for_url("**/landed/callback?*code=*")
    assert stored(site) == (True, None, True)
    page.goto(f"{site.origin}/settings/sessions")
    expect(page.get_by_text("session bound to the computer", exact=True).first).to_be_visible()

    world.clock.advance(minutes=12)
    elsewhere = browser_with_keys.new_context(user_agent=FIREFOX)
    elsewhere.add_cookies(context.cookies())  # type: ignore[arg-type]
    copied = elsewhere.new_page()
    copied.goto(f"{site.origin}/settings")
    assert "/signin" in copied.url
    assert stored(site)[1] == EndReason.COOKIE_COPIED
    page.goto(f"{site.origin}/settings")
    assert "/signin" in page.url


def test_chromium_proves_its_key_in_a_sign_in_and_a_copy_of_its_cookies_does_not(
    browser_with_keys: Browser, site: Site
) -> None:
    """MF-03: without a script too. The form that was sent is sent again, with what was entered."""
    world = site.world
    rp, username = site.register(), world.account()
    context = browser_with_keys.new_context(locale="en-CA", java_script_enabled=False)
    page = context.new_page()
    page.goto(site.address(rp))
    sign_in(page, username)
    until_bound(page, site)
    page.goto(f"{site.origin}/signout")
    page.click("button[type=submit]:has-text('Sign out')")

    world.clock.advance(minutes=5)
    answers: list[tuple[str, int]] = []
    page.on("response", lambda sent: answers.append((urlsplit(sent.url).path, sent.status)))
    page.goto(site.address(rp))
    sign_in(page, username)
    assert [status for path, status in answers if path == "/signin"] == [200, 307, 303]
    assert stored(site) == (True, None, True)
    assert not device_hits(site)

    world.clock.advance(minutes=5)
    elsewhere = browser_with_keys.new_context()
    elsewhere.add_cookies(context.cookies())  # type: ignore[arg-type]
    elsewhere.clear_cookies(name=world.settings.cookie_name("session"))
    thief = elsewhere.new_page()
    thief.goto(site.address(rp))
    sign_in(thief, username)
    assert device_hits(site) == {"stolen_device"}


def sign_in(page: Page, username: str) -> None:
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]:has-text('Sign in')")
    page.wait_for_url("**/landed/callback?*")


def device_hits(site: Site) -> set[str]:
    """What the latest sign-in was held against of its browser."""
    hits = site.world.events("signin.assessed")[-1].data["hits"]
    return set(hits) & {"new_device", "stolen_device"}


def until_bound(page: Page, site: Site) -> None:
    """The browser registers its key beside what it shows."""
    for _ in range(100):
        if stored(site)[0]:
            return
        page.wait_for_timeout(100)
    raise AssertionError("the browser did not register a key")
