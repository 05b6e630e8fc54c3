"""Client credentials (RFC 6749 section 4.4): the client acts for itself, never for a person."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from idp.accounts import grants
from idp.models import Client
from idp.oidc.grants.pipeline import PipelineGrant, Redeemed
from idp.policy.scopes import IDENTITY_SCOPES, parse_scope
from idp.transaction import Work


class ClientCredentialsGrant(PipelineGrant):
    """No refresh token, no ID token, no scopes about people."""

    GRANT_TYPE = "client_credentials"

    def redeem(self, work: Work, client: Client, params: dict[str, str]) -> Redeemed:
        own = [scope for scope in client.scopes if scope not in IDENTITY_SCOPES]
        scopes = parse_scope(params["scope"]) if "scope" in params else tuple(own)
        if scopes is None or not set(scopes) <= set(own):
            raise InvalidScopeError("The scope is wider than what this client may have.")
        grant = grants.for_client_itself(work, client, list(scopes))
        return Redeemed(grant=grant, scopes=scopes)
