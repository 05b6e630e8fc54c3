"""Basic OP and Form Post OP (OIDC Core 1.0): a test for each module, by its name."""

from __future__ import annotations

import re

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import RSAKey

from tests.conformance.flow import DISCOVERY, Flow
from tests.world import AUTHORIZE, VERIFIER, answer_of, challenge_of


def test_oidcc_server(each: Flow) -> None:
    """The whole flow: code, tokens, the required claims of the ID token (Core 2, 3.1.3.7)."""
    tokens = each.tokens()
    claims = each.claims(tokens)
    assert claims["iss"] == each.world.settings.issuer
    assert claims["aud"] in (each.rp.client_id, [each.rp.client_id])
    assert claims["nonce"] == "nonce-1"
    assert claims["iat"] <= claims["exp"]
    assert each.userinfo(tokens["access_token"]).json["sub"] == claims["sub"]


def test_oidcc_response_type_missing(each: Flow) -> None:
    """Core 3.1.2.6: the error goes to the redirect URI, with the state."""
    answer = each.response(each.request(response_type=None))
    assert (answer["error"], answer["state"]) == ("invalid_request", "state-1")


def test_oidcc_idtoken_signature(each: Flow) -> None:
    """Core 3.1.3.7: signed by a published key with its ``kid``; another key does not verify it."""
    tokens = each.tokens()
    each.claims(tokens)
    with pytest.raises(BadSignatureError):
        jwt.decode(tokens["id_token"], RSAKey.generate_key(2048), algorithms=["RS256"])


def test_oidcc_idtoken_unsigned(each: Flow) -> None:
    """Core 2: no client gets an ID token with ``alg`` none."""
    client = each.world.app.test_client(use_cookies=False)
    known = client.get(DISCOVERY, base_url=each.world.settings.issuer).json
    assert "none" not in known["id_token_signing_alg_values_supported"]


@pytest.mark.parametrize(
    ("method", "in_body"),
    [("GET", False), ("POST", False), ("POST", True)],
    ids=["oidcc_userinfo_get", "oidcc_userinfo_post_header", "oidcc_userinfo_post_body"],
)
def test_oidcc_userinfo(each: Flow, method: str, in_body: bool) -> None:
    """Core 5.3.1: the same answer in each way to send the token."""
    tokens = each.tokens()
    answer = each.userinfo(tokens["access_token"], method, in_body=in_body)
    assert answer.status_code == 200
    assert answer.json["sub"] == each.claims(tokens)["sub"]


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(each: Flow) -> None:
    """Core 3.1.2.1: the nonce is optional, and none is made up."""
    assert "nonce" not in each.claims(each.tokens(nonce=None))


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("profile", {"name", "given_name", "family_name", "preferred_username"}),
        ("email", {"email", "email_verified"}),
        ("phone", {"phone_number", "phone_number_verified"}),
        ("profile email phone address", {"name", "email", "phone_number"}),
    ],
    ids=["oidcc_scope_profile", "oidcc_scope_email", "oidcc_scope_phone", "oidcc_scope_all"],
)
def test_oidcc_scope(each: Flow, scope: str, names: set[str]) -> None:
    """Core 5.4: userinfo has the claims of the scope."""
    each.username = each.world.account(phone="+14165550123")
    tokens = each.tokens(scope=f"openid {scope}")
    assert names <= set(each.userinfo(tokens["access_token"]).json)


def test_oidcc_scope_address(each: Flow) -> None:
    """Core 5.4: accepted where no address is stored."""
    assert each.userinfo(each.tokens(scope="openid address")["access_token"]).status_code == 200


def test_oidcc_alternate_happy_flow(each: Flow) -> None:
    """Another redirect URI of the client, with a query, and all parameters in another order."""
    rp = each.world.relying_party(
        "OTHER",
        require_pkce=False,
        trusted=False,
        redirect_uris=("https://other.rp.test/callback?dummy1=lorem&dummy2=ipsum",),
    )
    each.rp = rp
    page = each.request(scope="profile openid")
    if each.mode is None:
        page = each.browser.sign_in(each.username, page=page)
        page = each.browser.submit(page, "/signin/consent", decision="allow")
        answer = answer_of(page)
        assert (answer.pop("dummy1"), answer.pop("dummy2")) == ("lorem", "ipsum")
        each.redeem(answer["code"])


@pytest.mark.parametrize("display", ["page", "popup"])
def test_oidcc_display(each: Flow, display: str) -> None:
    """oidcc-display-page, oidcc-display-popup (Core 3.1.2.1): accepted, never an error."""
    each.tokens(display=display)


def test_oidcc_prompt_login(each: Flow) -> None:
    """Core 3.1.2.1: a session or not, the person signs in again, later than before."""
    before = each.claims(each.tokens(max_age="10000"))["auth_time"]
    each.world.clock.advance(5)
    page = each.request(prompt="login", max_age="10000")
    assert "Sign in" in page.text
    after = each.claims(each.redeem(each.answer(page)["code"]))["auth_time"]
    assert after == before + 5


def test_oidcc_prompt_none_not_logged_in(each: Flow) -> None:
    """Core 3.1.2.6: login_required, without a page."""
    answer = each.response(each.request(prompt="none"))
    assert (answer["error"], answer["state"]) == ("login_required", "state-1")


def test_oidcc_prompt_none_logged_in(each: Flow) -> None:
    """The same person and time as in the session, without a page."""
    first = each.claims(each.tokens(max_age="10000"))
    answer = each.response(each.request(prompt="none", max_age="10000"))
    second = each.claims(each.redeem(answer["code"]))
    assert (first["sub"], first["auth_time"]) == (second["sub"], second["auth_time"])


