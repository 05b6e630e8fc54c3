"""Return addresses after sign-in and after a change of language."""

from __future__ import annotations

import pytest

from tests.world import World, hidden_fields

EVIL = (
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https://evil.example",
    "HTTPS://evil.example/",
    "http:/evil.example",
    "%2f%2fevil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\nSet-Cookie: a=b",
    " //evil.example",
    "/ /evil.example",
    "/\u2215evil.example",
    "/\uff0fevil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "/settings//evil.example",
    "/\x00",
    "?next=//evil.example",
    "#",
    "",
    "/" + "a" * 5000,
)
GOOD = ("/", "/settings", "/settings/password", "/settings?tab=sessions")


@pytest.mark.parametrize("target", EVIL)
def test_n56_a_foreign_return_address_is_replaced_by_the_applications_page(
    world: World, target: str
) -> None:
    """N56: on the page and in the form, whatever was asked for; the end is this site's own page."""
    username = world.account()
    browser = world.browser()
    page = browser.get("/signin", next=target)
    fields = hidden_fields(page.text, "/signin")
    assert fields["next"] == "/"
    sent = fields | {"next": target, "username": username, "password": "Quartz-Heron7-lantern"}
    after = browser.post("/signin", sent)
    assert (after.status_code, after.request.path) == (200, "/")


@pytest.mark.parametrize("target", GOOD)
def test_n56_a_page_of_this_site_is_returned_to(world: World, target: str) -> None:
    """N56: the good case."""
    username = world.account()
    browser = world.browser()
    after = browser.sign_in(username, page=browser.get("/signin", next=target))
    assert after.status_code == 200
    assert after.request.full_path.rstrip("?") == target


@pytest.mark.parametrize("target", EVIL)
def test_n56_the_language_form_returns_to_this_site(world: World, target: str) -> None:
    """N56: the other form that carries a return address."""
    browser = world.browser()
    fields = hidden_fields(browser.get("/signin").text, "/language")
    sent = fields | {"next": target, "locale": "fr"}
    answer = browser.client.post("/language", data=sent, base_url=browser.base)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_n56_a_page_that_needs_a_session_is_returned_to(world: World) -> None:
    """N56, GW-05: who opens a page without a session comes back to it after signing in."""
    username = world.account()
    browser = world.browser()
    page = browser.get("/settings")
    assert page.request.path == "/signin"
    assert browser.sign_in(username, page=page).request.path == "/settings"
