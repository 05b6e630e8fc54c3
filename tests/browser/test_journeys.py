"""What people do, in a real browser against the running demo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
NEW_PASSWORD = "Violet-Canoe4-thunder"


def sign_in(page: Page, person: dict[str, Any], login: str = "username") -> None:
    """Fill in and send the sign-in page."""
    page.get_by_label("Username").fill(person[login])
    page.get_by_label("Password", exact=True).fill(person["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_activation_to_emi(page: Page, live_demo: dict[str, Any], apps: dict[str, Any]) -> None:
    """K.01 to K.05, AC-03 to AC-09: from the mail's link to an application."""
    page.goto(live_demo["pending"]["activation_url"])
    assert "token" not in page.url
    password = page.get_by_label("New password", exact=True)
    password.fill("short")
    expect(page.locator('li[data-rule="too-short"]')).to_have_attribute("data-met", "false")
    expect(page.locator('li[data-rule="no-lower"]')).to_have_attribute("data-met", "true")
    page.get_by_label(re.compile("again", re.IGNORECASE)).fill("short")
    page.locator('form button[type="submit"]', has_text=re.compile("account", re.I)).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label(re.compile("again", re.IGNORECASE)).fill(NEW_PASSWORD)
    page.locator('form button[type="submit"]', has_text=re.compile("account", re.I)).click()
    expect(page).to_have_url(live_demo["issuer"] + "/")
    page.get_by_role("link", name=re.compile("EMI")).click()
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"])))
    expect(page.locator("body")).to_contain_text(live_demo["pending"]["username"])
    assert page.complaints == []  # type: ignore[attr-defined]
    page.goto(live_demo["pending"]["activation_url"])
    expect(page.locator("main")).to_contain_text("used")


def test_single_sign_on_from_emi_to_crow(
    page: Page, apps: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-06: the second relying party needs no password, and sees only its own role groups."""
    trader = people["trader"]
    page.goto(apps["EMI"]["url"] + "/signin")
    expect(page.locator("main")).to_contain_text("EMI")
    sign_in(page, trader)
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"])))
    expect(page.locator("body")).to_contain_text("EMI Bids and Offers")
    page.goto(apps["CROW"]["url"] + "/signin")
    expect(page).to_have_url(re.compile(re.escape(apps["CROW"]["url"])))
    expect(page.locator("body")).to_contain_text(trader["username"])
    expect(page.locator("body")).not_to_contain_text("EMI Bids and Offers")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_sign_in_by_email_and_tiles(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-03, GW-05: an e-mail address works too; tiles are exactly the applications held."""
    page.goto(live_demo["issuer"])
    sign_in(page, people["outage_coordinator"], login="email")
    expect(page.get_by_role("link", name=re.compile("CROW"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Reports"))).to_have_count(0)


def test_sign_out_ends_the_gateway_session(
    page: Page, live_demo: dict[str, Any], apps: dict[str, Any], people: dict[str, Any]
) -> None:
    """A sign-out at a relying party ends the session; the next application asks again."""
    page.goto(apps["EMI"]["url"] + "/signin")
    sign_in(page, people["trader"])
    page.get_by_role("button", name=re.compile("sign out", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"]) + "/signed-out"))
    page.goto(apps["CROW"]["url"] + "/signin")
    expect(page.get_by_label("Username")).to_be_visible()
    page.goto(live_demo["issuer"] + "/settings")
    expect(page.get_by_label("Username")).to_be_visible()


def test_sign_out_from_the_name_menu(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-05: the name menu holds Settings and Sign out; signing out asks first."""
    page.goto(live_demo["issuer"])
    sign_in(page, people["settlements_analyst"])
    page.locator("header summary").click()
    page.locator("header").get_by_role("link").last.click()
    page.locator('main form button[type="submit"]').click()
    page.goto(live_demo["issuer"])
    expect(page).to_have_url(re.compile("/signin"))


def test_french(chromium: Browser, live_demo: dict[str, Any], people: dict[str, Any]) -> None:
    """GW-10: the browser's language, all the way to the applications."""
    context = chromium.new_context(locale="fr-CA")
    page = context.new_page()
    page.goto(live_demo["issuer"])
    expect(page.locator("html")).to_have_attribute("lang", re.compile("^fr"))
    page.get_by_label("Mot de passe", exact=True).fill("faux")
    page.locator('input[name="username"]').fill(people["trader"]["username"])
    page.locator('main form button[type="submit"]').first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Mot de passe", exact=True).fill(people["trader"]["password"])
    page.locator('main form button[type="submit"]').first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("applications")
    context.close()


def test_without_javascript_at_320_pixels(
    chromium: Browser, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """The pages work without scripts, and nothing needs sideways scrolling at 320 px."""
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 700}, locale="en-CA"
    )
    page = context.new_page()
    page.goto(live_demo["issuer"])
    sign_in(page, people["trader"])
    for path in ("/", "/settings", "/settings/password", "/signout", "/recover", "/nowhere"):
        page.goto(live_demo["issuer"] + path)
        box = page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= 320, path
    context.close()


def test_wrong_password_is_said_plainly_and_locked_says_the_same(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """N47 as a person sees it: a locked account and a wrong password read the same."""
    texts = []
    for person in (people["locked"], {**people["trader"], "password": "not-the-password"}):
        page.goto(live_demo["issuer"] + "/signin")
        sign_in(page, person)
        texts.append(page.get_by_role("alert").inner_text())
    assert texts[0] == texts[1]


def test_mail_is_seen_in_the_demo_outbox(page: Page, live_demo: dict[str, Any]) -> None:
    """RS-02: a requested reset arrives, through the worker, on the outbox page."""
    person = next(p for p in live_demo["people"] if p["role"] == "auditor")
    page.goto(live_demo["issuer"] + "/recover")
    page.locator('input[name="username"]').fill(person["username"])
    page.locator('main form button[type="submit"]').first.click()
    for _ in range(20):
        page.goto(live_demo["issuer"] + "/demo/outbox")
        link = page.locator('a[href*="/recover/open?token="]').first
        if link.count():
            break
        page.wait_for_timeout(500)
    link.click()
    expect(page.get_by_label("New password", exact=True)).to_be_visible()
    assert "token" not in page.url
