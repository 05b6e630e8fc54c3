"""Session and form cookies: renewal, fixation, login CSRF, attributes, malformed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
from werkzeug.test import TestResponse

from idp.app import create_app, db
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from tests.fakes import FakeClock, FakeMailer
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World, answer_of, hidden_fields

LOOPBACKS = ("http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000")


@contextmanager
def gateway(settings: Settings) -> Iterator[World]:
    """A second gateway with settings of its own."""
    clock, mailer = FakeClock(), FakeMailer()
    app = create_app(settings, Ports(clock, SystemTokens(), mailer))
    try:
        yield World(app, settings, clock, mailer)
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def host_of(world: World) -> str:
    """The host of the issuer, without port."""
    return world.settings.issuer.split("://")[1].rsplit(":", 1)[0]


def cookie_of(browser: Browser, purpose: str = "session") -> str | None:
    """The value of a cookie that the browser keeps."""
    world = browser.world
    found = browser.client.get_cookie(world.settings.cookie_name(purpose), host_of(world))
    return found.value if found else None


def plant(browser: Browser, value: str, purpose: str = "session") -> None:
    """Put a cookie into the browser, as somebody who can would."""
    name = browser.world.settings.cookie_name(purpose)
    browser.client.set_cookie(name, value, domain=host_of(browser.world), secure=True)


def is_signed_in(world: World, cookie: str | None) -> bool:
    """Whether a browser with this session cookie is let in, else asked to sign in."""
    browser = world.browser()
    plant(browser, cookie or "")
    answer = browser.client.get("/", base_url=browser.base)
    assert (answer.status_code, answer.headers.get("Location")) in ((200, None), (303, "/signin"))
    return answer.status_code == 200


def test_n53_a_session_id_set_by_an_attacker_is_never_adopted(world: World) -> None:
    """N53: what was in the browser before sign-in gives nothing after it."""
    username = world.account()
    browser = world.browser()
    plant(browser, "attackers-own-value")
    assert browser.sign_in(username).status_code == 200
    assert cookie_of(browser) != "attackers-own-value"
    assert not is_signed_in(world, "attackers-own-value")
    assert is_signed_in(world, cookie_of(browser))


def test_n53_signing_in_again_renews_the_cookie(world: World) -> None:
    """N53: the same person in the same browser gets a new value and the old one is dead."""
    username, rp = world.account(), world.relying_party()
    browser = world.browser()
    browser.sign_in(username)
    first = cookie_of(browser)
    page = browser.authorize(rp, prompt="login")
    assert "code" in answer_of(browser.sign_in(username, page=page))
    assert cookie_of(browser) != first
    assert not is_signed_in(world, first)
    assert is_signed_in(world, cookie_of(browser))


def test_n53_a_sign_in_of_another_person_ends_the_previous_session(world: World) -> None:
    """N53: a browser holds one session; the former person's is ended, not shared."""
    first, second, rp = world.account(), world.account(), world.relying_party()
    browser = world.browser()
    browser.sign_in(first)
    old = cookie_of(browser)
    browser.sign_in(second, page=browser.authorize(rp, prompt="login"))
    assert not is_signed_in(world, old)
    ended = world.events("session.ended")
    assert [row.data["why"] for row in ended] == ["replaced"]


