"""The one way to a token (architecture: request flow).

authenticate the client -> is the grant type allowed -> redeem (the only part that differs)
-> does what it rests on still stand -> claims -> issue -> audit. The commit is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import (
    InvalidGrantError,
    InvalidRequestError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.grants import issuance
from idp.models import Client, Grant
from idp.oidc import tokens
from idp.oidc.server import NO_STORE, ProtocolRequest
from idp.transaction import UnitOfWork


class InvalidTargetError(OAuth2Error):
    """Tokens for this resource are not given to whoever asks (RFC 8707 section 2)."""

    error = "invalid_target"


@dataclass(frozen=True, kw_only=True)
class Redeemed:
    """What a grant type found: the authorization, what of it is asked, what follows."""

    grant: Grant
    scopes: tuple[str, ...]
    refresh_token: str | None = None
    #: The first tokens of a sign-in, whose session still has to count.
    is_first: bool = False


class PipelineGrant(BaseGrant, TokenEndpointMixin):
    """Base of the grant types. Authlib calls the two methods in this order."""

    request: ProtocolRequest

    def redeem(self, work: UnitOfWork, client: Client, params: dict[str, str]) -> Redeemed:
        """The middle of the pipeline. Raises OAuth2Error."""
        raise NotImplementedError

    def validate_token_request(self) -> None:
        work = self.request.work
        client = self.server.authenticate_client(self.request)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClientError("This client may not use this grant type.")
        if not tokens.is_target(work, client, self.request.params):
            raise InvalidTargetError("The resource is not one that this client has tokens for.")
        found = self.redeemed = self.redeem(work, client, self.request.params)
        # Asked here for all grant types, and after redeeming: what ended meanwhile has ended.
        if not issuance.is_standing(work, found.grant, session=found.is_first):
            ended = "sign-in" if found.is_first else "authorization"
            raise InvalidGrantError(f"The {ended} has ended.")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        work, found = self.request.work, self.redeemed
        body = tokens.issue(work, self.server.ring, found.grant, found.scopes)
        if refresh_token := found.refresh_token or _first_refresh_token(work, found):
            body["refresh_token"] = refresh_token
        events.record(
            work,
            AuditAction.TOKEN_ISSUED,
            account=found.grant.account,
            client=found.grant.client,
            session=found.grant.session,
            grant_type=self.GRANT_TYPE,
            scope=" ".join(found.scopes),
        )
        return 200, body, list(NO_STORE)


def _first_refresh_token(work: UnitOfWork, found: Redeemed) -> str | None:
    grant = found.grant
    can_refresh = "offline_access" in grant.scopes and "refresh_token" in grant.client.grant_types
    return issuance.issue_refresh_token(work, grant) if found.is_first and can_refresh else None


def required(params: dict[str, str], name: str) -> str:
    """A parameter that must be there and not be empty. Raises invalid_request."""
    value = params.get(name, "")
    if not value:
        raise InvalidRequestError(f"Missing parameter: {name}.")
    return value
