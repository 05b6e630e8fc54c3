"""N01 to N09, N18: where an answer may go. A wrong target is a page, never a redirect."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from idp.clients import client_data, registry
from idp.policy.redirect_uri import is_registered, registration_fault
from tests.world import AUTHORIZE, Rp, World, answer_of

REGISTERED = "https://emi.rp.test/callback"
#: Kind of client -> what it registers; a new kind of client is attacked in the same ways.
CLIENTS = {
    "confidential": {},
    "public": {"auth_method": "none"},
    "legacy": {"require_pkce": False},
}
EVIL = {
    "n01": [
        f"{REGISTERED}/../evil", f"{REGISTERED}/..;/x", f"{REGISTERED}/%2e%2e/x",
        f"{REGISTERED}/%252e%252e/x", "https://emi.rp.test/../callback",
    ],
    "n02": [
        "https://emi.rp.test@evil.test/callback", "https://emi.rp.test@@evil.test/callback",
        "https://evil.test#@emi.rp.test/callback", "https://emi.rp.test\\@evil.test/callback",
        "https://emi.rp.test:443@evil.test/callback",
        "https://evil.test/https://emi.rp.test/callback",
    ],
    "n03": [
        f"{REGISTERED}#x", f"{REGISTERED}?x=1", f"{REGISTERED}/", f"{REGISTERED}.",
        f"{REGISTERED} ",
        f"{REGISTERED}\0", f"{REGISTERED}\t", f" {REGISTERED}", "https://emi.rp.test./callback", "",
    ],
    "n04": [
        "https://EMI.rp.test/callback", "HTTPS://emi.rp.test/callback",
        "https://emi.rp.test/Callback", "https://em\u0456.rp.test/callback",
        "https://xn--em-hmc.rp.test/callback", "https://emi\uff0erp.test/callback",
    ],
    "n06": ["https://emixrp.test/callback", "https://emi.rpxtest/callback"],
    "n08": ["https://evil.test/cb", "//evil.test/cb", "/cb", "javascript:alert(1)",
        "http://emi.rp.test/callback"],
}  # fmt: skip
TARGETS = [(key, uri) for key, uris in EVIL.items() for uri in uris]


def assert_hard_error(response: TestResponse) -> None:
    """HARD400: a page for the person, and no way on."""
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert response.mimetype == "text/html"
    assert "We cannot complete this sign-in" in response.text
    assert "evil.test" not in response.text


def ask(world: World, rp: Rp, **params: str | None) -> TestResponse:
    return world.app.test_client().get(
        AUTHORIZE, query_string=rp.authorize_params(**params), base_url=world.settings.issuer
    )


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(("entry", "uri"), TARGETS)
def test_n01_to_n08_an_unregistered_target_is_never_followed(
    world: World, kind: str, entry: str, uri: str
) -> None:
    """N01-N04, N06, N08: traversal, userinfo, additions, spelling, patterns, other hosts."""
    rp = world.relying_party("EMI", **CLIENTS[kind])
    assert_hard_error(ask(world, rp, redirect_uri=uri))
    assert world.events("authorize.refused")[-1].reason == "unregistered_redirect_uri"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a7_a_missing_target_is_not_guessed(world: World, kind: str) -> None:
    """A7: OIDC makes redirect_uri required, even with a single registered one."""
    assert_hard_error(ask(world, world.relying_party("EMI", **CLIENTS[kind]), redirect_uri=None))


@pytest.mark.parametrize(
    "fault",
    [
        {"response_type": "bogus"},
        {"scope": "profile"},
        {"scope": "openid unknown"},
        {"prompt": "none"},
        {"code_challenge": None},
        {"request": "x.y.z"},
        {"response_mode": "form_post"},
    ],
)
def test_n08_no_error_is_redirected_to_an_untrusted_target(
    world: World, fault: dict[str, str | None]
) -> None:
    """N08: an error found before or after the target was checked goes nowhere."""
    rp = world.relying_party("EMI")
    assert_hard_error(ask(world, rp, redirect_uri="https://evil.test/cb", **fault))


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:7000/cb",
        "http://localhost.evil.test/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://[::1]@evil.test/cb",
        "http://127.0.0.1:7000@evil.test/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:7000/other",
        "http://127.0.0.1:7000/cb#x",
        "https://127.0.0.1:7000/cb",
        "http://127.0.0.1:7000\\@evil.test/cb",
        "http://127.0.0.2/cb",
    ],
)
def test_n05_only_the_port_of_a_registered_loopback_address_may_differ(
    world: World, uri: str
) -> None:
    """N05, RFC 8252 section 7.3."""
    native = {"auth_method": "none", "redirect_uris": ("http://127.0.0.1/cb", "http://[::1]/cb")}
    rp = world.relying_party("Desk", **native)
    for good in ("http://127.0.0.1:51004/cb", "http://[::1]:1/cb", "http://127.0.0.1/cb"):
        answer = ask(world, rp, redirect_uri=good, prompt="none")
        assert answer.headers["Location"].startswith(f"{good}?error=login_required")
    assert_hard_error(ask(world, rp, redirect_uri=uri))


def test_n05_a_web_client_has_no_free_port(world: World) -> None:
    """N05: the rule is for native (public) clients only."""
    assert not is_registered("http://localhost:1/cb", ["http://localhost/cb"])
    assert not is_registered("http://127.0.0.1:1/cb", ["http://127.0.0.1/cb"], native=False)
    assert not is_registered("http://localhost:1/cb", ["http://localhost/cb"], native=True)
    assert_hard_error(ask(world, world.relying_party("EMI"), redirect_uri="http://localhost:9/cb"))


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "scope", "response_type"])
@pytest.mark.parametrize("where", ["query", "body", "query and body"])
def test_n07_a_repeated_parameter_is_refused(world: World, name: str, where: str) -> None:
    """N07: HARD400 for what decides the target, invalid_request for the rest."""
    rp = world.relying_party("EMI")
    params = list(rp.authorize_params().items())
    extra = (name, dict(params)[name])
    client, base = world.app.test_client(), world.settings.issuer
    if where == "query":
        response = client.get(AUTHORIZE, query_string=[*params, extra], base_url=base)
    elif where == "body":
        from urllib.parse import urlencode

        response = client.post(
            AUTHORIZE,
            data=urlencode([*params, extra]),
            content_type="application/x-www-form-urlencoded",
            base_url=base,
        )
    else:
        response = client.post(AUTHORIZE, query_string=[extra], data=dict(params), base_url=base)
    if name in ("redirect_uri", "client_id"):
        assert_hard_error(response)
        return
    answer = answer_of(response)
    assert answer["error"] == "invalid_request"
    assert answer.get("state") == (None if name == "state" else "state-1")


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///x",
        "blob:x", "http://rp.test/cb", "https://rp.test/cb#f", "https://u@rp.test/cb",
        "https:///cb", "https://rp.test\\@evil.test/", "https://*.rp.test/cb",
        "https://rp.test/c b",
        "https://r\u0440.test/cb", "https://rp.test./cb", "com.example:/cb", "//rp.test/cb", "",
    ],
)  # fmt: skip
def test_n09_a_dangerous_uri_is_refused_when_it_is_saved(world: World, uri: str) -> None:
    """N09: redirect, post-logout redirect and home URL of a web client, at creation and update."""
    from idp.errors import Invalid

    assert registration_fault(uri, native=False, allow_loopback_http=False)
    fields = ("redirect_uris", "post_logout_redirect_uris", *(["home_url"] if uri else []))
    for name in fields:
        value = uri if name == "home_url" else (uri,)
        with pytest.raises(Invalid):
            world.relying_party("EMI", **{name: value})
    rp = world.relying_party("EMI")
    from dataclasses import replace

    with world.work() as work:
        row = registry.get(work, rp.client_id)
        with pytest.raises(Invalid):
            registry.update(work, row, replace(client_data.current_data(row), redirect_uris=(uri,)))


def test_n18_a_disabled_or_unknown_client_gets_an_error_page(world: World) -> None:
    """N18: also for a client of the other environment, which this one does not know."""
    rp = world.relying_party("EMI")
    assert_hard_error(ask(world, rp, client_id="production-emi"))
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    response = ask(world, rp)
    assert_hard_error(response)
    assert "disabled" in response.text


def test_n18_a_client_without_the_code_grant_gets_an_error_page(world: World) -> None:
    """RFC 6749 section 4.1.2.1: a client without the grant type is not redirected to."""
    rp = world.relying_party("EMI")
    with world.work() as work:
        registry.get(work, rp.client_id).grant_types = ["client_credentials"]
    assert_hard_error(ask(world, rp))


def test_n18_a_client_disabled_during_the_sign_in_gets_nothing(world: World) -> None:
    """N18: the dispatcher looks again at every step."""
    rp, username = world.relying_party("EMI"), world.account()
    browser = world.browser()
    page = browser.authorize(rp)
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    assert_hard_error(browser.sign_in(username, page=page))
