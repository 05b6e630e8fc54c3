"""An organization from its registration to a token: the desk of the IESO, the representatives, and
a person who is granted a role and loses it, each in a browser of his own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_journeys import NEW_PASSWORD, enrol, sign_in
from tests.browser.test_recovery import choose, message
from tests.registration.test_live_journeys import EMAILS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
ROLE, SHOWN_BY_EMI = "View market data", "See market data"
FIELDS = {"first_name": "Nadia", "main_phone": "705 555 0188", "address_1": "1 Mill Street",
          "city": "Sudbury", "province": "Ontario", "postal_code": "P3A 1A1",
          "country": "Canada"}  # fmt: skip


@dataclass
class Walk:
    """The demonstration, and the organization that is registered in it."""

    chromium: Browser
    known: dict[str, Any]
    here: str = ""

    @property
    def url(self) -> str:
        """Of registration."""
        return str(self.known["registration"]["url"])

    def official(self, tier: str) -> dict[str, Any]:
        """Somebody of the demonstration."""
        people = self.known["registration"]["people"]
        return next(one for one in people if one["tier"] == tier) | {"email": EMAILS[tier]}

    @contextmanager
    def tab(self) -> Iterator[Page]:
        """A browser of somebody's own, in English."""
        context = self.chromium.new_context(locale="en-CA")
        context.set_default_timeout(15_000)
        yield context.new_page()
        context.close()

    @contextmanager
    def at_registration(self, person: dict[str, Any]) -> Iterator[Page]:
        """Signed in there by the gateway."""
        with self.tab() as page:
            page.goto(f"{self.url}/signin")
            sign_in(page, person)
            expect(page).to_have_url(f"{self.url}/")
            yield page

    def open(self, page: Page, path: str) -> None:
        """A page of the organization."""
        page.goto(f"{self.url}{self.here}{path}")

    def activate(self, page: Page, email: str) -> None:
        """By the link of the gateway's mail: a password, and all steps of the set-up."""
        mail = message(page, self.known["issuer"], "account", email)
        page.goto(mail.locator('a[href*="/activate?token="]').get_attribute("href"))
        choose(page, NEW_PASSWORD)
        enrol(page, email)
        expect(page).to_have_url(self.known["issuer"] + "/")

    def at_emi(self, page: Page) -> str:
        """What EMI shows the person who is signed in at the gateway, after its next token."""
        emi = self.known["relying_parties"][0]["url"]
        page.goto(f"{emi}/signin")
        expect(page).to_have_url(re.compile(re.escape(emi)))
        return page.inner_text("main")


def register(page: Page, last_name: str) -> str:
    """From a search that finds nobody: a new person, who is then chosen (RG-04, RG-05)."""
    email = f"nadia.{last_name.lower()}@sunrise.example"
    page.get_by_role("link", name="Register New Person").click()
    for name, value in (FIELDS | {"last_name": last_name, "main_email": email}).items():
        page.locator(f'main [name="{name}"]').fill(value)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name=f"Nadia {last_name}").click()
    return email


def appoint(page: Page, office: str, letter: str = "") -> None:
    """The form, the review and the confirmation."""
    page.locator('main [name="office"]').select_option(office)
    if letter:
        page.locator('main [name="letter"]').fill(letter)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("is now")


def with_role(page: Page, *, is_held: bool) -> None:
    """The role is ticked or not, reviewed and confirmed, and the worker has pushed it."""
    page.get_by_label(ROLE, exact=True).set_checked(is_held)
    page.get_by_role("button", name="Review the changes").click()
    expect(page.locator("main table")).to_contain_text("Grant" if is_held else "Revoke")
    page.get_by_role("button", name="Confirm").click()
    for _ in range(60):
        if page.get_by_text("Completed", exact=True).count():
            return
        page.wait_for_timeout(250)
        page.reload()
    raise AssertionError(page.inner_text("main"))


def test_tm02_an_organization_from_the_desk_to_a_token(
    chromium: Browser, live_demo: dict[str, Any]
) -> None:
    """RG-12, TM-02, TM-03, TM-05, AC-03, A.01 to A.05, D.04: registered by the desk of the IESO;
    its first Authorized Representative is appointed by letter and activates the account; each
    appoints the next; the Rights Administrator registers somebody and grants a role, which the next
    token has, and revokes it."""
    walk = Walk(chromium, live_demo)
    with walk.at_registration(walk.official("ieso")) as page:
        walk.open(page, "/new-organization")
        page.get_by_label("Name", exact=True).fill("Sunrise Solar")
        page.get_by_role("button", name="Register").click()
        found = re.search(r"/organizations/\d+", page.url)
        assert found
        walk.here = found[0]
        walk.open(page, "/participations/apply/energy")
        page.get_by_role("button", name="Proceed").click()
        page.get_by_role("button", name="Done").click()
        page.get_by_role("button", name="Approve").click()
        walk.open(page, "/representatives/appoint?last_name=Sundberg")
        email = register(page, "Sundberg")
        appoint(page, "ar", letter="L-2026-11")
    with walk.tab() as page:
        walk.activate(page, email)
        page.goto(f"{walk.url}/signin")
        expect(page.locator("main")).to_contain_text("Sunrise Solar")
        walk.open(page, f"/representatives/appoint/{walk.official('pc')['person_id']}")
        appoint(page, "pc")
    with walk.at_registration(walk.official("pc")) as page:
        walk.open(page, f"/representatives/appoint/{walk.official('ra')['person_id']}")
        appoint(page, "ra")
    with walk.at_registration(walk.official("ra")) as page, walk.tab() as other:
        walk.open(page, "/grant?last_name=Trelawny")
        email = register(page, "Trelawny")
        roles = page.url
        with_role(page, is_held=True)
        walk.activate(other, email)
        assert SHOWN_BY_EMI in walk.at_emi(other)
        page.goto(roles)
        with_role(page, is_held=False)
        assert SHOWN_BY_EMI not in walk.at_emi(other)
