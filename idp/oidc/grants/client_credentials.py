"""Client credentials (RFC 6749 section 4.4): a client or a machine account acts for itself, never
for a person. There is no refresh token, no ID token, and no scope about people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from idp.clients import registry
from idp.grants import grant_lifecycle
from idp.machines import machine_accounts, machine_logins
from idp.machines.machine_authentication import AuthenticatedMachine, Denied
from idp.machines.machine_refusals import ABOUT_APPLICATION
from idp.models.records import AnyClient
from idp.oidc.claims import GROUP_SCOPES
from idp.oidc.client_auth import ClientRefused, presented_credentials
from idp.oidc.grants.pipeline import GrantType, InvalidTargetError, Redeemed, TokenRequest
from idp.policy.registered_values import SIGNING_METHODS
from idp.policy.scopes import IDENTITY_SCOPES, parse_scope

if TYPE_CHECKING:
    from idp.oidc.server import GatewayServer, ProtocolRequest

#: The scopes of a machine account that asks for none.
MACHINE_SCOPES = ("groups", "participants")
NOT_ALLOWED = "This account is not authorized for this resource."
MISSING = "Missing parameter: resource (the application for the token)."


def authenticate(
    server: GatewayServer, request: ProtocolRequest
) -> AnyClient | AuthenticatedMachine:
    """Authenticate the client, or the machine account if the credentials name one."""
    method, name, secret = presented_credentials(request)
    if not machine_accounts.has_machine_form(name):
        try:
            return server.authenticate_client(request)
        except ClientRefused:
            # A machine account may have a name from before the present form.
            if not machine_accounts.exists(request.work, name):
                raise
    credentials = {"assertion" if method in SIGNING_METHODS else "password": secret}
    return _authenticate_machine(server, request, name, credentials)


def _authenticate_machine(
    server: GatewayServer, request: ProtocolRequest, name: str, credentials: dict[str, str]
) -> AuthenticatedMachine:
    """A machine account from a registered network, for the application that ``resource`` names
    (RFC 8707)."""
    resource = request.params.get("resource", "")
    client = registry.find_by_resource(request.work, resource)
    outcome = server.machine_authenticator.authenticate(
        request.work, username=name, client=client, **credentials
    )
    if isinstance(outcome, Denied):
        # Only a caller with the right credentials learns that the application is the reason.
        if outcome.reason in ABOUT_APPLICATION:
            raise InvalidTargetError(NOT_ALLOWED if resource else MISSING)
        raise ClientRefused()
    return outcome


def redeem(request: TokenRequest) -> Redeemed:
    """The new grant of the machine account or the client."""
    if request.machine is not None:
        return _redeem_machine(request, request.machine)
    allowed = tuple(scope for scope in request.client.scopes if scope not in IDENTITY_SCOPES)
    scopes = _scopes(
        request, allowed, allowed, "The scope exceeds what is allowed for this client."
    )
    grant = grant_lifecycle.plan_for_client(request.work, request.client, list(scopes))
    return Redeemed(grant=grant, scopes=scopes, is_planned=True)


def _redeem_machine(request: TokenRequest, machine: AuthenticatedMachine) -> Redeemed:
    refusal = f"A machine account can only request {', '.join(GROUP_SCOPES)}."
    scopes = _scopes(request, GROUP_SCOPES, MACHINE_SCOPES, refusal)
    account = machine_logins.account_row(request.work, machine.account)
    grant = grant_lifecycle.plan_for_machine(
        request.work, machine.client, account, list(scopes), machine.participant
    )
    return Redeemed(grant=grant, scopes=scopes, is_planned=True)


def _scopes(
    request: TokenRequest, allowed: tuple[str, ...], default: tuple[str, ...], refusal: str
) -> tuple[str, ...]:
    """The requested scopes, or the default ones. Raises invalid_scope."""
    scopes = parse_scope(request.params["scope"]) if "scope" in request.params else default
    if scopes is None or not set(scopes) <= set(allowed):
        raise InvalidScopeError(refusal)
    return scopes


GRANT_TYPE = GrantType(name="client_credentials", redeem=redeem, authenticate=authenticate)
