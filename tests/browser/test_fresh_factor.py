"""The page that asks an operator for a fresh second factor, answered by a passkey in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect
from sqlalchemy import func, select

from idp.models import RoleGroup
from idp.policy.console import ConsoleRole
from idp.settings import Settings
from tests.browser.site import Site, open_site
from tests.browser.test_factors import AUTHENTICATOR
from tests.browser.test_onward import sign_in
from tests.world import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A gateway of this test's own."""
    with open_site(settings) as opened:
        yield opened


@pytest.fixture
def key(context: BrowserContext, page: Page) -> Iterator[Any]:
    """Says what the passkey of this browser does: whether anybody is there, and verified."""
    devtools: CDPSession = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    added = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    def verified(is_verified: bool) -> None:
        devtools.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": added["authenticatorId"], "isUserVerified": is_verified},
        )

    yield verified
    devtools.detach()


def groups(site: Site, name: str) -> int:
    """How many role groups have this name."""
    with site.world.work() as work:
        query = select(func.count()).select_from(RoleGroup).where(RoleGroup.name == name)
        return work.db.scalar(query) or 0


def with_passkey(page: Page, site: Site) -> None:
    """An operator who has signed in and set up a passkey."""
    username = site.world.operator(ConsoleRole.ACCESS)
    page.goto(f"{site.origin}/signin")
    sign_in(page, username)
    expect(page.get_by_role("heading", level=1)).to_have_text("Console")
    page.goto(f"{site.origin}/settings/factors")
    page.get_by_role("link", name="Set up Passkey").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create a passkey").click()
    page.get_by_role("link", name="I saved my codes").click()


def make_group(page: Page, site: Site, name: str) -> None:
    """Fill in the form of a role group and send it."""
    page.goto(f"{site.origin}/console/role-groups")
    page.locator("#name").fill(name)
    page.locator("#description").fill("Offers & bids, “both”")
    page.get_by_role("button", name="Create").click()


def test_n66_a_form_is_sent_after_a_passkey_confirms_it(page: Page, site: Site, key: Any) -> None:
    """N66, MF-01: nothing is done before the proof; a key that verified nobody, and a page that
    was open too long, are told apart and keep the form; then it goes on as it was typed."""
    with_passkey(page, site)
    # What was just proved is enough for fifteen minutes.
    make_group(page, site, "First")
    expect(page.get_by_role("heading", level=1)).to_have_text("First")
    site.world.clock.advance(minutes=16)
    make_group(page, site, "Second")
    expect(page.get_by_role("heading", level=1)).to_have_text("Verify your identity")
    expect(page.get_by_role("region", name="Why we ask for this")).to_contain_text(
        "This change affects security"
    )
    assert groups(site, "Second") == 0

    key(False)
    page.get_by_role("button", name="Use passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("Your passkey was not used")
    key(True)
    site.world.clock.advance(minutes=6)
    page.get_by_role("button", name="Use passkey").click()
    expect(page.get_by_role("alert").first).to_contain_text("open for more than five minutes")
    assert groups(site, "Second") == 0
    page.get_by_role("button", name="Use passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Second")
    expect(page.get_by_text("Offers & bids, “both”")).to_be_visible()
    assert groups(site, "Second") == 1
    # One proof serves the changes of the next fifteen minutes.
    make_group(page, site, "Third")
    expect(page.get_by_role("heading", level=1)).to_have_text("Third")
    assert page.complaints == []  # type: ignore[attr-defined]
