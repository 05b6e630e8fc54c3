"""Discovery (OpenID Connect Discovery 1.0, RFC 8414, RFC 9728) and the JWKS."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp import current
from idp.clients import client_validation
from idp.credentials import assertions
from idp.models import AuthMethod
from idp.oidc import protected_resources
from idp.oidc.claims import CLAIMS_SUPPORTED
from idp.oidc.endpoints.wiring import ring
from idp.oidc.protected_resources import ProtectedResource
from idp.oidc.request_validation import PROMPTS, RESPONSE_MODES
from idp.policy.registered_values import (
    DPOP_ALGS,
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    SIGNING_ALGS,
)
from idp.policy.scopes import ACRS, GRANT_TYPES, IDENTITY_SCOPES
from idp.settings import Settings

#: A key is published an hour before it signs, so caching for half an hour is safe.
JWKS_AGE = 1800
#: The endpoints that clients and their programs call without a browser.
WITH_CERTIFICATES = (
    "token_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
)


def metadata(settings: Settings) -> dict[str, Any]:
    """The metadata: everything that the gateway supports, and nothing else."""
    return {
        "issuer": settings.issuer,
        **_endpoints(f"{settings.issuer}/oauth2/v1"),
        **_client_authentication(settings),
        **_mutual_tls(settings),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "scopes_supported": list(IDENTITY_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public", *(["pairwise"] if settings.pairwise_secret else [])],
        "id_token_signing_alg_values_supported": list(SIGNING_ALGS),
        "id_token_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "id_token_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "userinfo_signing_alg_values_supported": list(SIGNING_ALGS),
        "userinfo_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "userinfo_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "introspection_signing_alg_values_supported": list(SIGNING_ALGS),
        "authorization_signing_alg_values_supported": list(SIGNING_ALGS),
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(DPOP_ALGS),
        "claims_supported": list(CLAIMS_SUPPORTED),
        "claim_types_supported": ["normal", "distributed"],
        "claims_parameter_supported": True,
        "require_pushed_authorization_requests": settings.require_pushed_requests,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(assertions.ALGORITHMS),
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": list(ACRS),
        "ui_locales_supported": ["en", "fr"],
        "display_values_supported": ["page"],
        "protected_resources": protected_resources.identifiers(settings),
    }


def _endpoints(base: str) -> dict[str, str]:
    return {
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "pushed_authorization_request_endpoint": f"{base}/par",
        "device_authorization_endpoint": f"{base}/device_authorization",
        "registration_endpoint": f"{base}/register",
        "userinfo_endpoint": f"{base}/userinfo",
        "jwks_uri": f"{base}/keys",
        "introspection_endpoint": f"{base}/introspect",
        "revocation_endpoint": f"{base}/revoke",
        "end_session_endpoint": f"{base}/logout",
        "check_session_iframe": f"{base}/check_session",
    }


def _mutual_tls(settings: Settings) -> dict[str, Any]:
    """Whether access tokens can be bound to certificates, and where the proxy asks for one (RFC
    8705 sections 3.3 and 5)."""
    found: dict[str, Any] = {
        "tls_client_certificate_bound_access_tokens": bool(settings.client_certificate_header)
    }
    if settings.mtls_url:
        aliases = _endpoints(f"{settings.mtls_url}/oauth2/v1")
        found["mtls_endpoint_aliases"] = {name: aliases[name] for name in WITH_CERTIFICATES}
    return found


def _client_authentication(settings: Settings) -> dict[str, list[str]]:
    """The methods and algorithms by which clients authenticate. Only a confidential client may
    introspect tokens."""
    unavailable = {AuthMethod.SECRET, *client_validation.unavailable_methods(settings)}
    methods = [str(method) for method in AuthMethod if method not in unavailable]
    confidential = [method for method in methods if method != AuthMethod.NONE]
    algorithms = [*assertions.ALGORITHMS, assertions.SECRET_ALGORITHM]
    return {
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
    }


def register(pages: Blueprint) -> None:
    for path, name in (
        ("/.well-known/openid-configuration", "openid_configuration"),
        ("/.well-known/oauth-authorization-server", "oauth_metadata"),
    ):
        pages.add_url_rule(path, name, configuration)
    for resource, view in (
        (protected_resources.USERINFO, userinfo_metadata),
        (protected_resources.SCIM, scim_metadata),
        (protected_resources.SHARED_SIGNALS, shared_signals_metadata),
    ):
        pages.add_url_rule(resource.metadata_path, view.__name__, view)
    pages.add_url_rule("/oauth2/v1/keys", "keys", jwks)


def configuration() -> Response:
    """The metadata. It is public and cacheable, and any script may read it."""
    return document(metadata(current.runtime().settings))


def userinfo_metadata() -> Response:
    """The metadata of userinfo (RFC 9728)."""
    return _of_resource(protected_resources.USERINFO)


def scim_metadata() -> Response:
    """The metadata of the interface for registration (RFC 9728)."""
    return _of_resource(protected_resources.SCIM)


def shared_signals_metadata() -> Response:
    """The metadata of the interface for receivers of security events (RFC 9728)."""
    return _of_resource(protected_resources.SHARED_SIGNALS)


def _of_resource(resource: ProtectedResource) -> Response:
    return document(protected_resources.metadata(current.runtime().settings, resource))


def document(found: dict[str, Any]) -> Response:
    """A public document that clients keep for an hour."""
    response = jsonify(found)
    response.add_etag()
    _public(response, 3600).make_conditional(request)
    return response


def jwks() -> Response:
    """The public keys (RFC 7517): active, next, and those of tokens that have not expired."""
    snapshot = ring().published(current.work())
    response = Response(snapshot.document, mimetype="application/json")
    response.set_etag(snapshot.etag)
    _public(response, JWKS_AGE).make_conditional(request)
    return response


def _public(response: Response, age: int) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = age
    return response
