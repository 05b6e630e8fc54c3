"""Pushed authorization requests (RFC 9126): whose they are, how long, and that each is answered
once (N26)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.maintenance import purge
from tests.world import AUTHORIZE, Browser, Rp, World, answer_of

PAR = "/oauth2/v1/par"
PREFIX = "urn:ietf:params:oauth:request_uri:"


def push(world: World, rp: Rp, **changes: str | None) -> TestResponse:
    """Push a request; a change to None leaves a parameter out."""
    params = rp.authorize_params(**changes)
    if "client_id" not in changes:
        params.pop("client_id")
    if rp.auth_method == "none":
        params["client_id"] = rp.client_id
    return world.post(rp, PAR, **params)


def pushed(world: World, rp: Rp, **changes: str | None) -> str:
    """The ``request_uri`` of a pushed request."""
    response = push(world, rp, **changes)
    assert response.status_code == 201, response.text
    return str(response.json["request_uri"])


def open_pushed(browser: Browser, rp: Rp, uri: str, **more: str) -> TestResponse:
    return browser.get(AUTHORIZE, client_id=rp.client_id, request_uri=uri, **more)


def is_page(response: TestResponse) -> bool:
    """An error page, without a redirect."""
    return response.status_code == 400 and "Location" not in response.headers


@pytest.mark.parametrize(
    "method", ["client_secret", "client_secret_post", "private_key_jwt", "none"]
)
def test_a_pushed_request_signs_in_and_its_reference_says_nothing(
    world: World, method: str
) -> None:
    """Sections 2.2 and 4: 201, no-store, 90 seconds; the answer goes to the pushed redirect URI."""
    rp, username = world.relying_party(auth_method=method), world.account()
    response = push(world, rp, state="pushed-state")
    assert response.status_code == 201
    assert set(response.json) == {"request_uri", "expires_in"}
    assert response.json["expires_in"] == 90
    assert response.headers["Cache-Control"] == "no-store"
    uri = response.json["request_uri"]
    assert uri.startswith(PREFIX)
    assert len(uri.removeprefix(PREFIX)) >= 43
    browser = world.browser()
    answer = answer_of(browser.sign_in(username, page=open_pushed(browser, rp, uri)))
    assert answer["state"] == "pushed-state"
    assert world.redeem(rp, answer["code"]).status_code == 200


def test_n26_a_pushed_request_is_answered_once(world: World) -> None:
    """Section 7.3: it may be loaded again until it is answered, and never after."""
    rp, username = world.relying_party(), world.account()
    uri, browser, other = pushed(world, rp), world.browser(), world.browser()
    assert "Sign in" in open_pushed(other, rp, uri).text
    page = open_pushed(browser, rp, uri)
    page = open_pushed(browser, rp, uri)
    assert "code" in answer_of(browser.sign_in(username, page=page))
    assert is_page(open_pushed(browser, rp, uri))
    assert is_page(open_pushed(world.browser(), rp, uri))


def test_n26_a_second_sign_in_with_the_same_request_gets_no_code(world: World) -> None:
    """Two browsers had the page open: the first gets the code, the second a page."""
    rp, username, second = world.relying_party(), world.account(), world.account()
    uri, browser, other = pushed(world, rp), world.browser(), world.browser()
    page, late = open_pushed(browser, rp, uri), open_pushed(other, rp, uri)
    assert "code" in answer_of(browser.sign_in(username, page=page))
    assert is_page(other.sign_in(second, page=late))


def test_n26_an_error_is_an_answer_too(world: World) -> None:
    """``prompt=none`` without a session: login_required once."""
    rp = world.relying_party()
    uri, browser = pushed(world, rp, prompt="none"), world.browser()
    assert answer_of(open_pushed(browser, rp, uri))["error"] == "login_required"
    assert is_page(open_pushed(browser, rp, uri))


def test_n26_of_sixteen_at_once_one_gets_the_code(world: World) -> None:
    """Two processes, eight browsers each, all signed in."""
    rp, username = world.relying_party(), world.account()
    uri = pushed(world, rp)
    apps = [world.app, create_app(world.settings, world.app.extensions["runtime"].ports)]
    browsers = [replace(world, app=apps[n % 2]).browser().signed_in(username) for n in range(16)]
    barrier, answers = threading.Barrier(16), []

    def ask(browser: Browser) -> None:
        barrier.wait()
        answers.append(open_pushed(browser, rp, uri).status_code)

    threads = [threading.Thread(target=ask, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303] + [400] * 15


def test_a_pushed_request_expires(world: World) -> None:
    """After 90 seconds the browser comes too late; a sign-in under way goes on."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    uri = pushed(world, rp)
    world.clock.advance(89)
    page = open_pushed(browser, rp, uri)
    world.clock.advance(1)
    assert is_page(open_pushed(world.browser(), rp, uri))
    assert "code" in answer_of(browser.sign_in(username, page=page))


@pytest.mark.parametrize(
    "uri", ["", "x", "x" * 43, "x" * 101, "\0", "é" * 20, "' OR 1=1 --"], ids=range(7)
)
def test_a_made_up_reference_is_a_page(world: World, uri: str) -> None:
    """Nothing is redirected, because nothing says where to."""
    rp = world.relying_party()
    assert is_page(open_pushed(world.browser(), rp, PREFIX + uri))