def test_oidcc_max_age_1(each: Flow) -> None:
    """Core 3.1.2.1: a sign-in that is older asks again, and ``auth_time`` moves."""
    before = each.claims(each.tokens(max_age="10000"))["auth_time"]
    each.world.clock.advance(2)
    page = each.request(max_age="1")
    assert "Sign in" in page.text
    assert each.claims(each.redeem(each.answer(page)["code"]))["auth_time"] == before + 2


def test_oidcc_max_age_10000(each: Flow) -> None:
    """A sign-in that is young enough is used, and its ``auth_time`` stays."""
    before = each.claims(each.tokens(max_age="10000"))["auth_time"]
    each.world.clock.advance(2)
    answer = each.response(each.request(max_age="10000"))
    assert each.claims(each.redeem(answer["code"]))["auth_time"] == before


@pytest.mark.parametrize(
    "parameter",
    [
        {"extra": "foobar"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
    ],
    ids=[
        "oidcc_ensure_request_with_unknown_parameter_succeeds",
        "oidcc_ui_locales",
        "oidcc_claims_locales",
        "oidcc_ensure_request_with_acr_values_succeeds",
    ],
)
def test_oidcc_parameters_without_effect(each: Flow, parameter: dict[str, str]) -> None:
    """Core 3.1.2.1: wishes that cannot be granted, and unknown parameters, are no errors."""
    each.tokens(**parameter)


def test_oidcc_id_token_hint(each: Flow) -> None:
    """Core 3.1.2.1: with prompt=none, for the person who is signed in."""
    tokens = each.tokens()
    answer = each.response(each.request(prompt="none", id_token_hint=tokens["id_token"]))
    assert each.claims(each.redeem(answer["code"]))["sub"] == each.claims(tokens)["sub"]


def test_oidcc_login_hint(each: Flow) -> None:
    """The user name is filled in."""
    page = each.request(login_hint="buffy@gateway.test")
    assert re.search(r'name="username" value="buffy@gateway\.test"', page.text)
    each.redeem(each.answer(page)["code"])


@pytest.mark.parametrize("pause", [0, 30], ids=["oidcc_codereuse", "oidcc_codereuse_30seconds"])
def test_oidcc_codereuse(each: Flow, pause: int) -> None:
    """RFC 6749 section 4.1.2: a second use is refused, and ends the tokens of the first."""
    code = each.answer(each.request())["code"]
    tokens = each.redeem(code)
    each.world.clock.advance(pause)
    again = each.world.redeem(each.rp, code, code_verifier="")
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    assert each.userinfo(tokens["access_token"]).status_code == 401


def test_oidcc_ensure_registered_redirect_uri(each: Flow) -> None:
    """RFC 6749 section 4.1.2.4: an error page, no redirect to an unregistered URI."""
    page = each.request(redirect_uri="https://emi.rp.test/callback/other")
    assert page.status_code == 400
    assert "Location" not in page.headers
    assert "emi.rp.test/callback/other" not in page.text


def test_oidcc_ensure_post_request_succeeds(each: Flow) -> None:
    """Core 3.1.2.1: an authorization request may be a POST."""
    params = each.rp.authorize_params(
        scope="openid", response_mode=each.mode, code_challenge=None, code_challenge_method=None
    )
    each.redeem(each.answer(each.browser.post(AUTHORIZE, params))["code"])


def test_oidcc_server_client_secret_post(each: Flow) -> None:
    """Core 9: the secret in the body."""
    each.rp.auth_method = "client_secret_post"
    each.tokens()


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected(each: Flow) -> None:
    """Core 6.2: refused by name, and nothing is fetched."""
    answer = each.response(each.request(request_uri="https://emi.rp.test/request.jwt"))
    assert answer["error"] == "request_uri_not_supported"


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected(each: Flow) -> None:
    """Core 6.1: refused by name."""
    answer = each.response(each.request(request="eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6ICJ4In0."))
    assert answer["error"] == "request_not_supported"


def test_oidcc_claims_essential(each: Flow) -> None:
    """Core 5.5: an essential claim at userinfo."""
    wanted = '{"userinfo": {"name": {"essential": true}}}'
    tokens = each.tokens(claims=wanted)
    assert each.userinfo(tokens["access_token"]).json["name"]


def test_oidcc_ensure_request_object_with_redirect_uri(each: Flow) -> None:
    """Core 6.1: a redirect URI only in a request object that is not supported gets a page."""
    page = each.request(redirect_uri=None, request="eyJhbGciOiJub25lIn0.e30.")
    assert page.status_code == 400
    assert "Location" not in page.headers


def test_oidcc_refresh_token(each: Flow) -> None:
    """Core 12.2: the new ID token has the same subject, audience and sign-in; another client may
    not use the refresh token."""
    tokens = each.tokens(scope="openid offline_access", prompt="consent")
    other = each.world.relying_party("OTHER", require_pkce=False)
    stolen = each.world.refresh(other, tokens["refresh_token"])
    assert stolen.json["error"] == "invalid_grant"
    tokens = each.redeem(each.answer(each.request(scope="openid offline_access"))["code"])
    first = each.claims(tokens)
    each.world.clock.advance(60)
    second = each.claims(each.world.refresh(each.rp, tokens["refresh_token"]).json)
    for name in ("iss", "sub", "aud", "auth_time"):
        assert first.get(name) == second.get(name)
    assert second["iat"] == first["iat"] + 60


def test_oidcc_ensure_request_with_valid_pkce_succeeds(each: Flow) -> None:
    """RFC 7636: a client that needs no PKCE may use it, and must then prove it."""
    proof = {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    code = each.answer(each.request(**proof))["code"]
    assert each.world.redeem(each.rp, code, code_verifier="").json["error"] == "invalid_grant"
    code = each.answer(each.request(**proof))["code"]
    each.redeem(code, code_verifier=VERIFIER)