def test_n53_a_password_change_renews_the_cookie(world: World) -> None:
    """N53: the session goes on under a new value."""
    browser = world.browser()
    browser.sign_in(world.account())
    old = cookie_of(browser)
    fields = {"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    page = browser.get("/settings/password")
    assert browser.submit(page, "/settings/password", **fields).status_code == 200
    assert not is_signed_in(world, old)
    assert is_signed_in(world, cookie_of(browser))


def test_n54_a_form_of_another_browser_is_refused(world: World) -> None:
    """N54: the victim cannot be signed in with a form that the attacker fetched."""
    attacker, victim = world.browser(), world.browser()
    fields = hidden_fields(attacker.get("/signin").text, "/signin")
    victim.get("/signin")
    sent = fields | {"username": world.account(), "password": PASSWORD}
    answer = victim.client.post("/signin", data=sent, base_url=victim.base)
    assert answer.status_code == 400
    assert cookie_of(victim) is None
    assert world.events("signin.succeeded") == []


def test_n54_a_sign_in_started_in_another_browser_is_not_continued(world: World) -> None:
    """N54: a sign-in started by the attacker gets nothing from the victim's."""
    rp, username = world.relying_party(), world.account()
    attacker, victim = world.browser(), world.browser()
    flow = hidden_fields(attacker.authorize(rp).text, "/signin")["flow"]
    page = victim.get("/signin", flow=flow)
    assert page.status_code == 200
    assert hidden_fields(page.text, "/signin")["flow"] == ""
    fields = hidden_fields(page.text, "/signin") | {"flow": flow}
    after = victim.post("/signin", fields | {"username": username, "password": PASSWORD})
    assert (after.status_code, after.request.path) == (200, "/")
    assert attacker.get("/oauth2/v1/authorize/resume", flow=flow).request.path == "/signin"
    assert world.events("authorize.granted") == []


def cookies_of_a_visit(world: World) -> dict[str, set[str]]:
    """The attributes of all cookies from the first page to signing out, expiry apart."""
    username = world.account()
    client, base = world.app.test_client(), world.settings.issuer
    seen: dict[str, set[str]] = {}

    def note(answer: TestResponse) -> TestResponse:
        for header in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                kept = {k: v for k, v in morsel.items() if v and k not in ("expires", "max-age")}
                seen.setdefault(name, set()).add(str(sorted(kept.items())))
        return answer

    form = hidden_fields(note(client.get("/signin", base_url=base)).text, "/signin")
    sent = form | {"username": username, "password": PASSWORD, "remember": "1"}
    assert note(client.post("/signin", data=sent, base_url=base)).status_code == 303
    form = hidden_fields(note(client.get("/signout", base_url=base)).text, "/signout")
    assert note(client.post("/signout", data=form, base_url=base)).status_code == 200
    return seen


def test_n55_cookies_of_an_https_issuer(world: World) -> None:
    """N55: every cookie has the __Host- prefix and all that browsers demand for it. The one that a
    frame reads has no secret (Session Management 1.0 section 4.2)."""
    strict = [("httponly", True), ("path", "/"), ("samesite", "Lax"), ("secure", True)]
    names = ("form", "session", "name", "browser")
    expected = {f"__Host-gw-sandbox-{name}": {str(strict)} for name in names}
    of_frame = [("path", "/"), ("samesite", "None"), ("secure", True)]
    expected["__Host-gw-sandbox-state"] = {str(of_frame)}
    assert cookies_of_a_visit(world) == expected


@pytest.mark.parametrize("issuer", LOOPBACKS)
def test_n55_cookies_of_a_loopback_http_issuer(settings: Settings, issuer: str) -> None:
    """N55: plain http on this machine cannot have Secure; all else stays."""
    plain = [("httponly", True), ("path", "/"), ("samesite", "Lax")]
    with gateway(replace(settings, issuer=issuer)) as world:
        names = ("form", "session", "name", "browser")
        expected = {f"gw-sandbox-{name}": {str(plain)} for name in names}
        expected["gw-sandbox-state"] = {str(plain[1:])}
        assert cookies_of_a_visit(world) == expected


MALFORMED = {
    "nameless": "={good}",
    "nameless with the name inside": "={name}={good}",
    "no value": "{name}",
    "empty": "{name}=",
    "NUL": "{name}={good}\x00",
    "open quote": '{name}="{good}',
    "another case": "{lower}={good}",
    "cut": "{name}={cut}",
    "longer": "{name}={good}x",
    "oversize": "{name}={good}{long}",
    "oversize, many": "{name}={long}; a={long}",
    "twice the same": "{name}={good}; {name}={good}",
    "twice, another first": "{name}=other; {name}={good}",
    "twice, another last": "{name}={good}; {name}=other",
    "not ASCII": "{name}=\xff\xfe{good}",
    "separators": ";;;==;,{name}",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_n55_an_altered_cookie_is_ignored(world: World, kind: str) -> None:
    """N55: nameless, duplicate, malformed, oversize: the browser is anonymous, never an error."""
    browser = world.browser()
    browser.sign_in(world.account())
    good, name = cookie_of(browser) or "", world.settings.cookie_name("session")
    values = {"name": name, "lower": name.lower(), "good": good, "cut": good[:-1]}
    header = MALFORMED[kind].format(**values, long="x" * 60_000)
    client = world.app.test_client(use_cookies=False)
    answer = client.get("/", headers={"Cookie": header}, base_url=world.settings.issuer)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signin")


@pytest.mark.parametrize("purpose", ["form", "name"])
@pytest.mark.parametrize("value", ["", "x", "a.b.c", "x" * 60_000, "\xff", "e30.AAAAAA.x", "null"])
def test_n55_other_cookies_that_do_not_verify_are_ignored(
    world: World, purpose: str, value: str
) -> None:
    """N55: the sign-in page comes as to a stranger."""
    name = world.settings.cookie_name(purpose)
    client = world.app.test_client(use_cookies=False)
    answer = client.get(
        "/signin", headers={"Cookie": f"{name}={value}"}, base_url=world.settings.issuer
    )
    assert answer.status_code == 200
    assert hidden_fields(answer.text, "/signin")["flow"] == ""


def test_n55_a_repeated_form_cookie_is_ignored(world: World) -> None:
    """N54, N55: an injected second form cookie cannot bring its own form token along."""
    attacker = world.browser()
    fields = hidden_fields(attacker.get("/signin").text, "/signin")
    name = world.settings.cookie_name("form")
    evil = f"{name}={cookie_of(attacker, 'form')}"
    client = world.app.test_client(use_cookies=False)
    sent = fields | {"username": world.account(), "password": PASSWORD}
    for header in (f"{evil}; {name}=mine", f"{name}=mine; {evil}"):
        answer = client.post(
            "/signin", data=sent, headers={"Cookie": header}, base_url=attacker.base
        )
        assert answer.status_code == 400
    assert world.events("signin.succeeded") == []