def test_a_pushed_request_belongs_to_its_client(world: World) -> None:
    """Section 2.2: another client, an unknown one and a disabled one cannot use it."""
    rp, other = world.relying_party(), world.relying_party("CROW")
    uri = pushed(world, rp)
    browser = world.browser()
    assert is_page(open_pushed(browser, other, uri))
    assert is_page(browser.get(AUTHORIZE, client_id="nobody", request_uri=uri))
    assert is_page(browser.get(AUTHORIZE, request_uri=uri))
    assert is_page(browser.get(f"{AUTHORIZE}?client_id=emi&client_id=crow&request_uri={uri}"))
    assert "Sign in" in open_pushed(browser, rp, uri).text


def test_only_the_pushed_parameters_count(world: World) -> None:
    """Section 4: scope, state and redirect URI in the browser's URL change nothing."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    uri = pushed(world, rp, scope="openid", state="inside")
    more = {"scope": "openid email", "state": "outside", "redirect_uri": "https://evil.test/"}
    page = open_pushed(browser, rp, uri, **more)
    response = browser.sign_in(username, page=page)
    answer = answer_of(response)
    assert response.headers["Location"].startswith(rp.redirect_uri)
    assert answer["state"] == "inside"
    assert world.redeem(rp, answer["code"]).json["scope"] == "openid"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request_uri": f"{PREFIX}x"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"redirect_uri": "https://evil.test/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"client_id": "crow"}, "invalid_request"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_n13_a_bad_pushed_request_is_refused_as_json(
    world: World, changes: dict[str, str | None], error: str
) -> None:
    """Section 2.3: 400 with the error that the authorization endpoint would give, and no
    reference."""
    world.relying_party("CROW")
    response = push(world, world.relying_party(), **changes)
    assert response.status_code == 400
    assert response.json["error"] == error
    assert "request_uri" not in response.json


def test_n13_repeated_parameters_and_other_bodies_are_refused(world: World) -> None:
    """RFC 6749 section 3.1; a body that is no form; the query; other methods."""
    rp = world.relying_party()
    client = world.app.test_client(use_cookies=False)
    sent: dict[str, Any] = {"headers": rp.basic(), "base_url": world.settings.issuer}
    params = rp.authorize_params()
    twice = client.post(PAR, data={**params, "state": ["a", "b"]}, **sent)
    assert (twice.status_code, twice.json["error"]) == (400, "invalid_request")
    assert client.post(PAR, json=params, **sent).status_code == 415
    assert client.post(f"{PAR}?scope=openid", data=params, **sent).status_code == 400
    answer = client.get(PAR, **sent)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (
        405,
        {"OPTIONS", "POST"},
    )


def test_n17_only_the_client_itself_pushes(world: World) -> None:
    """Section 2: authenticated as at the token endpoint; a wrong secret and no secret are 401."""
    rp = world.relying_party()
    wrong = push(world, replace(rp, secret="wrong"))
    assert (wrong.status_code, wrong.json["error"]) == (401, "invalid_client")
    assert push(world, replace(rp, auth_method="none")).status_code == 401
    machine = world.relying_party(
        "BATCH", grant_types=("client_credentials",), redirect_uris=(),
        post_logout_redirect_uris=(), home_url="", scopes=(),
    )  # fmt: skip
    assert push(world, machine, redirect_uri="https://emi.rp.test/callback").status_code == 400


def test_a_client_can_be_made_to_push(world: World) -> None:
    """Section 6: a request in the browser's URL is an error for it; other clients may."""
    rp, other = world.relying_party(require_pushed_requests=True), world.relying_party("CROW")
    username, browser = world.account(), world.browser()
    answer = answer_of(browser.authorize(rp))
    assert (answer["error"], answer["state"]) == ("invalid_request", "state-1")
    assert "Sign in" in browser.authorize(other).text
    page = open_pushed(browser, rp, pushed(world, rp))
    assert "code" in answer_of(browser.sign_in(username, page=page))


def test_all_clients_can_be_made_to_push(world: World) -> None:
    """Section 5: a setting, shown in discovery."""
    assert discovery(world)["require_pushed_authorization_requests"] is False
    settings = replace(world.settings, require_pushed_requests=True)
    app = create_app(settings, world.app.extensions["runtime"].ports)
    strict = replace(world, settings=settings, app=app)
    assert discovery(strict)["require_pushed_authorization_requests"] is True
    assert discovery(strict)["pushed_authorization_request_endpoint"].endswith(PAR)
    rp = strict.relying_party()
    assert answer_of(strict.browser().authorize(rp))["error"] == "invalid_request"


def discovery(world: World) -> dict[str, Any]:
    client = world.app.test_client(use_cookies=False)
    path = "/.well-known/openid-configuration"
    return dict(client.get(path, base_url=world.settings.issuer).json or {})


def test_a_posted_reference_works_like_a_get(world: World) -> None:
    """OIDC Core 3.1.2.1: the browser may POST the reference."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    page = browser.post(AUTHORIZE, {"client_id": rp.client_id, "request_uri": pushed(world, rp)})
    assert "code" in answer_of(browser.sign_in(username, page=page))


def test_old_pushed_requests_are_purged(world: World) -> None:
    """A day after they expired."""
    pushed(world, world.relying_party())
    with world.work() as work:
        assert purge.purge_batch(work, "pushed_requests") == 0
    world.clock.advance(86400 + 91)
    with world.work() as work:
        assert purge.purge_batch(work, "pushed_requests") == 1
