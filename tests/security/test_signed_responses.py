"""Authorization responses as signed JWTs (JARM): what they say, and that they are no other
token."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from tests.world import Browser, Rp, World, answer_of

LOGOUT = "/oauth2/v1/logout"


def claims_of(world: World, token: str, alg: str = "RS256") -> dict[str, Any]:
    """The claims, verified with the published keys."""
    document = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer).json
    header = jws.extract_compact(token.encode()).headers()
    assert (header["alg"], header["typ"]) == (alg, "authorization-response+jwt")
    return dict(jwt.decode(token, KeySet.import_key_set(document), algorithms=[alg]).claims)


def response_of(page: TestResponse, mode: str) -> str:
    """The only parameter of the answer."""
    if not mode.startswith("form_post"):
        answer = answer_of(page)
        assert set(answer) == {"response"}
        return answer["response"]
    fields = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    assert set(fields) == {"response"}
    return str(fields["response"])


def asked(world: World, mode: str, rp: Rp, **params: str) -> tuple[Browser, TestResponse]:
    browser = world.browser()
    return browser, browser.authorize(rp, response_mode=mode, **params)


@pytest.mark.parametrize("mode", ["jwt", "query.jwt", "form_post.jwt"])
@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_n19_a_code_comes_in_a_jwt_that_the_gateway_signed_for_the_client(
    world: World, mode: str, alg: str
) -> None:
    """JARM sections 2.1 and 2.3: parameters and iss inside, aud, two minutes; nothing outside."""
    rp = world.relying_party(authorization_response_alg=alg)
    browser, page = asked(world, mode, rp)
    page = browser.sign_in(world.account(), page=page)
    claims = claims_of(world, response_of(page, mode), alg)
    assert set(claims) == {"iss", "aud", "exp", "code", "state", "session_state"}
    assert (claims["iss"], claims["aud"]) == (world.settings.issuer, rp.client_id)
    assert claims["state"] == "state-1"
    assert claims["exp"] == int(world.clock.now().timestamp()) + 120
    assert world.redeem(rp, claims["code"]).status_code == 200


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_n14_n19_an_error_comes_in_a_jwt_too(
    world: World, params: dict[str, str], error: str
) -> None:
    """JARM section 2.1.2."""
    _, page = asked(world, "jwt", world.relying_party(), **params)
    claims = claims_of(world, response_of(page, "jwt"))
    assert (claims["error"], claims["state"]) == (error, "state-1")
    assert claims["iss"] == world.settings.issuer


def test_a_pushed_request_can_ask_for_a_jwt(world: World) -> None:
    """RFC 9126: the response mode is one of the pushed parameters. The redirect URI keeps its
    query."""
    uri = "https://emi.rp.test/callback?app=1"
    rp = world.relying_party(redirect_uris=(uri,))
    pushed = world.post(rp, "/oauth2/v1/par", **rp.authorize_params(response_mode="query.jwt"))
    browser = world.browser()
    page = browser.get(
        "/oauth2/v1/authorize", client_id=rp.client_id, request_uri=pushed.json["request_uri"]
    )
    page = browser.sign_in(world.account(), page=page)
    query = parse_qs(urlsplit(page.headers["Location"]).query)
    assert query["app"] == ["1"]
    assert "code" in claims_of(world, query["response"][0])


def test_n45_a_signed_response_is_no_other_token(world: World) -> None:
    """Neither an ID token hint nor an access token."""
    rp = world.relying_party()
    browser, page = asked(world, "jwt", rp)
    token = response_of(browser.sign_in(world.account(), page=page), "jwt")
    assert "Sign out of the gateway?" in browser.get(LOGOUT, id_token_hint=token).text
    assert answer_of(browser.authorize(rp, prompt="none", id_token_hint=token))["error"]
    client = world.app.test_client(use_cookies=False)
    answer = client.get(
        "/oauth2/v1/userinfo",
        headers={"Authorization": f"Bearer {token}"},
        base_url=world.settings.issuer,
    )
    assert answer.status_code == 401
    assert world.introspect(rp, token) == {"active": False}
