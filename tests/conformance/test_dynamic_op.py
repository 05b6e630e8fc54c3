"""Dynamic OP: a test for each module, by its name. Modules that ask for what the gateway does not
do show how it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from idp.clients import initial_tokens
from idp.clients.key_hosts import KeyHosts
from idp.grants import signing_keys
from tests.conformance.conftest import make_flow
from tests.conformance.flow import DISCOVERY, Flow
from tests.security.test_client_registration import CALLBACK, register, registered
from tests.security.test_dpop import claims_of, error_of
from tests.security.test_fapi2 import signed
from tests.world import BY_KEY, KEY, TOKEN, Rp, World, answer_of

JWKS_URI = "https://shop.test/jwks"
BY_ASSERTION = {
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": {"keys": [KEY.as_dict(private=False)]},
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid offline_access",
}


def flow_of(world: World, **metadata: Any) -> Flow:
    """A client that registered itself, by an initial access token without PKCE."""
    with world.work() as work:
        _, token = initial_tokens.issue(work, name="Suite", uses=5, days=1, require_pkce=False)
    known = register(world, token, **(BY_ASSERTION | metadata))
    assert known.status_code == 201, known.text
    sent = known.json or {}
    uri = sent["redirect_uris"][0]
    rp = Rp(sent["client_id"], BY_KEY, uri, "private_key_jwt", world.clock)
    return replace(make_flow(world), rp=rp)


def discovery(world: World) -> dict[str, Any]:
    client = world.app.test_client(use_cookies=False)
    return dict(client.get(DISCOVERY, base_url=world.settings.issuer).json or {})


def test_oidcc_server(world: World) -> None:
    """Registered, signed in, redeemed."""
    flow = flow_of(world)
    assert flow.claims(flow.tokens())["aud"] == flow.rp.client_id


def test_oidcc_idtoken_rs256(world: World) -> None:
    flow = flow_of(world, id_token_signed_response_alg="RS256")
    token = flow.tokens()["id_token"]
    header = jws.extract_compact(token.encode()).headers()
    assert header["alg"] == "RS256"
    assert "kid" in header


def test_oidcc_idtoken_unsigned(world: World) -> None:
    """Never, and discovery does not offer it."""
    asked = BY_ASSERTION | {"id_token_signed_response_alg": "none"}
    assert error_of(refused(world, asked)) == (400, "invalid_client_metadata")
    assert "none" not in discovery(world)["id_token_signing_alg_values_supported"]


def refused(world: World, metadata: dict[str, Any]) -> Any:
    with world.work() as work:
        _, token = initial_tokens.issue(work, name="Suite", uses=5, days=1)
    return register(world, token, **metadata)


def test_oidcc_userinfo_rs256(world: World) -> None:
    flow = flow_of(world, userinfo_signed_response_alg="RS256")
    tokens = flow.tokens()
    answer = flow.userinfo(tokens["access_token"])
    assert answer.content_type == "application/jwt"
    assert jws.extract_compact(answer.data).headers()["alg"] == "RS256"
    assert claims_of(answer.text)["sub"] == flow.claims(tokens)["sub"]


def test_oidcc_registration_sector_uri(world: World) -> None:
    """Nothing that an application names is fetched."""
    asked = {"sector_identifier_uri": "https://shop.test/s"}
    assert error_of(refused(world, asked)) == (400, "invalid_client_metadata")


def test_oidcc_registration_sector_bad(world: World) -> None:
    asked = {"sector_identifier_uri": "https://other.test/sector", "subject_type": "pairwise"}
    assert error_of(refused(world, asked)) == (400, "invalid_client_metadata")


def test_oidcc_ensure_redirect_uri_in_authorization_request(world: World) -> None:
    page = flow_of(world).request(redirect_uri=None)
    assert (page.status_code, "Location" in page.headers) == (400, False)


def test_oidcc_redirect_uri_query_ok(world: World) -> None:
    flow = flow_of(world, redirect_uris=[f"{CALLBACK}?foo=bar"])
    page = flow.browser.sign_in(flow.username, page=flow.request())
    answer = answer_of(flow.browser.submit(page, "/signin/consent", decision="allow"))
    assert answer["foo"] == "bar"
    assert "code" in answer


@pytest.mark.parametrize(
    ("registered_uri", "used"),
    [(f"{CALLBACK}?foo=bar", f"{CALLBACK}?bar=foo"), (CALLBACK, f"{CALLBACK}?foo=bar")],
    ids=["oidcc_redirect_uri_query_mismatch", "oidcc_redirect_uri_query_added"],
)
def test_another_query_is_another_address(world: World, registered_uri: str, used: str) -> None:
    page = flow_of(world, redirect_uris=[registered_uri]).request(redirect_uri=used)
    assert (page.status_code, "Location" in page.headers) == (400, False)


def test_oidcc_redirect_uri_regfrag(world: World) -> None:
    asked = {"redirect_uris": [f"{CALLBACK}#foobar"]}
    assert error_of(refused(world, asked)) == (400, "invalid_redirect_uri")


def test_oidcc_discovery_endpoint_verification(world: World) -> None:
    known = discovery(world)
    assert known["registration_endpoint"].startswith("https://")
    assert known["request_uri_parameter_supported"] is False


@pytest.mark.parametrize("member", ["logo_uri", "policy_uri", "tos_uri"])
def test_oidcc_registration(world: World, member: str) -> None:
    """oidcc-registration-logo-uri, -policy-uri, -tos-uri: ignored, and no page links them."""
    uri = f"https://shop.test/{member}"
    assert member not in registered(world, **{member: uri})
    flow = flow_of(world, **{member: uri})
    page = flow.browser.sign_in(flow.username, page=flow.request())
    assert uri not in page.text


def published(world: World, *keys: ECKey) -> None:
    """What the application publishes."""
    sets = {"keys": [key.as_dict(private=False) | {"kid": key.thumbprint()} for key in keys]}
    runtime = world.app.extensions["runtime"]
    hosts = KeyHosts(lambda uri: json.dumps(sets).encode())
    world.app.extensions["runtime"] = replace(
        runtime, ports=replace(runtime.ports, key_hosts=hosts)
    )


def redeemed(flow: Flow, key: ECKey, **form: str) -> Any:
    """A token request with an assertion that this key signed."""
    sent = signed(flow.world, flow.rp, key=key) | form
    client = flow.world.app.test_client(use_cookies=False)
    return client.post(TOKEN, data=sent, base_url=flow.world.settings.issuer)


def test_oidcc_registration_jwks_uri(world: World) -> None:
    published(world, KEY)
    flow = flow_of(world, jwks=None, jwks_uri=JWKS_URI)
    assert flow.tokens()["token_type"] == "Bearer"


def test_oidcc_refresh_token_rp_key_rotation(world: World) -> None:
    """The application publishes another key: the old one does not count any more."""
    published(world, KEY)
    flow, other = flow_of(world, jwks=None, jwks_uri=JWKS_URI), ECKey.generate_key("P-256")
    tokens = flow.tokens(scope="openid offline_access", prompt="consent")
    published(world, other)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert error_of(redeemed(flow, KEY, **form)) == (401, "invalid_client")
    assert redeemed(flow, other, **form).status_code == 200


def test_oidcc_server_rotate_keys(world: World) -> None:
    """The new key was published before, and the old one still is."""
    flow = flow_of(world)
    first = flow.tokens()["id_token"]
    with world.work() as work:
        signing_keys.rotate(work, "RS256", force=True)
    world.clock.advance(seconds=10)
    second = flow.tokens()["id_token"]
    names = [jws.extract_compact(token.encode()).headers()["kid"] for token in (first, second)]
    assert names[0] != names[1]
    client = world.app.test_client(use_cookies=False)
    keys = client.get("/oauth2/v1/keys", base_url=world.settings.issuer).json["keys"]
    assert set(names) <= {key["kid"] for key in keys}


@pytest.mark.parametrize("alg", ["none", "RS256"])
def test_oidcc_request_uri(world: World, alg: str) -> None:
    """oidcc-request-uri-unsigned, -signed-rs256: nothing is fetched."""
    flow = flow_of(world, request_object_signing_alg=None if alg == "none" else alg)
    refusal = flow.response(flow.request(request_uri="https://shop.test/request.jwt"))
    assert refusal["error"] == "request_uri_not_supported"


def test_oidcc_ensure_request_object_with_redirect_uri(world: World) -> None:
    """The redirect URI of a signed request object counts."""
    flow = flow_of(world)
    now = int(world.clock.now().timestamp())
    claims = {"iss": flow.rp.client_id, "aud": world.settings.issuer, "exp": now + 60,
              "client_id": flow.rp.client_id, "redirect_uri": CALLBACK, "scope": "openid",
              "response_type": "code", "state": "state-1"}  # fmt: skip
    by_value = jwt.encode({"alg": "ES256"}, claims, KEY, algorithms=["ES256"])
    page = flow.request(redirect_uri="https://shop.test/other", request=by_value)
    assert "code" in flow.answer(page)


def test_oidcc_refresh_token(world: World) -> None:
    flow = flow_of(world)
    tokens = flow.tokens(scope="openid offline_access", prompt="consent")
    again = world.refresh(flow.rp, tokens["refresh_token"])
    assert again.status_code == 200
    assert flow.claims(again.json)["sub"] == flow.claims(tokens)["sub"]


def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(world: World) -> None:
    """The issuer as the audience of an assertion."""
    flow = flow_of(world)
    code = flow.answer(flow.request())["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    assert redeemed(flow, KEY, **form).status_code == 200
