"""Discovery lists what the gateway supports, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import NoReturn
from unittest.mock import patch

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import TooManyRequests

from idp.credentials.assertions import ALGORITHMS
from idp.models import AuthMethod
from idp.oidc import grants
from idp.policy.registered_values import TLS_METHODS
from idp.policy.scopes import ACRS
from tests.world import World

PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
RESOURCES = tuple(
    f"/.well-known/oauth-protected-resource{path}"
    for path in ("/oauth2/v1/userinfo", "/scim/v2", "/oauth2/v1/ssf")
)


def document(world: World, path: str) -> dict[str, object]:
    return dict(world.app.test_client().get(path, base_url=world.settings.issuer).json or {})


def test_the_metadata_is_valid_by_an_independent_reading(world: World) -> None:
    """OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2."""
    OpenIDProviderMetadata(document(world, PATHS[0])).validate()
    AuthorizationServerMetadata(document(world, PATHS[1])).validate()
    assert document(world, PATHS[0]) == document(world, PATHS[1])


def test_the_metadata_agrees_with_the_server(world: World) -> None:
    """The endpoints exist. Grant types and authentication methods are the registered ones."""
    found = document(world, PATHS[0])
    assert found["issuer"] == world.settings.issuer
    known = {rule.rule for rule in world.app.url_map.iter_rules()}
    for name, value in found.items():
        if name.endswith("_endpoint") or name in ("jwks_uri", "check_session_iframe"):
            assert str(value).removeprefix(world.settings.issuer) in known, name
    assert found["grant_types_supported"] == [grant_type.name for grant_type in grants.GRANT_TYPES]
    # A secret in either place is registered with us only: a request shows one of the others.
    unavailable = (AuthMethod.SECRET, *TLS_METHODS)
    methods = [str(method) for method in AuthMethod if method not in unavailable]
    assert found["token_endpoint_auth_methods_supported"] == methods
    assert found["token_endpoint_auth_signing_alg_values_supported"] == [*ALGORITHMS, "HS256"]
    assert found["acr_values_supported"] == list(ACRS)
    assert found["code_challenge_methods_supported"] == ["S256"]
    # Only a confidential client may introspect; whoever has a token may revoke it.
    confidential = [method for method in methods if method != AuthMethod.NONE]
    assert found["introspection_endpoint_auth_methods_supported"] == confidential
    assert found["revocation_endpoint_auth_methods_supported"] == methods
    assert "none" in methods
    assert {name: value for name, value in found.items() if isinstance(value, bool)} == {
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "claims_parameter_supported": True,
        "frontchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "tls_client_certificate_bound_access_tokens": False,
    }
    assert "implicit" not in str(found)


def test_public_documents_are_cacheable_and_readable_by_scripts(world: World) -> None:
    """CORS for every origin. The JWKS has an ETag."""
    client, base = world.app.test_client(), world.settings.issuer
    for path in (*PATHS, *RESOURCES, "/oauth2/v1/keys"):
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


CALLED = (
    "/oauth2/v1/token",
    "/oauth2/v1/userinfo",
    "/oauth2/v1/revoke",
    "/oauth2/v1/par",
    "/oauth2/v1/device_authorization",
)


@pytest.mark.parametrize("path", CALLED)
def test_scripts_of_registered_origins_read_every_refusal(world: World, path: str) -> None:
    """CORS: 400 or 401, 405, 413 and 429, with the headers that a client needs. Other origins read
    nothing."""
    world.relying_party(allowed_origins=("https://app.test",))
    client, base = world.app.test_client(), world.settings.issuer
    for origin, named in (("https://app.test", "https://app.test"), ("https://evil.test", None)):
        headers = {"Origin": origin}
        answers = [
            client.post(path, base_url=base, headers=headers),
            client.put(path, base_url=base, headers=headers),
            client.post(path, base_url=base, headers=headers, data=b"a" * 300_000),
        ]
        view = f"oidc.{path.rsplit('/', 1)[1]}"
        limited = wraps(world.app.view_functions[view])(_limited)
        with patch.dict(world.app.view_functions, {view: limited}):
            answers.append(client.post(path, base_url=base, headers=headers))
        assert [answer.status_code for answer in answers][1] == 405
        assert answers[-1].status_code == 429
        for answer in answers:
            assert answer.headers.get("Access-Control-Allow-Origin") == named
            assert "Origin" in answer.headers["Vary"]
            exposed = answer.headers.get("Access-Control-Expose-Headers")
            assert exposed == (named and "Retry-After, WWW-Authenticate, DPoP-Nonce")


def _limited(*_: object) -> NoReturn:
    raise TooManyRequests(retry_after=5)


@pytest.mark.parametrize("path", [*CALLED, *PATHS, "/oauth2/v1/keys"])
def test_scripts_read_that_the_gateway_is_busy(world: World, path: str) -> None:
    """CORS: 503 is the same for everybody, and readable when no origin can be looked up."""
    error = OperationalError("SELECT", {}, Exception("no answer"))
    headers = {"Origin": "https://any.test"}
    with (
        patch("idp.clients.registry.allowed_origins", side_effect=error),
        patch("idp.oidc.jwks.KeyRing.snapshot", side_effect=error),
        patch("idp.oidc.endpoints.discovery.metadata", side_effect=error),
    ):
        answer = world.app.test_client().open(
            path, method="POST" if path in CALLED else "GET", base_url=world.settings.issuer,
            headers=headers,
        )  # fmt: skip
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_origins_are_looked_up_for_scripts_only(world: World) -> None:
    """CORS: a server sends no origin, and no script may call the pages."""
    client, base = world.app.test_client(), world.settings.issuer
    with patch("idp.clients.registry.allowed_origins", return_value=frozenset()) as looked_up:
        for path in CALLED:
            client.post(path, base_url=base)
        for path in ("/signin", "/oauth2/v1/authorize", "/oauth2/v1/introspect", *PATHS):
            client.get(path, base_url=base, headers={"Origin": "https://app.test"})
        assert looked_up.call_count == 0
        client.post(CALLED[0], base_url=base, headers={"Origin": "https://app.test"})
        assert looked_up.call_count == 1


@pytest.mark.parametrize("path", ["/signin", "/oauth2/v1/authorize", "/oauth2/v1/introspect"])
def test_scripts_cannot_read_pages_or_server_endpoints(world: World, path: str) -> None:
    """N20: neither pages nor the endpoints of servers."""
    world.relying_party(allowed_origins=("https://app.test",))
    answer = world.app.test_client().post(
        path, base_url=world.settings.issuer, headers={"Origin": "https://app.test"}
    )
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert "Origin" not in answer.headers.get("Vary", "")
    error = OperationalError("SELECT", {}, Exception("no answer"))
    view = {"/signin": "login.signin"}.get(path, f"oidc.{path.rsplit('/', 1)[1]}")
    with patch.dict(world.app.view_functions, {view: _raising(error, world, view)}):
        busy = world.app.test_client().get(
            path, base_url=world.settings.issuer, headers={"Origin": "https://app.test"}
        )
    assert not [name for name, _ in busy.headers if name.startswith("Access-Control")]


def _raising(error: Exception, world: World, name: str) -> Callable[..., NoReturn]:
    """In place of a view, with its exceptions to the rules of forms."""

    @wraps(world.app.view_functions[name])
    def view(*_: object) -> NoReturn:
        raise error

    return view


@pytest.mark.parametrize("path", CALLED)
def test_scripts_read_that_the_gateway_failed(world: World, path: str) -> None:
    """CORS: also 500, from an origin that nobody registered; "null" is no origin."""
    view = f"oidc.{path.rsplit('/', 1)[1]}"
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    error = RuntimeError("unforeseen")
    with patch.dict(world.app.view_functions, {view: _raising(error, world, view)}):
        answer = world.app.test_client().post(
            path, base_url=world.settings.issuer, headers={"Origin": "https://any.test"}
        )
    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    refused = world.app.test_client().post(
        path, base_url=world.settings.issuer, headers={"Origin": "null"}
    )
    assert "Access-Control-Allow-Origin" not in refused.headers
