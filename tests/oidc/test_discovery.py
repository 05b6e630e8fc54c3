"""Discovery says what is there, and nothing else."""

from __future__ import annotations

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from idp.credentials.assertions import ALGORITHMS
from idp.models import AuthMethod
from idp.oidc.grants import GRANTS
from idp.policy.scopes import ACRS
from tests.world import World

PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def document(world: World, path: str) -> dict[str, object]:
    return dict(world.app.test_client().get(path, base_url=world.settings.issuer).json or {})


def test_the_metadata_is_valid_by_an_independent_reading(world: World) -> None:
    """OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2."""
    OpenIDProviderMetadata(document(world, PATHS[0])).validate()
    AuthorizationServerMetadata(document(world, PATHS[1])).validate()
    assert document(world, PATHS[0]) == document(world, PATHS[1])


def test_the_metadata_agrees_with_the_server(world: World) -> None:
    """Endpoints exist at the issuer; grants and methods are the registered ones."""
    found = document(world, PATHS[0])
    assert found["issuer"] == world.settings.issuer
    known = {rule.rule for rule in world.app.url_map.iter_rules()}
    for name, value in found.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert str(value).removeprefix(world.settings.issuer) in known, name
    assert found["grant_types_supported"] == [grant.GRANT_TYPE for grant in GRANTS]
    # A secret in either place is registered with us only: a request shows one of the others.
    methods = [str(method) for method in AuthMethod if method != AuthMethod.SECRET]
    assert found["token_endpoint_auth_methods_supported"] == methods
    assert found["token_endpoint_auth_signing_alg_values_supported"] == list(ALGORITHMS)
    assert found["acr_values_supported"] == list(ACRS)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "implicit" not in str(found)


def test_public_documents_are_cacheable_and_readable_by_scripts(world: World) -> None:
    """CORS for everybody; the JWKS has an ETag."""
    client, base = world.app.test_client(), world.settings.issuer
    for path in (*PATHS, "/oauth2/v1/keys"):
        answer = client.get(path, base_url=base, headers={"Origin": "https://any.test"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "public" in answer.headers["Cache-Control"]
    etag = client.get("/oauth2/v1/keys", base_url=base).headers["ETag"]
    again = client.get("/oauth2/v1/keys", base_url=base, headers={"If-None-Match": etag})
    assert again.status_code == 304


def test_registered_origins_may_call_the_token_endpoint_and_no_others(world: World) -> None:
    """CORS: token, userinfo and revocation, without cookies."""
    world.relying_party(allowed_origins=("https://app.test",))
    client, base = world.app.test_client(), world.settings.issuer
    for path in ("/oauth2/v1/token", "/oauth2/v1/userinfo", "/oauth2/v1/revoke"):
        for origin, allowed in (("https://app.test", True), ("https://evil.test", False)):
            answer = client.options(path, base_url=base, headers={"Origin": origin})
            assert answer.headers.get("Access-Control-Allow-Origin") == (
                origin if allowed else None
            )
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
