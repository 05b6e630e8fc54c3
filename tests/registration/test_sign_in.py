"""Sign-in at a running gateway, and the end of sessions there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pyotp
import pytest
import requests
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import select, update

from registration import browser_sessions
from registration.app import create_app
from registration.models import Person, Session
from registration.pages.sign_in_pages import EVENT
from registration.ports import Ports, SystemClock
from registration.transaction import Runtime
from tests.fakes import FakeMailer
from tests.live import start_demo
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, RA, TRADER, participant


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running gateway."""
    with start_demo(tmp_path_factory.mktemp("demo")) as known:
        yield known


def walk(browser: requests.Session, url: str, issuer: str) -> tuple[str, requests.Response | None]:
    """Follow redirects and pages that go on, while they stay at the gateway."""
    while url.startswith(issuer):
        page = browser.get(url, allow_redirects=False)
        onward = re.search(r'http-equiv="refresh" content="0; ?url=([^"]+)"', page.text)
        if "Location" in page.headers:
            url = urljoin(url, page.headers["Location"])
        elif onward:
            url = urljoin(url, unescape(onward[1]))
        else:
            return url, page
    return url, None


def send(
    browser: requests.Session, page: requests.Response, issuer: str, **values: str
) -> tuple[str, requests.Response | None]:
    """Send the first form that has these fields, and go on."""
    for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL):
        if all(f'name="{name}"' in form for name in values):
            action = urljoin(page.url, unescape(re.findall(r'action="([^"]*)"', form)[0]))
            hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
            break
    else:
        raise AssertionError(page.text)
    data = {name: unescape(value) for name, value in hidden} | values
    answer = browser.post(action, data, allow_redirects=False)
    if "Location" in answer.headers:
        return walk(browser, urljoin(action, answer.headers["Location"]), issuer)
    onward = re.search(r'http-equiv="refresh" content="0; ?url=([^"]+)"', answer.text)
    return walk(browser, urljoin(action, unescape(onward[1])), issuer) if onward else (
        action, answer
    )  # fmt: skip


def at_gateway(
    browser: requests.Session, demo: dict[str, Any], person: dict[str, Any], url: str
) -> str:
    """What somebody does at the gateway; returns where it sends him in the end. The second time he
    is signed in there already."""
    issuer = demo["issuer"]
    url, page = walk(browser, url, issuer)
    if page is not None:
        url, page = send(
            browser, page, issuer, username=person["username"], password=person["password"]
        )
    if page is not None:
        code = pyotp.TOTP(person["totp_secret"]).now()
        url, page = send(browser, page, issuer, code=code)
    assert page is None, page.text
    return url


def test_somebody_signs_in_at_the_gateway(
    demo: dict[str, Any], runtime: Runtime, bridge: FakeBridge
) -> None:
    """Code with PKCE, state, nonce and issuer; the person of the ID token acts. A person whom
    registration does not know is told what to do."""
    rp, person = demo["relying_parties"][0], demo["people"][0]
    settings = replace(runtime.settings, url=rp["url"], issuer=demo["issuer"],
                       client_id=rp["client_id"], client_secret=rp["client_secret"])  # fmt: skip
    app = create_app(settings, Ports(SystemClock(), FakeMailer(), bridge))
    browser, elsewhere = app.test_client(), requests.Session()
    for is_known in (False, True):
        if is_known:
            with runtime.work() as work:
                participant(work)
                work.db.execute(
                    update(Person)
                    .where(Person.person_id == RA)
                    .values(person_id=person["person_id"])
                )
        first = browser.get("/organizations/109120/roles", base_url=rp["url"])
        start = browser.get(first.location, base_url=rp["url"])
        asked = parse_qs(urlsplit(start.location).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert {"state", "nonce"} <= asked.keys()
        answer = urlsplit(at_gateway(elsewhere, demo, person, start.location))
        forged = f"/callback?{answer.query.replace('iss=', 'former_iss=')}&iss=https://evil.example"
        assert browser.get(forged, base_url=rp["url"]).status_code == 400
        back = browser.get(f"/callback?{answer.query}", base_url=rp["url"])
        if not is_known:
            assert back.status_code == 400
            assert "You are not registered here." in back.text
    assert (back.status_code, back.location) == (303, "/organizations/109120/roles")
    page = browser.get(back.location, base_url=rp["url"])
    assert page.status_code == 200
    assert "Marie Tremblay" in page.text
    again = browser.get(f"/callback?{answer.query}", base_url=rp["url"])
    assert again.status_code == 400
    fresh = browser.get("/signin?next=/x&fresh=1", base_url=rp["url"])
    asked = parse_qs(urlsplit(fresh.location).query)
    assert (asked["max_age"], asked["acr_values"]) == (["0"], ["urn:ieso:acr:mfa"])
    _signs_out(browser, demo, rp["url"])
    elsewhere.close()
    app.extensions["runtime"].close()


def _signs_out(browser: FlaskClient, demo: dict[str, Any], base: str) -> None:
    """RP-Initiated Logout 1.0: the session ends here, and a page goes on to the gateway."""
    question = browser.get("/signout", base_url=base)
    token = re.search(r'name="csrf_token" value="([^"]+)"', question.text)
    assert token
    answer = browser.post("/signout", data={"csrf_token": token[1]}, base_url=base)
    onward = re.search(r'content="0; url=([^"]+)"', answer.text)
    assert onward
    assert unescape(onward[1]).startswith(f"{demo['issuer']}/oauth2/v1/logout?id_token_hint=")
    assert browser.get("/", base_url=base).status_code == 303


@pytest.fixture
def key() -> ECKey:
    """The key of the gateway."""
    return ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})


