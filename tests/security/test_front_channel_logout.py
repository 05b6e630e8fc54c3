"""Front-channel logout: which addresses the page of a sign-out opens in frames, and that no other
page may open any (OpenID Connect Front-Channel Logout 1.0, N57)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.clients.client_refusals import RegistrationInvalid
from idp.credentials.assertions import unverified_claims
from tests.world import Browser, Rp, World

LOGOUT = "/oauth2/v1/logout"
FRONT = "https://emi.rp.test/front?app=1"


def relying_party(world: World, name: str = "EMI", **changes: Any) -> Rp:
    """A client with an address for frames."""
    values = {
        "frontchannel_logout_uri": f"https://{name.lower()}.rp.test/front?app=1",
        "frontchannel_logout_session_required": True,
    }
    return world.relying_party(name, **values | changes)


def frames(page: TestResponse) -> list[str]:
    return [unescape(address) for address in re.findall(r'<iframe src="([^"]*)"', page.text)]


def frame_sources(page: TestResponse) -> list[str]:
    found = re.search(r"frame-src ([^;]*);", page.headers["Content-Security-Policy"])
    return found[1].split() if found else []


def sid_of(tokens: dict[str, Any]) -> str:
    return str(unverified_claims(tokens["id_token"])["sid"])


def signed_in(world: World, *parties: Rp) -> tuple[Browser, list[dict[str, Any]]]:
    """A browser with a session at these applications, and their tokens."""
    browser, username = world.browser(), world.account()
    found = [world.redeem(rp, browser.code(rp, username)).json or {} for rp in parties]
    return browser, found


def test_n57_a_sign_out_opens_the_address_of_each_application_that_took_part(
    world: World,
) -> None:
    """Sections 2 and 3: with the ``iss`` and ``sid`` of its ID token, beside the query that is
    registered; not of applications that the person did not open, and in no frame without need."""
    emi, crow = relying_party(world), relying_party(world, "CROW")
    relying_party(world, "UNUSED")
    plain = world.relying_party("PLAIN")
    browser, tokens = signed_in(world, emi, crow, plain)
    page = browser.submit(browser.get("/signout"), "/signout")
    assert page.status_code == 200
    assert "You are signed out" in page.text
    found = frames(page)
    assert [address.split("?")[0] for address in found] == [
        "https://emi.rp.test/front",
        "https://crow.rp.test/front",
    ]
    for address, held in zip(found, tokens, strict=False):
        assert parse_qs(urlsplit(address).query) == {
            "app": ["1"],
            "iss": [world.settings.issuer],
            "sid": [sid_of(held)],
        }
    assert frame_sources(page) == ["https://crow.rp.test", "https://emi.rp.test"]
    assert page.headers["Cache-Control"] == "no-store"
    assert "refresh" not in page.text


def test_an_application_that_needs_no_session_gets_its_address_as_registered(
    world: World,
) -> None:
    """Section 2: ``frontchannel_logout_session_required`` is false unless it is registered."""
    browser, _ = signed_in(world, relying_party(world, frontchannel_logout_session_required=False))
    page = browser.submit(browser.get("/signout"), "/signout")
    assert frames(page) == [FRONT]


def test_n57_a_logout_by_a_relying_party_goes_on_after_the_frames(world: World) -> None:
    """RP-Initiated Logout: the page opens the frames, then goes to the registered address, with
    and without its script."""
    rp = relying_party(world)
    browser, (tokens,) = signed_in(world, rp)
    back = "https://emi.rp.test/signed-out"
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": back, "state": "x&y"}
    page = browser.get(LOGOUT, **hint)
    assert page.status_code == 200
    assert len(frames(page)) == 1
    text = unescape(page.text)
    assert f'content="5; url={back}?state=x%26y"' in text
    assert f'id="continue" href="{back}?state=x%26y"' in text
    assert "signed-out.js" in text
    # There is nothing left to sign out of.
    assert browser.get(LOGOUT, **hint).headers["Location"] == f"{back}?state=x%26y"


def test_n57_a_confirmed_logout_opens_the_frames_too(world: World) -> None:
    """Without a hint the person is asked; the page that asks opens no frame."""
    browser, _ = signed_in(world, relying_party(world))
    asked = browser.get(LOGOUT)
    assert frames(asked) == frame_sources(asked) == []
    page = browser.submit(asked, f"{LOGOUT}/confirm")
    assert len(frames(page)) == 1
    assert frame_sources(page) == ["https://emi.rp.test"]


def test_both_channels_work_beside_each_other(world: World) -> None:
    """An application can register both; the logout token has the same ``sid``."""
    rp = relying_party(world, backchannel_logout_uri="https://emi.rp.test/back")
    browser, (tokens,) = signed_in(world, rp)
    page = browser.submit(browser.get("/signout"), "/signout")
    world.run_worker()
    ((address, _token),) = world.logouts.sent
    assert address == "https://emi.rp.test/back"
    assert sid_of(tokens) in frames(page)[0]


def test_n18_a_disabled_application_gets_no_frame(world: World) -> None:
    """Nor does a browser without a session."""
    rp = relying_party(world)
    browser, _ = signed_in(world, rp)
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    page = browser.submit(browser.get("/signout"), "/signout")
    assert frames(page) == frame_sources(page) == []
    page = world.browser().get("/signout")
    assert frames(page) == frame_sources(page) == []


def test_n59_no_other_page_may_open_frames(world: World) -> None:
    """The policy of every other page has no source of frames."""
    browser, _ = signed_in(world, relying_party(world))
    for path in ("/", "/settings", "/signin", "/signout", "/nothing"):
        assert frame_sources(browser.get(path)) == []


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("http://emi.rp.test/front", "must use https"),
        ("https://emi.rp.test/front#x", "must not have a fragment"),
        ("https://emi.rp.test:444/front", "scheme, host and port"),
        ("https://other.test/front", "scheme, host and port"),
        ("https://emi.rp.test.evil.test/front", "scheme, host and port"),
        ("https://emi.rp.test@evil.test/front", "must not have a user name"),
        ("https://emi.rp.test; script-src *", "characters that are not allowed"),
        ("javascript:alert(1)", "must use https"),
        ("/front", "must use https"),
    ],
)
def test_n09_an_address_for_frames_is_one_of_the_application(
    world: World, uri: str, fault: str
) -> None:
    """Section 2: https, and scheme, host and port of a redirect URI."""
    with pytest.raises(RegistrationInvalid, match=fault):
        relying_party(world, frontchannel_logout_uri=uri)
