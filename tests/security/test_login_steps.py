"""N61, N62: no step of a sign-in is skipped, and none counts for another sign-in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.console.desk import Desk
from tests.world import AUTHORIZE, NEW_PASSWORD, Browser, Rp, World, hidden_fields

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


@pytest.fixture
def halfway(world: World) -> tuple[World, Rp, Browser, TestResponse, str, str]:
    """A sign-in for an application in which a new password has to be chosen first."""
    username, rp = world.account(), world.relying_party(trusted=False)
    temporary = Desk.of(world).temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary, browser.authorize(rp))
    assert page.request.path == "/signin/password"
    flow = hidden_fields(page.text, "/signin/password")["flow"]
    return world, rp, browser, page, flow, temporary


Try = Callable[[World, Rp, Browser, TestResponse, str], TestResponse]
TRIES: dict[str, Try] = {
    "authorize again": lambda _w, rp, b, _p, _f: b.authorize(rp),
    "authorize silently": lambda _w, rp, b, _p, _f: b.authorize(rp, prompt="none"),
    "resume": lambda _w, _r, b, _p, f: b.get(f"{AUTHORIZE}/resume", flow=f),
    "applications": lambda _w, _r, b, _p, _f: b.get("/"),
    "settings": lambda _w, _r, b, _p, _f: b.get("/settings"),
    "console": lambda _w, _r, b, _p, _f: b.get("/console"),
    "consent page": lambda _w, _r, b, _p, f: b.get("/signin/consent", flow=f),
    "consent sent": lambda _w, _r, b, p, f: b.post(
        "/signin/consent",
        hidden_fields(p.text, "/signin/password") | {"flow": f, "decision": "allow"},
    ),
    "account chosen": lambda _w, _r, b, p, f: b.post(
        "/signin/account",
        hidden_fields(p.text, "/signin/password") | {"flow": f, "choice": "continue"},
    ),
    "empty form": lambda _w, _r, b, p, _f: b.submit(p, "/signin/password"),
    "without the old one": lambda _w, _r, b, p, _f: b.submit(p, "/signin/password", **CHOICE),
    "other flow": lambda _w, _r, b, p, _f: b.submit(p, "/signin/password", flow="x", **CHOICE),
    "settings form": lambda _w, _r, b, p, _f: b.post(
        "/settings/password", hidden_fields(p.text, "/signin/password") | CHOICE
    ),
}


@pytest.mark.parametrize("name", TRIES)
def test_n61_the_pending_step_cannot_be_skipped(
    halfway: tuple[World, Rp, Browser, TestResponse, str, str], name: str
) -> None:
    """N61: no session and no code by going elsewhere; the step itself still works afterwards."""
    world, rp, browser, page, flow, temporary = halfway
    answer = TRIES[name](world, rp, browser, page, flow)
    assert "code=" not in answer.headers.get("Location", "")
    assert "Your applications" not in answer.text
    assert world.events("signin.succeeded")[-1].account_id != _subject(world)
    assert "Sign in" in browser.get("/settings").text
    done = browser.submit(page, "/signin/password", current=temporary, **CHOICE)
    assert "Allow" in done.text


def _subject(world: World) -> int:
    return world.account_row("holder1").id


def test_n62_a_step_of_one_flow_does_not_count_in_another(
    halfway: tuple[World, Rp, Browser, TestResponse, str, str],
) -> None:
    """N62: a second sign-in of the same browser, and the same one in another browser."""
    world, rp, browser, page, flow, temporary = halfway
    second = hidden_fields(browser.authorize(rp).text, "/signin")["flow"]
    fields = {"current": temporary, **CHOICE}
    wrong = browser.submit(page, "/signin/password", **(fields | {"flow": second}))
    assert "Sign in" in wrong.text
    stranger = world.browser()
    token = hidden_fields(stranger.get("/signin").text, "/signin")["csrf_token"]
    stolen = stranger.post("/signin/password", fields | {"flow": flow, "csrf_token": token})
    assert "Allow" not in stolen.text
    assert world.browser().sign_in("holder1", NEW_PASSWORD).status_code == 400
    assert "Allow" in browser.submit(page, "/signin/password", **fields).text