CLAIMS = {"iss": "http://localhost:8000", "aud": "registration-system", "jti": "j1", "sid": "s1",
          "iat": 1, "exp": 9999999999, "events": {EVENT: {}}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "header", "status"),
    [
        ({}, {}, 200),
        ({"iss": "https://evil.example"}, {}, 400),
        ({"aud": "emi"}, {}, 400),
        ({"exp": 2}, {}, 400),
        ({"events": {}}, {}, 400),
        ({"nonce": "n"}, {}, 400),
        ({"sid": None}, {}, 400),
        ({}, {"typ": "JWT"}, 400),
        ({}, {"kid": "other"}, 400),
    ],
)
def test_a_session_that_ends_at_the_gateway_ends_here(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    key: ECKey,
    change: dict[str, Any],
    header: dict[str, str],
    status: int,
) -> None:
    """Back-Channel Logout 1.0 section 2.6: every check; a token counts once."""
    with runtime.work() as work:
        participant(work)
        claims = {browser_sessions.PERSON_ID: TRADER, "sid": "s1", "sub": "x",
                  "auth_time": int(NOW.timestamp())}  # fmt: skip
        token = browser_sessions.start(work, claims, "id-token")
    assert token
    app = create_app(runtime.settings, runtime.ports)
    jwks = {"keys": [key.as_dict(private=False)]}
    monkeypatch.setattr(
        app.extensions["gateway"], "fetch_jwk_set", lambda force: jwks, raising=False
    )
    payload = {name: value for name, value in (CLAIMS | change).items() if value is not None}
    head = {"alg": "ES256", "typ": "logout+jwt", "kid": "k1"} | header
    logout = jwt.encode(head, payload, key)
    client = app.test_client()
    base = runtime.settings.url
    answers = [
        client.post("/backchannel-logout", data={"logout_token": logout}, base_url=base).status_code
        for _ in range(2)
    ]
    assert answers == [status, 400]
    with runtime.work() as work:
        found = browser_sessions.find(work, token)
        assert (found is None) is (status == 200)
    app.extensions["runtime"].close()


def test_a_session_ends_by_age_and_by_idleness(runtime: Runtime) -> None:
    """An hour without a page, or eight hours in all."""
    with runtime.work() as work:
        participant(work)
        claims = {browser_sessions.PERSON_ID: TRADER, "sid": "s1", "sub": "x",
                  "auth_time": int(NOW.timestamp())}  # fmt: skip
        token = browser_sessions.start(work, claims, "id-token")
    assert token
    for hours, seen, is_there in ((0.9, 0.9, True), (2, 1.1, False), (7.9, 0.5, True),
                                  (8.1, 0.5, False)):  # fmt: skip
        with runtime.work() as work:
            work.now = NOW + timedelta(hours=hours)
            work.db.execute(update(Session).values(seen_at=work.now - timedelta(hours=seen)))
            assert (browser_sessions.find(work, token) is not None) is is_there
            assert browser_sessions.find(work, "another") is None
    with runtime.work() as work:
        row = work.db.scalars(select(Session)).one()
        assert token not in row.digest
        assert work.keys.decrypt(row.id_token) == "id-token"
