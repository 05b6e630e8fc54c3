"""Token exchange (RFC 8693), narrow: a service that received the access token of a person gets one
for another service. It stays under the same grant, so that whatever ends the grant ends it too, and
has no more scope, time or assurance (docs/decisions/0056)."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError

from idp.clients import registry
from idp.models import AccountKind, Client
from idp.models.records import AccessTokenRecord, actors
from idp.oidc import tokens
from idp.oidc.grants.pipeline import GrantType, InvalidTargetError, Redeemed, TokenRequest
from idp.oidc.tokens import ACCESS_TOKEN_TYPE, Delegation
from idp.policy.scopes import TOKEN_EXCHANGE, parse_scope, satisfies

#: The services that may follow one another behind an application.
MAX_ACTORS = 4
#: Scopes for the application itself: userinfo, an ID token, a refresh token.
NEVER = ("openid", "offline_access")
INVALID = "The subject_token is invalid, has expired, or was not issued for this client."
BOUND = "The subject_token is bound to a key: send a DPoP proof, or bind tokens to a certificate."
NOT_ALLOWED = "The resource is not allowed for this client."


class LevelNotReached(OAuth2Error):
    """The person did not sign in as strongly as the service demands (OpenID Connect Core Unmet
    Authentication Requirements 1.0)."""

    error = "unmet_authentication_requirements"


def redeem(request: TokenRequest) -> Redeemed:
    """The grant of the presented token, and what the service may do with it."""
    _check_types(request)
    row = _subject(request)
    audience = _audience(request, row)
    inner = {"act": row.act} if row.act else {}
    delegation = Delegation(
        actor=request.client,
        audience=audience,
        expires_at=row.expires_at,
        act={"sub": request.client.client_id, **inner},
    )
    return Redeemed(
        grant=row.grant, scopes=_scopes(request, row), delegation=delegation, inactive=INVALID
    )


def _check_types(request: TokenRequest) -> None:
    """Only access tokens, and no token of the actor, which its authentication replaces."""
    given = request.required("subject_token_type")
    wanted = request.params.get("requested_token_type") or ACCESS_TOKEN_TYPE
    if given != ACCESS_TOKEN_TYPE or wanted != ACCESS_TOKEN_TYPE:
        raise InvalidRequestError("Only access tokens can be exchanged, for access tokens.")
    if "actor_token" in request.params or "actor_token_type" in request.params:
        raise InvalidRequestError("An actor_token is not supported.")


def _subject(request: TokenRequest) -> AccessTokenRecord:
    """The presented token. Raises invalid_request (section 2.2.2)."""
    work, client = request.work, request.client
    token = request.required("subject_token")
    row = tokens.find_active_access_token(work, request.ring, token)
    if row is None or not _is_of_person(row) or not client.audience:
        raise InvalidRequestError(INVALID)
    if row.audience != client.audience or _has_ended(row):
        raise InvalidRequestError(INVALID)
    if len(actors(row.act)) >= MAX_ACTORS:
        raise InvalidRequestError("The subject_token was exchanged too often.")
    is_bound = row.dpop_jkt or row.certificate
    if is_bound and not (request.dpop_jkt or request.certificate):
        raise InvalidRequestError(BOUND)
    return row


def _is_of_person(row: AccessTokenRecord) -> bool:
    account = row.grant.account
    return account is not None and account.kind != AccountKind.MACHINE


def _has_ended(row: AccessTokenRecord) -> bool:
    """Whether the person signed out, although the token goes on (``offline_access``)."""
    session = row.grant.session
    return session is None or session.ended_at is not None


def _audience(request: TokenRequest, row: AccessTokenRecord) -> str:
    """The one audience that is asked for, by ``resource`` or ``audience``. The service behind it
    must accept this kind of account and the level of the sign-in."""
    named = {request.params.get(name, "") for name in ("resource", "audience")} - {""}
    if not named:
        raise InvalidRequestError("Missing parameter: resource or audience.")
    audience = named.pop()
    if named or audience not in request.client.exchange_audiences:
        raise InvalidTargetError(NOT_ALLOWED)
    services = registry.with_audience(request.work, audience)
    if not services:
        raise InvalidTargetError(NOT_ALLOWED)
    for service in services:
        if service.is_resource_server:
            _check_accepts(service, row)
    return audience


def _check_accepts(service: Client, row: AccessTokenRecord) -> None:
    account = row.grant.account
    if account is None or not service.allows_account(account):
        raise InvalidTargetError("The resource does not accept this kind of account.")
    if not satisfies(row.grant.acr, service.minimum_acr):
        raise LevelNotReached(f"The resource needs {service.minimum_acr}.")


def _scopes(request: TokenRequest, row: AccessTokenRecord) -> tuple[str, ...]:
    """What the presented token and the registration of the service have in common, or less."""
    common = [name for name in row.scopes if name in request.client.scopes and name not in NEVER]
    if "scope" not in request.params:
        return tuple(common)
    scopes = parse_scope(request.params["scope"])
    if scopes is None or not set(scopes) <= set(common):
        raise InvalidScopeError("The scope exceeds that of the subject_token.")
    return scopes


GRANT_TYPE = GrantType(name=TOKEN_EXCHANGE, redeem=redeem, names_audience=True)
