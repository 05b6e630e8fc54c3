"""The token request pipeline. ``respond`` runs the same phases in the same order for every grant
type:

1. authenticate the client or the machine account;
2. check that a client may use the grant type and the resource, and has a key if its ID tokens are
   encrypted;
3. verify the proof of possession, if there is one;
4. redeem what the request presents, which is all that a grant type defines;
5. check that the grant is active;
6. issue the tokens, bound to the key that was proved: sign, spend the refresh token, write;
7. record the audit event.

The caller commits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import (
    InvalidGrantError,
    InvalidRequestError,
    UnauthorizedClientError,
)

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.grants import access_tokens, grant_lifecycle, refresh_tokens
from idp.machines.machine_authentication import AuthenticatedMachine
from idp.models import AuthMethod
from idp.models.records import AnyClient, AnyGrant, GrantRecord, RefreshTokenRecord
from idp.oidc import encrypted_tokens, sender_constraint, tokens
from idp.oidc.jwks import KeyRing
from idp.oidc.tokens import Delegation
from idp.policy.scopes import BY_PERSON
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from service_base.waiting_rows import WaitingRow

if TYPE_CHECKING:
    from idp.oidc.server import GatewayServer, ProtocolRequest


#: Grant types whose answers can have an ID token.
WITH_ID_TOKEN = (*BY_PERSON, "refresh_token")
#: The description of ``invalid_grant`` for a code or refresh token of another key.
OTHER_KEY = "This needs a DPoP proof of the key that it is bound to."


class InvalidTargetError(OAuth2Error):
    """The requester may not get tokens for this resource (RFC 8707 section 2)."""

    error = "invalid_target"


@final
@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """A token request after authentication."""

    work: UnitOfWork
    ring: KeyRing
    params: dict[str, str]
    #: The application that the tokens are for.
    client: AnyClient
    #: The machine account that asks, if it is not the client itself.
    machine: AuthenticatedMachine | None = None
    #: The thumbprint of the key that the request proved (RFC 9449), if any.
    dpop_jkt: str | None = None
    #: The thumbprint of the certificate that the tokens will be bound to (RFC 8705), if any.
    certificate: str | None = None

    def proves(self, dpop_jkt: str | None) -> bool:
        """Whether the request may use what is bound to the key of this thumbprint, if to any."""
        return dpop_jkt in (None, self.dpop_jkt)

    def required(self, name: str) -> str:
        """A parameter that must be present. Raises invalid_request."""
        value = self.params.get(name, "")
        if not value:
            raise InvalidRequestError(f"Missing parameter: {name}.")
        return value


@final
@dataclass(frozen=True, kw_only=True)
class Redeemed:
    """Result of redeeming a token request."""

    grant: AnyGrant
    scopes: tuple[str, ...]
    #: The grant is new, and not written yet.
    is_planned: bool = False
    #: These are the first tokens of a sign-in, so its session must still be live.
    is_first: bool = False
    #: The presented refresh token, which is rotated.
    refresh_token: RefreshTokenRecord | None = None
    #: A service exchanges an access token of the grant.
    delegation: Delegation | None = None
    #: The error description if the grant is not active.
    inactive: str = "The authorization has ended."


def authenticate_client(server: GatewayServer, request: ProtocolRequest) -> AnyClient:
    """Authenticate the client by its registered method. Raises invalid_client."""
    return server.authenticate_client(request)


@final
@dataclass(frozen=True, kw_only=True)
class GrantType:
    """What a grant type defines. It cannot define, replace or skip a phase of the pipeline."""

    #: Value of the parameter ``grant_type``.
    name: str
    #: Find or create the grant of a request. Raises OAuth2Error.
    redeem: Callable[[TokenRequest], Redeemed]
    #: Whether ``redeem`` checks ``resource`` itself, because the token is for another audience than
    #: the client's tokens are.
    names_audience: bool = False
    #: Differs only for a grant type that machine accounts use. Raises OAuth2Error.
    authenticate: Callable[[GatewayServer, ProtocolRequest], AnyClient | AuthenticatedMachine] = (
        authenticate_client
    )


def respond(
    server: GatewayServer, grant_type: GrantType, request: ProtocolRequest
) -> dict[str, Any]:
    """The token response (RFC 6749 section 5.1). Raises OAuth2Error."""
    authenticated = _authenticate(server, grant_type, request)
    _check_permission(authenticated, grant_type)
    proved = _prove(authenticated, request)
    redeemed = grant_type.redeem(proved)
    _check_active(proved, redeemed)
    body = _issue(proved, redeemed)
    _record(proved, grant_type, redeemed)
    return body


def _authenticate(
    server: GatewayServer, grant_type: GrantType, request: ProtocolRequest
) -> TokenRequest:
    requester = grant_type.authenticate(server, request)
    machine = requester if isinstance(requester, AuthenticatedMachine) else None
    client = requester.client if isinstance(requester, AuthenticatedMachine) else requester
    return TokenRequest(
        work=request.work, ring=server.ring, params=request.params, client=client, machine=machine
    )


def _check_permission(request: TokenRequest, grant_type: GrantType) -> None:
    """The permissions of a client. A machine account needs a role group of the application instead,
    which its authentication has checked."""
    if request.machine is not None:
        return
    if grant_type.name not in request.client.grant_types:
        raise UnauthorizedClientError("This client is not authorized for this grant type.")
    if grant_type.name in WITH_ID_TOKEN and not encrypted_tokens.has_key(
        request.work, request.client
    ):
        raise InvalidRequestError(encrypted_tokens.NO_KEY)
    if grant_type.names_audience:
        return
    if not tokens.is_valid_resource(request.work, request.client, request.params):
        raise InvalidTargetError("The resource is not allowed for this client.")


def _prove(authenticated: TokenRequest, request: ProtocolRequest) -> TokenRequest:
    """The certificate and the proof of the key that the tokens will be bound to. This runs before
    anything is spent, so that a client can repeat its request with a nonce. The demand is one on
    the client itself, not on the machine accounts that use it."""
    if authenticated.machine is None and authenticated.client.certificate_bound_tokens:
        if request.certificate is None:
            raise InvalidRequestError("This client must present its certificate.")
        authenticated = replace(authenticated, certificate=request.certificate.thumbprint)
    is_required = authenticated.machine is None and authenticated.client.dpop_bound_access_tokens
    dpop_jkt = sender_constraint.prove(request, authenticated.client, is_required=is_required)
    return authenticated if dpop_jkt is None else replace(authenticated, dpop_jkt=dpop_jkt)


def _check_active(request: TokenRequest, redeemed: Redeemed) -> None:
    """Raise InvalidGrantError if the grant is not active. This runs after redeeming, so that a
    grant that has just ended gives no tokens. It runs before a refresh token is spent, so that a
    suspended account keeps it."""
    is_active = grant_lifecycle.is_active(
        request.work, redeemed.grant, with_session=redeemed.is_first
    )
    if not is_active:
        raise InvalidGrantError(redeemed.inactive)


def _issue(request: TokenRequest, redeemed: Redeemed) -> dict[str, Any]:
    # Signed first: what follows locks rows, on SQLite the database, until the commit.
    signed = tokens.sign(
        request.work,
        request.ring,
        redeemed.grant,
        redeemed.scopes,
        request.dpop_jkt,
        request.certificate,
        redeemed.delegation,
    )
    refresh_token = _refresh_token(request, redeemed)
    access_tokens.record(request.work, _grant_id(request, redeemed), **signed.record)
    if refresh_token is None:
        return signed.body
    return signed.body | {"refresh_token": refresh_token}


def _grant_id(request: TokenRequest, redeemed: Redeemed) -> int | WaitingRow:
    """The key of the grant, which is written now if it is new."""
    grant = redeemed.grant
    if redeemed.is_planned and isinstance(grant, GrantRecord):
        return grant_lifecycle.add_later(request.work, grant)
    return grant.id


def _refresh_token(request: TokenRequest, redeemed: Redeemed) -> str | None:
    """The successor of the presented refresh token, or the first one of a sign-in. None if there is
    none, or if the presented one stays valid."""
    work, grant = request.work, redeemed.grant
    # That of a confidential client is bound to its credentials (RFC 9449 section 5).
    dpop_jkt = request.dpop_jkt if request.client.auth_method == AuthMethod.NONE else None
    if redeemed.refresh_token is not None:
        # FAPI 2.0 Security Profile section 5.3.2.1: no rotation.
        if request.client.fapi2_security_profile and refresh_tokens.keep(
            work, redeemed.refresh_token
        ):
            return None
        scope = request.params.get("scope", "")
        successor = refresh_tokens.rotate(work, redeemed.refresh_token, scope, dpop_jkt)
        if successor is None:
            grant_lifecycle.revoke(work, grant, EndReason.REFRESH_TOKEN_REUSED)
            raise InvalidGrantError(redeemed.inactive)
        return successor
    can_refresh = "offline_access" in grant.scopes and "refresh_token" in grant.client.grant_types
    if not (redeemed.is_first and can_refresh):
        return None
    return refresh_tokens.issue(work, grant, dpop_jkt)


def _record(request: TokenRequest, grant_type: GrantType, redeemed: Redeemed) -> None:
    grant, delegation = redeemed.grant, redeemed.delegation
    more: dict[str, Any] = {}
    if delegation is not None:
        more = {"audience": delegation.audience, "issued_to": grant.client.client_id}
    events.record(
        request.work,
        AuditAction.TOKEN_ISSUED,
        account=grant.account,
        client=delegation.actor if delegation is not None else grant.client,
        session=grant.session,
        grant_type=grant_type.name,
        scope=" ".join(redeemed.scopes),
        **more,
    )
