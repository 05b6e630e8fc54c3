"""Refresh with rotation (RFC 6749 section 6, RFC 9700 section 4.14.2)."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError

from idp.grants import issuance
from idp.models import Client
from idp.oidc.grants.pipeline import PipelineGrant, Redeemed, required
from idp.policy.scopes import parse_scope
from idp.transaction import UnitOfWork


class RefreshTokenGrant(PipelineGrant):
    """Each refresh token is used once; a second use ends the family."""

    GRANT_TYPE = "refresh_token"

    def redeem(self, work: UnitOfWork, client: Client, params: dict[str, str]) -> Redeemed:
        row = issuance.find_refresh_token(work, required(params, "refresh_token"))
        if row is None:
            raise InvalidGrantError("The refresh token is not valid.")
        grant = row.grant
        if grant.client_id != client.id:
            issuance.revoke(work, grant, "refresh_token_of_other_client")
            raise InvalidGrantError("The refresh token is not valid.")
        # A spent one goes on to ``rotate``, however old: its reuse must end the family.
        too_old = row.consumed_at is None and issuance.is_expired(work, row)
        if too_old or not issuance.is_standing(work, grant):
            raise InvalidGrantError("The refresh token is not valid.")
        scopes = _narrowed(params.get("scope"), grant.scopes)
        successor = issuance.rotate(work, row, params.get("scope", ""))
        if successor is None:
            issuance.revoke(work, grant, "refresh_token_reused")
            raise InvalidGrantError("The refresh token is not valid.")
        return Redeemed(grant=grant, scopes=scopes, refresh_token=successor)


def _narrowed(asked: str | None, granted: list[str]) -> tuple[str, ...]:
    """The scopes asked for, which may be fewer than granted, never more."""
    if asked is None:
        return tuple(granted)
    scopes = parse_scope(asked)
    if not scopes or not set(scopes) <= set(granted):
        raise InvalidScopeError("The scope is wider than what was granted.")
    return scopes
