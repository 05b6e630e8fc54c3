"""What a program learns from the gateway's own resources (RFC 9728, RFC 9470)."""

from __future__ import annotations

import re

import pytest

from idp.clients import registry
from idp.policy.registered_values import DPOP_ALGS
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD
from tests.security.test_token_tables import WHERE_USERINFO, userinfo
from tests.world import World

ISSUER = "https://gateway.test"
SCOPES = {
    "/oauth2/v1/userinfo": [
        "openid", "profile", "email", "phone", "groups", "participants", "participant_groups"
    ],
    "/scim/v2": ["scim"],
    "/oauth2/v1/ssf": ["ssf.read", "ssf.manage"],
}  # fmt: skip
SIGNED = {
    "jwks_uri": f"{ISSUER}/oauth2/v1/keys",
    "resource_signing_alg_values_supported": ["RS256", "ES256"],
}


@pytest.mark.parametrize("path", SCOPES)
def test_a_challenge_leads_to_the_metadata_of_its_resource(world: World, path: str) -> None:
    """RFC 9728 sections 3.3 and 5.1: the resource of the metadata is the one that was called."""
    client = world.app.test_client(use_cookies=False)
    called = path + {"/scim/v2": "/Users", "/oauth2/v1/ssf": "/streams"}.get(path, "")
    refused = client.get(called, base_url=ISSUER)
    assert refused.status_code == 401
    for challenge in refused.headers.getlist("WWW-Authenticate"):
        found = re.search(r'resource_metadata="([^"]+)"', challenge)
        assert found
        answer = client.get(found[1].removeprefix(ISSUER), base_url=ISSUER)
        assert answer.json == {
            "resource": ISSUER + path,
            "resource_name": (answer.json or {})["resource_name"],
            "authorization_servers": [ISSUER],
            "scopes_supported": SCOPES[path],
            "bearer_methods_supported": ["header"] + ["body"] * (path == "/oauth2/v1/userinfo"),
            "dpop_signing_alg_values_supported": list(DPOP_ALGS),
            "dpop_bound_access_tokens_required": False,
            "tls_client_certificate_bound_access_tokens": False,
            **(SIGNED if path == "/oauth2/v1/userinfo" else {}),
        }
    discovery = client.get("/.well-known/openid-configuration", base_url=ISSUER).json or {}
    assert discovery["protected_resources"] == [ISSUER + one for one in SCOPES]


def test_n16_the_identifiers_of_resources_may_be_asked_for(world: World) -> None:
    """RFC 8707 section 2: a program sends the identifier that the metadata gave it. The token is
    for the gateway. A client with another audience gets no token for the gateway's resources."""
    rp, username = world.relying_party(grant_types=("client_credentials",)), world.account()
    for path in SCOPES:
        answer = world.post(rp, grant_type="client_credentials", resource=ISSUER + path)
        assert answer.status_code == 200, answer.json
    wrong = world.post(rp, grant_type="client_credentials", resource=ISSUER + "/scim")
    assert (wrong.json or {})["error"] == "invalid_target"
    app = world.relying_party("Other")
    tokens = world.signed_in_tokens(app, username, resource=f"{ISSUER}/oauth2/v1/userinfo")
    assert userinfo(world, tokens["access_token"]).status_code == 200
    with world.work() as work:
        registry.get(work, rp.client_id).audience = "https://api.example"
    answer = world.post(rp, grant_type="client_credentials", resource=f"{ISSUER}/scim/v2")
    assert (answer.json or {})["error"] == "invalid_target"


def test_n14_userinfo_needs_the_level_of_its_application(world: World) -> None:
    """RFC 9470 section 3: the level was raised after the token was issued; the answer names it."""
    rp, username = world.relying_party(), world.account()
    token = world.signed_in_tokens(rp, username)["access_token"]
    with world.work() as work:
        registry.get(work, rp.client_id).minimum_acr = ACR_PASSWORD
    assert userinfo(world, token).status_code == 200
    with world.work() as work:
        registry.get(work, rp.client_id).minimum_acr = ACR_MFA
    answer = userinfo(world, token)
    text = "The application needs a higher authentication level."
    code = "insufficient_user_authentication"
    assert answer.json == {"error": code, "error_description": text}
    assert answer.status_code == 401
    assert answer.headers.getlist("WWW-Authenticate") == [
        f'Bearer realm="{ISSUER}", error="{code}", error_description="{text}"'
        f', acr_values="{ACR_MFA}", {WHERE_USERINFO}'
    ]
