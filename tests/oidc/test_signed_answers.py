"""Userinfo and introspection as signed JWTs (OIDC Core 5.3.2, RFC 9701)."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from idp.clients import registry
from tests.security.test_token_tables import userinfo
from tests.world import Rp, World

INTROSPECT, LOGOUT = "/oauth2/v1/introspect", "/oauth2/v1/logout"
JWT_TYPE = "application/token-introspection+jwt"


def read(world: World, token: str, alg: str, typ: str) -> dict[str, Any]:
    """The claims of a JWT of this type, verified with the published keys."""
    document = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer).json
    header = jws.extract_compact(token.encode()).headers()
    assert (header["alg"], header["typ"]) == (alg, typ)
    return dict(jwt.decode(token, KeySet.import_key_set(document), algorithms=[alg]).claims)


def introspect(world: World, rp: Rp, token: str, accept: str = JWT_TYPE) -> TestResponse:
    auth = rp.auth()
    return world.app.test_client(use_cookies=False).post(
        INTROSPECT,
        base_url=world.settings.issuer,
        data=auth["form"] | {"token": token},
        headers=auth["headers"] | {"Accept": accept},
    )


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_userinfo_is_signed_for_the_client_that_registered_it(world: World, alg: str) -> None:
    """OIDC Core 5.3.2: application/jwt with iss and aud, and the same claims as the JSON."""
    plain, signed = world.relying_party(), world.relying_party("Signed", userinfo_alg=alg)
    username = world.account()
    expected = userinfo(world, world.signed_in_tokens(plain, username)["access_token"]).json or {}
    answer = userinfo(world, world.signed_in_tokens(signed, username)["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    assert answer.headers["Cache-Control"] == "no-store"
    assert read(world, answer.text, alg, "userinfo+jwt") == {
        **expected, "iss": world.settings.issuer, "aud": signed.client_id
    }  # fmt: skip
    refused = userinfo(world, "x")
    assert (refused.status_code, refused.mimetype) == (401, "application/json")


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_introspection_is_signed_for_the_caller_that_asks(world: World, alg: str) -> None:
    """RFC 9701 section 5: iss, aud and iat, and the answer in a claim of its own."""
    rp = world.relying_party(introspection_alg=alg)
    token = world.signed_in_tokens(rp, world.account())["access_token"]
    answer = introspect(world, rp, token)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JWT_TYPE)
    assert answer.headers["Cache-Control"] == "no-store"
    claims = read(world, answer.text, alg, "token-introspection+jwt")
    assert claims == {
        "iss": world.settings.issuer,
        "aud": rp.client_id,
        "iat": int(world.clock.now().timestamp()),
        "token_introspection": world.introspect(rp, token),
    }
    assert claims["token_introspection"]["active"] is True


@pytest.mark.parametrize(
    ("accept", "is_signed"),
    [
        (JWT_TYPE, True),
        (f"application/json;q=0.5, {JWT_TYPE}", True),
        (f"{JWT_TYPE}, application/json", True),
        (f"application/json, {JWT_TYPE};q=0.5", False),
        (f"{JWT_TYPE};q=0", False),
        ("application/json", False),
        ("application/*", False),
        ("*/*", False),
        ("application/jwt", False),
        ("", False),
    ],
)
def test_introspection_is_json_unless_the_caller_names_the_type(
    world: World, accept: str, is_signed: bool
) -> None:
    """RFC 9701 section 4, RFC 9110 section 12.5.1."""
    rp = world.relying_party()
    answer = introspect(world, rp, "unknown", accept)
    assert (answer.headers["Content-Type"] == JWT_TYPE) is is_signed
    assert is_signed or answer.json == {"active": False}


def test_n32_a_signed_answer_says_nothing_to_other_clients(world: World) -> None:
    """RFC 9701 section 5: to a client that may not ask, to a public one, and about an ended token,
    the answer is the one of RFC 7662."""
    rp, other = world.relying_party(), world.relying_party("Other")
    tokens = world.signed_in_tokens(rp, world.account())
    for token in (tokens["access_token"], tokens["refresh_token"]):
        claims = read(world, introspect(world, other, token).text, "RS256",
                      "token-introspection+jwt")  # fmt: skip
        assert claims["token_introspection"] == {"active": False}
        assert claims["aud"] == other.client_id
    world.post(rp, "/oauth2/v1/revoke", token=tokens["access_token"])
    ended = introspect(world, rp, tokens["access_token"])
    claims = read(world, ended.text, "RS256", "token-introspection+jwt")
    assert claims["token_introspection"] == {"active": False}
    other.secret = "wrong"
    refused = introspect(world, other, tokens["access_token"])
    assert (refused.status_code, refused.mimetype) == (401, "application/json")


def test_n44_a_signed_answer_is_no_other_token(world: World) -> None:
    """RFC 8725 section 3.11: neither an access token nor a hint."""
    rp, username = world.relying_party(), world.account()
    with world.work() as work:
        registry.get(work, rp.client_id).userinfo_alg = "RS256"
    token = world.signed_in_tokens(rp, username)["access_token"]
    for answer in (userinfo(world, token), introspect(world, rp, token)):
        assert userinfo(world, answer.text).status_code == 401
        assert world.introspect(rp, answer.text) == {"active": False}
        browser = world.browser().signed_in(username)
        asked = browser.client.get(
            "/oauth2/v1/authorize",
            query_string=rp.authorize_params(id_token_hint=answer.text),
            base_url=browser.base,
        )
        assert "error=login_required" in asked.headers["Location"]
        page = browser.get(LOGOUT, id_token_hint=answer.text)
        assert "/oauth2/v1/logout/confirm" in page.text
