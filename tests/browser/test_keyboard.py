"""The keyboard alone: sign-in, enrolment and reset, with a focus that is always seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from idp.settings import Settings
from tests.browser.site import Site, open_site
from tests.factor_steps import last_code
from tests.world import NEW_PASSWORD, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
#: More than any page has.
STOPS = 40


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A gateway where everybody sets up extra verification."""
    with open_site(replace(settings, enrolment="required")) as opened:
        yield opened


def reach(page: Page, target: Locator) -> None:
    """Press Tab until the element has the focus. Every stop on the way shows an outline."""
    expect(target).to_be_visible()
    for _ in range(STOPS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
        width = page.evaluate(
            "() => document.activeElement === document.body ? '' :"
            " getComputedStyle(document.activeElement).outlineStyle"
        )
        assert width != "none", page.evaluate("() => document.activeElement.outerHTML")
    raise AssertionError(f"the keyboard does not reach {target}")


def press(page: Page, name: str, role: str = "button") -> None:
    """Reach a button or link and press it."""
    target = page.get_by_role("main").get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    reach(page, target)
    page.keyboard.press("Enter")


def type_in(page: Page, label: str, text: str) -> None:
    """Reach a field and type into it."""
    reach(page, page.get_by_label(label, exact=True))
    page.keyboard.type(text)


def heading(page: Page, text: str) -> None:
    """The page has this heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def enter_code(page: Page, site: Site) -> None:
    """Type the code that was sent last; its field has the focus already."""
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(last_code(site.world, "mail"))
    page.keyboard.press("Enter")


def test_sign_in_enrolment_and_reset_need_no_mouse(page: Page, site: Site) -> None:
    """WCAG 2.1.1, 2.4.7: one person, from the first sign-in to a new password."""
    username = site.world.account()
    page.goto(f"{site.origin}/signin")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(username)
    type_in(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    heading(page, "Confirm your identity")
    press(page, "Send code")
    enter_code(page, site)
    heading(page, "Recovery phone")
    press(page, "Continue without a number")
    heading(page, "Extra verification")
    press(page, "Set up E-mail code", "link")
    press(page, "Send code")
    enter_code(page, site)
    heading(page, "Extra verification")
    press(page, "Continue")
    heading(page, "Security question")
    type_in(page, "Answer", "Somewhere in Kapuskasing")
    page.keyboard.press("Enter")
    heading(page, "Recovery codes")
    press(page, "Show recovery codes")
    press(page, "I saved my codes")
    heading(page, "Setup complete")
    press(page, "Finish")
    heading(page, "Your applications")
    menu = page.locator("header summary")
    reach(page, menu)
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("link", name="Sign out"))
    page.keyboard.press("Enter")
    press(page, "Sign out")
    heading(page, "You are signed out")

    page.goto(f"{site.origin}/signin")
    press(page, "Forgot password?", "link")
    heading(page, "Forgot password")
    page.keyboard.type(username)
    page.keyboard.press("Enter")
    heading(page, "Check your e-mail")
    site.world.run_worker()
    page.goto(site.world.mails("password_reset_link")[-1].links[0])
    reach(page, page.locator("#answer"))
    page.keyboard.type("Somewhere in Kapuskasing")
    type_in(page, "New password", NEW_PASSWORD)
    type_in(page, "Confirm new password", NEW_PASSWORD)
    page.keyboard.press("Enter")
    heading(page, "Verify your identity")
    enter_code(page, site)
    heading(page, "Your applications")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_the_skip_link_leads_past_the_header(page: Page, site: Site) -> None:
    """WCAG 2.4.1: the first stop of every page."""
    page.goto(f"{site.origin}/recover")
    page.locator("body").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to main content")
    reach(page, link)
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
