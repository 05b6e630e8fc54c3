"""The tables that the token tests run over, and that nothing is missing from them.

Everything is derived from the product: a new client authentication method, grant type or account
state is in every test by itself, or fails here until its way in is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.models import AccountState, AuthMethod
from idp.oidc import grants
from idp.oidc.client_auth import FAILED, REALM
from idp.oidc.tokens import ACCESS_TOKEN_TYPE
from idp.policy.registered_values import TLS_METHODS
from idp.policy.scopes import DEVICE_CODE, GRANT_TYPES, IDENTITY_SCOPES, TOKEN_EXCHANGE
from idp.policy.session_rules import may_sign_in
from tests.world import VERIFIER, Rp, World

#: Certificates come in headers of a proxy: ``test_mutual_tls`` has their tables.
METHODS = [str(method) for method in AuthMethod if method not in TLS_METHODS]
CONFIDENTIAL = [method for method in METHODS if method != AuthMethod.NONE]
GRANT_NAMES = [grant_type.name for grant_type in grants.GRANT_TYPES]
#: Every state in which an account may do nothing.
REFUSING = [state for state in AccountState if not may_sign_in(state)]
OWN_SCOPE = "api.read"
_METADATA = "https://gateway.test/.well-known/oauth-protected-resource"
#: Where every refusal of a resource says that its metadata are (RFC 9728 section 5.1).
WHERE_USERINFO = f'resource_metadata="{_METADATA}/oauth2/v1/userinfo"'
WHERE_SCIM = f'resource_metadata="{_METADATA}/scim/v2"'

Params = dict[str, str]


def _code(world: World, rp: Rp, username: str) -> Params:
    return {
        "code": world.browser().code(rp, username),
        "redirect_uri": rp.redirect_uri,
        "code_verifier": VERIFIER,
    }


def _refresh(world: World, rp: Rp, username: str) -> Params:
    return {"refresh_token": world.signed_in_tokens(rp, username)["refresh_token"]}


def _device(world: World, rp: Rp, username: str) -> Params:
    scope = "openid profile email groups participants offline_access"
    codes = world.post(rp, "/oauth2/v1/device_authorization", scope=scope).json or {}
    browser = world.browser().signed_in(username)
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    browser.submit(page, "/device/confirm", decision="allow")
    return {"device_code": codes["device_code"]}


def _exchange(world: World, rp: Rp, username: str) -> Params:
    """The client exchanges a token for the one service that it is registered for."""
    own, other = "https://api.emi.example", "https://api.other.example"
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        client.audience, client.exchange_audiences = own, [other]
        client.grant_types = [*client.grant_types, TOKEN_EXCHANGE]
    world.relying_party("Other", audience=other)
    token = world.signed_in_tokens(rp, username)["access_token"]
    return {"subject_token": token, "subject_token_type": ACCESS_TOKEN_TYPE, "resource": other}


def _client(world: World, rp: Rp, username: str) -> Params:
    return {"scope": OWN_SCOPE}


#: What a good token request of each grant type holds beside ``grant_type``.
REQUESTS: dict[str, Callable[[World, Rp, str], Params]] = {
    "authorization_code": _code,
    "refresh_token": _refresh,
    "client_credentials": _client,
    DEVICE_CODE: _device,
    TOKEN_EXCHANGE: _exchange,
}
#: The grant types that sign a person in. The others are for confidential clients.
PERSONAL = [name for name in GRANT_NAMES if name not in ("client_credentials", TOKEN_EXCHANGE)]


def client_of(world: World, method: str = AuthMethod.BASIC, name: str = "EMI", **more: Any) -> Rp:
    """A client with this authentication method and every scope and grant type that it may have, but
    for token exchange, which needs more (``_exchange``)."""
    types = [
        grant
        for grant in GRANT_NAMES
        if grant in PERSONAL or (grant == "client_credentials" and method != AuthMethod.NONE)
    ]
    values: dict[str, Any] = {
        "auth_method": method,
        "grant_types": tuple(types),
        "scopes": (*IDENTITY_SCOPES, OWN_SCOPE),
    }
    return world.relying_party(name, **(values | more))


def good_request(world: World, grant: str, rp: Rp, username: str) -> Params:
    """The parameters of a token request that would succeed."""
    return {"grant_type": grant, **REQUESTS[grant](world, rp, username)}


def assert_refused(response: TestResponse, status: int, code: str, text: str) -> None:
    """The exact refusal of RFC 6749 section 5.2: status, code, words, headers, and no more."""
    assert response.json == {"error": code, "error_description": text}
    assert response.status_code == status
    assert_json_no_store(response)
    challenge = response.headers.get("WWW-Authenticate")
    assert challenge == (f'Basic realm="{REALM}"' if status == 401 else None)


def assert_client_refused(response: TestResponse) -> None:
    """Every failure of client authentication has this answer (A5)."""
    assert_refused(response, 401, "invalid_client", FAILED)


def assert_json_no_store(response: TestResponse) -> None:
    """RFC 6749 section 5.1 (N37)."""
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def userinfo(world: World, token: str) -> TestResponse:
    """GET userinfo with the token in the header (RFC 6750 section 2.1)."""
    return world.app.test_client(use_cookies=False).get(
        "/oauth2/v1/userinfo",
        headers={"Authorization": f"Bearer {token}"},
        base_url=world.settings.issuer,
    )


def assert_dead(world: World, rp: Rp, token: str) -> None:
    """Userinfo refuses the access token, and introspection says that it is inactive."""
    assert_not_a_token(userinfo(world, token))
    assert world.introspect(rp, token) == {"active": False}


def assert_not_a_token(response: TestResponse) -> None:
    """The exact refusal of a token at userinfo (RFC 6750 section 3.1)."""
    text = "The access token is invalid or has expired."
    assert response.status_code == 401
    assert response.json == {"error": "invalid_token", "error_description": text}
    assert_json_no_store(response)
    assert response.headers["WWW-Authenticate"] == (
        f'Bearer realm="https://gateway.test", error="invalid_token", error_description="{text}"'
        f", {WHERE_USERINFO}"
    )


def test_every_grant_type_is_in_the_tables() -> None:
    """A grant type that is registered but not listed here would not be tested for N31, N33 and
    N58."""
    assert set(REQUESTS) == set(GRANT_NAMES) == set(GRANT_TYPES)


def test_the_tables_cover_every_state_except_active() -> None:
    """N58: a new state is refused by default."""
    assert [state for state in AccountState if state not in REFUSING] == [AccountState.ACTIVE]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("grant", GRANT_NAMES)
def test_the_good_request_of_the_tables_succeeds(world: World, method: str, grant: str) -> None:
    """The same request without the fault succeeds, so a refusal in these tests is due to the
    fault."""
    rp = client_of(world, method)
    username = world.account()
    if method == AuthMethod.NONE and grant not in PERSONAL:
        response = world.post(rp, grant_type=grant, scope=OWN_SCOPE)
        assert_refused(
            response,
            400,
            "unauthorized_client",
            "This client is not authorized for this grant type.",
        )
        return
    response = world.post(rp, **good_request(world, grant, rp, username))
    assert response.status_code == 200
    assert response.json["token_type"] == "Bearer"
    assert response.json["expires_in"] == 600
    assert_json_no_store(response)
    assert ("id_token" in response.json) is (grant in PERSONAL)
    assert ("refresh_token" in response.json) is (grant in PERSONAL)
