"""OpenID Connect Session Management 1.0: the state in answers, the frame, and the cookie."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.session.browser_state import calculate, origin_of
from tests.security.test_login_cookies import cookie_of, plant
from tests.world import Rp, World, answer_of, hidden_fields

FRAME = "/oauth2/v1/check_session"
NATIVE = "com.example.meter:/callback"


def expected(world: World, rp: Rp, origin: str, state: str, sent: str) -> bool:
    """Section 3.2: what the script in the frame calculates."""
    digest, salt = sent.split(".")
    text = f"{rp.client_id} {origin} {state} {salt}"
    return digest == hashlib.sha256(text.encode()).hexdigest()


def test_an_answer_has_the_state_of_its_browser(world: World) -> None:
    """Sections 2 and 4.2: a salted digest of client id, origin and browser, new in each answer,
    without a space."""
    rp, other, username = world.relying_party(), world.relying_party("CROW"), world.account()
    browser = world.browser()
    first = answer_of(browser.sign_in(username, page=browser.authorize(rp)))["session_state"]
    state = cookie_of(browser, "state") or ""
    assert expected(world, rp, "https://emi.rp.test", state, first)
    again = answer_of(browser.authorize(rp, prompt="none"))["session_state"]
    assert again != first
    assert " " not in again
    assert expected(world, rp, "https://emi.rp.test", state, again)
    elsewhere = answer_of(browser.authorize(other))["session_state"]
    assert expected(world, other, "https://crow.rp.test", state, elsewhere)
    assert not expected(world, rp, "https://emi.rp.test", state, elsewhere)


def test_posted_and_signed_answers_have_it_too(world: World) -> None:
    """Form Post 1.0, JARM section 2.1: among the other parameters, and in the JWT."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser().signed_in(username)
    state = cookie_of(browser, "state") or ""
    page = browser.authorize(rp, response_mode="form_post")
    posted = hidden_fields(page.text, rp.redirect_uri)
    assert expected(world, rp, "https://emi.rp.test", state, posted["session_state"])
    signed = answer_of(browser.authorize(rp, response_mode="query.jwt"))
    assert set(signed) == {"response"}
    keys = KeySet.import_key_set(browser.get("/oauth2/v1/keys").json)
    claims = jwt.decode(signed["response"], keys, algorithms=["RS256"]).claims
    assert expected(world, rp, "https://emi.rp.test", state, claims["session_state"])


def test_answers_without_a_browser_of_the_application_have_no_state(world: World) -> None:
    """Section 2: errors, requests without ``openid``, and addresses that are no page."""
    rp, username = world.relying_party(), world.account()
    native = world.relying_party("METER", auth_method="none", redirect_uris=(NATIVE,), home_url="")
    assert "session_state" not in answer_of(world.browser().authorize(rp, prompt="none"))
    browser = world.browser().signed_in(username)
    for party, params in (
        (rp, {"prompt": "none", "scope": "profile", "nonce": None}),
        (native, {}),
        (rp, {"acr_values": "x", "response_type": "token"}),
    ):
        assert "session_state" not in answer_of(browser.authorize(party, **params))


def test_n53_the_cookie_changes_with_the_session_and_only_then(world: World) -> None:
    """Section 4.2: at sign-in, sign-out and for another person. Signing in again keeps the session
    and its ``sid``, so applications are not disturbed."""
    first, second, rp = world.account(), world.account(), world.relying_party()
    browser = world.browser()
    assert cookie_of(browser, "state") is None
    browser.sign_in(first)
    of_first = cookie_of(browser, "state")
    browser.sign_in(first, page=browser.authorize(rp, prompt="login"))
    assert of_first == cookie_of(browser, "state") != cookie_of(browser)
    browser.sign_in(second, page=browser.authorize(rp, prompt="login"))
    of_second = cookie_of(browser, "state")
    assert of_second not in (None, of_first)
    browser.submit(browser.get("/signout"), "/signout")
    assert cookie_of(browser, "state") is None
    browser.sign_in(first)
    assert cookie_of(browser, "state") not in (None, of_first, of_second)


def test_the_cookie_follows_a_session_that_ended_or_started_elsewhere(world: World) -> None:
    """A session that ended, or that began before browsers had the cookie."""
    rp, browser = world.relying_party(), world.browser().signed_in(world.account())
    state = cookie_of(browser, "state") or ""
    plant(browser, "planted", "state")
    answer = answer_of(browser.authorize(rp, prompt="none"))
    assert cookie_of(browser, "state") == state
    assert expected(world, rp, "https://emi.rp.test", state, answer["session_state"])
    world.clock.advance(hours=13)
    assert answer_of(browser.authorize(rp, prompt="none"))["error"] == "login_required"
    assert cookie_of(browser, "state") is None


def test_n55_the_cookie_opens_nothing(world: World) -> None:
    """N55: as session cookie, and as the cookie of another browser."""
    browser, thief = world.browser().signed_in(world.account()), world.browser()
    stolen = cookie_of(browser, "state") or ""
    for purpose in ("session", "state", "browser", "form"):
        plant(thief, stolen, purpose)
    rp = world.relying_party()
    assert answer_of(thief.authorize(rp, prompt="none"))["error"] == "login_required"


def test_n59_any_site_may_frame_this_page_and_no_other(world: World) -> None:
    """N59, section 3.3: it runs its one script, sends nothing and sets no cookie. The policy of all
    other pages is in test_headers."""
    answer = world.browser().signed_in(world.account()).get(FRAME)
    assert answer.status_code == 200
    assert 'data-cookie="__Host-gw-sandbox-state"' in answer.text
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; script-src 'sha256-{digest}'; form-action 'none'; "
        "base-uri 'none'; frame-ancestors *"
    )
    assert "X-Frame-Options" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    refused = world.browser().client.post(FRAME, base_url=world.settings.issuer)
    assert refused.status_code in (400, 405)
    assert refused.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in refused.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://emi.example/callback?a=b", "https://emi.example"),
        ("https://EMI.example:443/", "https://emi.example"),
        ("https://emi.example:8443/x", "https://emi.example:8443"),
        ("http://localhost:80/", "http://localhost"),
        ("http://[::1]:5000/x", "http://[::1]:5000"),
        ("https://xn--caf-dma.example/", "https://xn--caf-dma.example"),
        (NATIVE, None),
    ],
)
def test_an_origin_is_written_as_browsers_do(uri: str, origin: str | None) -> None:
    """RFC 6454 section 6.2."""
    assert origin_of(uri) == origin


def test_the_calculation_is_this_one() -> None:
    """Section 4.2: a value that was calculated elsewhere."""
    digest = hashlib.sha256(b"emi https://emi.example state salt").hexdigest()
    assert calculate("emi", "https://emi.example", "state", "salt") == f"{digest}.salt"
