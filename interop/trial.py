"""A person at a browser, and what has to happen with a client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
from playwright.sync_api import Locator, Page

from interop.catalogue import Client

READER, EDITOR = "Interop Reader", "Interop Editor"
NOTICE_SECONDS = 15
#: The library asks the frame every two seconds.
MONITORED_MS = 5_000
TOTP_SECONDS = 30
#: After this time a client that renews tokens at every second has done so.
RENEWED_MS = 2_000


class Failed(Exception):
    """A step of a client did not do what it has to."""


class Person:
    """Somebody at a browser who answers the pages of the gateway."""

    def __init__(self, issuer: str, known: dict[str, Any]) -> None:
        self.username = known["username"]
        self.email = known["email"]
        self._issuer = issuer
        self._password = known["password"]
        self._totp = pyotp.TOTP(known["totp_secret"])
        self._spent = 0

    def visit(self, page: Page, address: str, *, signs_in: bool = True) -> int:
        """Open an address, answer the pages that ask for something, and return the last status."""
        seen = page.goto(address)
        for _ in range(6):
            button = self._button(page, signs_in=signs_in)
            if not button.count() or (self.is_asked_to_sign_in(page) and not signs_in):
                break
            self._fill(page)
            with page.expect_navigation() as answered:
                button.click()
            # The gateway leads back by a page that goes on by itself.
            page.wait_for_load_state("networkidle")
            seen = answered.value
        return seen.status if seen else 0

    def is_signed_in(self, page: Page) -> bool:
        """Whether the gateway still knows this browser."""
        page.goto(f"{self._issuer}/settings")
        return not self.is_asked_to_sign_in(page)

    def is_asked_to_sign_in(self, page: Page) -> bool:
        """Whether this is the page of the gateway for user name and password."""
        return page.url.startswith(self._issuer) and page.locator("#password").count() > 0

    def _button(self, page: Page, *, signs_in: bool) -> Locator:
        """The button of a page that asks for something, of the gateway or of a library."""
        if not page.url.startswith(self._issuer):
            buttons = page.locator("form button[type=submit], form button:not([type])")
            # Who signs in may get to a page that offers the sign-out.
            return buttons.filter(has_not_text="Sign out" if signs_in else None).first
        name = "Continue"
        if page.locator("#username").count():
            name = "Sign in"
        elif page.get_by_role("heading", name="Sign out of the gateway?").count():
            name = "Sign out"
        elif page.get_by_role("button", name="Allow", exact=True).count():
            name = "Allow"
        return page.get_by_role("button", name=name, exact=True).first

    def _fill(self, page: Page) -> None:
        known = {"#username": lambda: self.username, "#password": lambda: self._password}
        for field_id, value in {**known, "#code": self._code}.items():
            if page.url.startswith(self._issuer) and page.locator(field_id).count():
                page.fill(field_id, value())

    def _code(self) -> str:
        """A code of a step that was not used yet."""
        while int(time.time()) // TOTP_SECONDS <= self._spent:
            time.sleep(0.5)
        self._spent = int(time.time()) // TOTP_SECONDS
        return self._totp.now()


class Trial:
    """One client, seen from a new browser."""

    def __init__(
        self,
        client: Client,
        base: str,
        issuer: str,
        person: Person,
        outsider: Person,
        page: Page,
    ) -> None:
        self._client = client
        self._base = base
        self._issuer = issuer
        self._person = person
        self._outsider = outsider
        self._page = page

    @property
    def ends_both(self) -> bool:
        """Whether signing out ends the session of the gateway too."""
        return self._client.signs_out

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Every step that the library has, in order."""
        yield "sign-in", self._sign_in
        yield "role groups", self._role_groups
        if self._client.refreshes:
            yield "refresh", self._refresh
        if self._client.backchannel:
            yield "back-channel", self._end_at_the_gateway
        if self._client.monitors:
            yield "frame", self._end_in_another_tab
        yield "logout", self._sign_out

    def _sign_in(self) -> None:
        if self._client.pages.api:
            self._expect(self._client.pages.api, 401)
        self._status(self._client.pages.signin)
        self._expect_reader()

    def _expect_reader(self) -> None:
        self._expect(self._client.pages.reader, 200, self._shown_of(self._person))

    def _shown_of(self, person: Person) -> str:
        """What the reader shows of a person."""
        name = self._client.pages.shows
        return str(getattr(person, name)) if name else ""

    def _role_groups(self) -> None:
        if self._client.pages.editor:
            self._expect(self._client.pages.reader, 200, READER)
            self._expect(self._client.pages.editor, 403)
        else:
            self._refuse_outsider()

    def _refuse_outsider(self) -> None:
        """What opens for the person does not open for another one."""
        context = self._page.context.browser.new_context(locale="en-CA")  # type: ignore[union-attr]
        page = context.new_page()
        self._outsider.visit(page, self._base + self._client.pages.signin)
        status = self._outsider.visit(page, self._base + self._client.pages.reader)
        content, place = page.content(), _place(page)
        context.close()
        shown = self._shown_of(self._outsider)
        if status != 403 or (shown and shown in content):
            raise Failed(f"a person without the role group ended at {place} with {status}")

    def _refresh(self) -> None:
        if self._client.pages.refresh:
            self._expect(self._client.pages.refresh, 200, "refreshed")
        else:
            before = self._shown_token()
            self._page.wait_for_timeout(RENEWED_MS)
            if self._shown_token() == before:
                raise Failed("the access token is the same")
        self._expect_reader()

    def _shown_token(self) -> str:
        """The access token that the page shows."""
        self._expect_reader()
        return self._page.locator("#token").inner_text()

    def _end_at_the_gateway(self) -> None:
        """OpenID Connect Back-Channel Logout 1.0: the client hears of it; then sign in again."""
        self._person.visit(self._page, f"{self._issuer}/oauth2/v1/logout")
        end = time.monotonic() + NOTICE_SECONDS
        while not self._is_signed_out():
            if time.monotonic() > end:
                raise Failed("still signed in after the session of the gateway ended")
            time.sleep(0.5)
        self._sign_in()

    def _end_in_another_tab(self) -> None:
        """OpenID Connect Session Management 1.0: the page of the client notices the end,
        and nothing before it; then sign in again."""
        self._expect("/monitor", 200, "monitoring")
        self._page.wait_for_timeout(MONITORED_MS)
        if self._page.title() != "200":
            raise Failed("the session ended for the client before it did at the gateway")
        other = self._page.context.new_page()
        self._person.visit(other, f"{self._issuer}/oauth2/v1/logout")
        other.close()
        self._page.wait_for_function("document.title === '401'", timeout=NOTICE_SECONDS * 1000)
        self._status("/forget")
        self._sign_in()

    def _sign_out(self) -> None:
        if not self._person.is_signed_in(self._page):
            raise Failed("there is no session of the gateway to end")
        self._person.visit(self._page, self._base + self._signout(), signs_in=False)
        # What is behind the sign-in as a whole leads to the gateway again.
        if not self._page.url.startswith(self._base) and not self._person.is_asked_to_sign_in(
            self._page
        ):
            raise Failed(f"signing out ended at {_place(self._page)}")
        if not self._is_signed_out():
            raise Failed(f"still signed in: {_place(self._page)}")
        if self._person.is_signed_in(self._page) == self.ends_both:
            raise Failed("the session of the gateway is not as it should be after signing out")

    def _signout(self) -> str:
        """The address that signs out; without one it is the link of the page."""
        if self._client.pages.signout:
            return self._client.pages.signout
        self._expect_reader()
        return str(self._page.get_attribute("#signout", "href"))

    def _is_signed_out(self) -> bool:
        """Whether the page asks for sign-in: it answers 401, or leads to the gateway or to a page
        of the client."""
        seen = self._page.goto(self._base + self._client.pages.reader)
        if self._page.url.startswith(self._issuer):
            return self._person.is_asked_to_sign_in(self._page)
        if login := self._client.pages.login:
            return self._page.url.startswith(self._base + login)
        return self._said(seen.status if seen else 0) == 401

    def _status(self, path: str) -> int:
        """Open a page of the client and answer what is asked; where that ended."""
        return self._said(self._person.visit(self._page, self._base + path))

    def _said(self, status: int) -> int:
        """The status, which a page of a program in the browser has as its title."""
        if self._client.in_browser and self._page.url.startswith(self._base):
            self._page.wait_for_function("document.title")
            return int(self._page.title())
        return status

    def _expect(self, path: str, status: int, text: str = "") -> None:
        seen = self._status(path)
        if seen != status or text not in self._page.content():
            raise Failed(f"{path} ended at {_place(self._page)} with {seen}, not {status} {text}")


def _place(page: Page) -> str:
    """An address without its query, which may hold codes and tokens."""
    return page.url.partition("?")[0]
