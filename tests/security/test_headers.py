"""Security headers of every answer, whatever the page and the status."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from idp.models import AccountState
from idp.policy.console import ConsoleRole
from idp.settings import Settings
from tests.security.test_login_cookies import gateway
from tests.world import PASSWORD, World, hidden_fields

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
#: A value for each argument that a route of ours takes.
ARGUMENTS = {
    "filename": "password.js", "digest": "nothing", "public_id": "nobody", "consent_id": 1,
    "subject": "nobody", "client_id": "nobody", "kid": "nothing", "number": 1, "action": "lock",
    "tab": "access", "kind": "totp", "resource_endpoint": "Users", "resource_id": "nobody",
    "path": "nothing", "stream_id": "nothing",
}  # fmt: skip
FIXED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
#: The page of session management, which has headers of its own (test_session_management).
FRAMED = "/oauth2/v1/check_session"
HSTS = "max-age=63072000; includeSubDomains"
POLICY = re.compile(
    r"default-src 'none'; script-src '(?:nonce-([\w-]{22})|none)'; style-src 'self'; "
    r"img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def paths(app: Flask) -> list[str]:
    """A path for every route there is."""
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("gateway.test")
        return sorted(
            {
                adapter.build(rule.endpoint, {name: ARGUMENTS[name] for name in rule.arguments})
                for rule in app.url_map.iter_rules()
            }
        )


def assert_protected(answer: TestResponse) -> str | None:
    """Check all headers of an answer and that its page keeps to them; returns the nonce, which
    every page has and nothing else."""
    expected = dict(FIXED)
    if 300 <= answer.status_code < 400:
        # No document to protect, and a popup would lose its opener on the way.
        expected["Cross-Origin-Opener-Policy"] = "unsafe-none"
    assert {name: answer.headers.get(name) for name in FIXED} == expected
    assert answer.headers["Strict-Transport-Security"] == HSTS
    found = POLICY.fullmatch(answer.headers["Content-Security-Policy"])
    assert found, answer.headers["Content-Security-Policy"]
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"])
    is_page = answer.mimetype == "text/html" and not 300 <= answer.status_code < 400
    assert is_page == bool(found[1]) or not answer.data
    if answer.mimetype == "text/html":
        for tag in re.findall(r"<script\b[^>]*>", answer.text):
            assert f'nonce="{found[1]}"' in tag
        assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", answer.text)
    return found[1]


@pytest.fixture(params=["anonymous", "signed in", "operator"])
def visitor(world: World, request: pytest.FixtureRequest) -> World:
    """A world whose ``made["client"]`` is a browser, with and without a session."""
    browser = world.browser()
    if request.param == "signed in":
        browser.sign_in(world.account())
    elif request.param == "operator":
        browser.sign_in(world.operator(*ConsoleRole))
    world.made["client"] = browser.client
    return world


def test_n59_every_route_and_method_has_the_security_headers(visitor: World) -> None:
    """N59: all routes with all methods, so also 400, 404 and 405; each with a nonce of its own."""
    client = visitor.made["client"]
    nonces, statuses = [], set()
    known = sorted({*paths(visitor.app)} - {FRAMED})
    for path in (*known, "/no/such/page", "/oauth2/v1/nothing", "/\xff\xfe"):
        for method in METHODS:
            answer = client.open(path, method=method, base_url=visitor.settings.issuer)
            if nonce := assert_protected(answer):
                nonces.append(nonce)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (method, path)
            answer.close()
    assert len(set(nonces)) == len(nonces)
    assert {200, 303, 400, 404, 405} <= statuses


def test_n59_too_large_a_request_gets_the_security_headers(visitor: World) -> None:
    """N59: the refusal comes before any page is chosen, yet has its own nonce."""
    client = visitor.made["client"]
    answer = client.post("/signin", data=b"a" * 300_000, base_url=visitor.settings.issuer,
                         content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert answer.status_code == 413
    assert_protected(answer)


def test_n59_a_stale_form_gets_the_security_headers(visitor: World) -> None:
    """N59: refused by the form check."""
    answer = visitor.made["client"].post("/signin", base_url=visitor.settings.issuer)
    assert answer.status_code == 400
    assert_protected(answer)


@pytest.mark.parametrize("path", ["/", "/signin", "/recover", "/healthz", "/oauth2/v1/keys"])
def test_n59_an_internal_error_has_the_security_headers(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """N59: 500 without a trace, in the form that fits the path."""

    def fail(**_: object) -> None:
        raise RuntimeError("the-inner-detail")

    for endpoint in tuple(world.app.view_functions):
        monkeypatch.setitem(world.app.view_functions, endpoint, fail)
    answer = world.app.test_client().get(path, base_url=world.settings.issuer)
    assert answer.status_code == 500
    assert_protected(answer)
    assert "the-inner-detail" not in answer.text
    assert "Traceback" not in answer.text


def test_n59_a_throttled_request_gets_the_security_headers(settings: Settings) -> None:
    """N59: 429."""
    with gateway(replace(settings, recovery_limit="1 per hour")) as world:
        browser = world.browser()
        for status in (200, 429):
            answer = browser.submit(browser.get("/recover"), "/recover", username="somebody")
            assert answer.status_code == status
            assert_protected(answer)


@pytest.mark.parametrize("state", AccountState)
def test_n59_pages_in_every_state_have_the_security_headers(
    world: World, state: AccountState
) -> None:
    """N59: what people meet at sign-in, in whatever state their account is."""
    answer = world.browser().sign_in(world.account(state=state))
    assert answer.status_code == (200 if state is AccountState.ACTIVE else 400)
    assert_protected(answer)


def test_n59_a_form_is_answered_with_a_page_that_continues(world: World) -> None:
    """N59: forms end here; what leads to the application is no redirect after a form, and holds
    the answer as refresh and as link."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    page = browser.authorize(rp, state="a&b='\"<x>")
    assert_protected(page)
    data = hidden_fields(page.text, "/signin") | {"username": username, "password": PASSWORD}
    answer = browser.client.post("/signin", data=data, base_url=browser.base)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/oauth2/v1/authorize/resume?")
    page = browser.client.get(answer.headers["Location"], base_url=browser.base)
    assert page.status_code == 200
    assert_protected(page)
    assert page.headers["Cache-Control"] == "no-store"
    refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', page.text)
    assert refresh
    target = unescape(refresh[1])
    assert target.startswith("https://emi.rp.test/callback?code=")
    assert target.endswith("&state=a%26b%3D%27%22%3Cx%3E&iss=https%3A%2F%2Fgateway.test")
    assert f'<a class="button" href="{refresh[1]}">' in page.text
    assert "<form" not in page.text


def test_n59_hsts_is_for_https_only(settings: Settings) -> None:
    """N59: a loopback http issuer must not tell browsers to use https."""
    with gateway(replace(settings, issuer="http://localhost:8000")) as world:
        answer = world.browser().get("/signin")
        assert answer.status_code == 200
        assert "Strict-Transport-Security" not in answer.headers


def test_n37_only_public_documents_may_be_cached(visitor: World) -> None:
    """N37: no-store on everything but static files and the published documents."""
    cached = set()
    for path in paths(visitor.app):
        answer = visitor.made["client"].get(path, base_url=visitor.settings.issuer)
        if answer.headers.get("Cache-Control") != "no-store":
            cached.add(path)
        answer.close()
    assert cached == {
        "/static/password.js",
        "/brand/colours.css",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/oauth2/v1/userinfo",
        "/.well-known/oauth-protected-resource/scim/v2",
        "/.well-known/oauth-protected-resource/oauth2/v1/ssf",
        "/.well-known/ssf-configuration",
        "/oauth2/v1/keys",
        FRAMED,
    }
