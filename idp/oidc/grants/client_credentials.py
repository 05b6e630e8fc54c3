"""Client credentials (RFC 6749 section 4.4): a client, or a machine account, acts for itself, never
for a person."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from idp.clients import registry
from idp.grants import issuance
from idp.machines import machine_accounts
from idp.machines.machine_authentication import Denied, MachineAuthenticator
from idp.models import AuthMethod, Client
from idp.oidc.claims import GROUP_SCOPES
from idp.oidc.client_auth import ClientRefused, presented
from idp.oidc.grants.pipeline import InvalidTargetError, PipelineGrant, Redeemed
from idp.policy.scopes import IDENTITY_SCOPES, parse_scope
from idp.transaction import UnitOfWork

#: What a machine account gets when it asks for nothing else.
MACHINE_SCOPES = ("groups", "participants")
NOT_THERE = "This account may not use this resource."
MISSING = "Missing parameter: resource, the application that the token is for."


class ClientCredentialsGrant(PipelineGrant):
    """No refresh token, no ID token, no scopes about people."""

    GRANT_TYPE = "client_credentials"

    def validate_token_request(self) -> None:
        work, params = self.request.work, self.request.params
        method, name, secret = presented(self.request)
        if not machine_accounts.has_machine_form(name):
            try:
                super().validate_token_request()
            except ClientRefused:
                # Names from before the present form are machines' too.
                if not machine_accounts.exists(work, name):
                    raise
            else:
                return
        proof = {"assertion" if method == AuthMethod.KEY else "password": secret}
        self.redeemed = _machine(work, self.server.machines, name, proof, params)

    def redeem(self, work: UnitOfWork, client: Client, params: dict[str, str]) -> Redeemed:
        own = [scope for scope in client.scopes if scope not in IDENTITY_SCOPES]
        scopes = parse_scope(params["scope"]) if "scope" in params else tuple(own)
        if scopes is None or not set(scopes) <= set(own):
            raise InvalidScopeError("The scope is wider than what this client may have.")
        grant = issuance.for_client_itself(work, client, list(scopes))
        return Redeemed(grant=grant, scopes=scopes)


def _machine(
    work: UnitOfWork,
    authenticator: MachineAuthenticator,
    name: str,
    proof: dict[str, str],
    params: dict[str, str],
) -> Redeemed:
    """A machine account with its UserID and password, or with a key, from a registered network, for
    the application named by ``resource`` (RFC 8707)."""
    client = registry.of_resource(work, params.get("resource", ""))
    outcome = authenticator.authenticate(work, username=name, client=client, **proof)
    if isinstance(outcome, Denied):
        # Only whoever proved the rest hears that it is the application.
        if outcome.reason in ("unknown_application", "no_role_group"):
            raise InvalidTargetError(NOT_THERE if params.get("resource") else MISSING)
        raise ClientRefused()
    scopes = parse_scope(params["scope"]) if "scope" in params else MACHINE_SCOPES
    if client is None or scopes is None or not set(scopes) <= set(GROUP_SCOPES):
        raise InvalidScopeError(f"A machine account may ask for {', '.join(GROUP_SCOPES)}.")
    grant = issuance.for_machine(work, client, outcome.account, list(scopes), outcome.participant)
    return Redeemed(grant=grant, scopes=scopes)
