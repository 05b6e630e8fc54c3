"""Refresh token (RFC 6749 section 6). The pipeline rotates it once the grant is found active."""

from __future__ import annotations

from collections.abc import Sequence

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError

from idp.grants import grant_lifecycle, refresh_tokens
from idp.oidc.grants.pipeline import OTHER_KEY, GrantType, Redeemed, TokenRequest
from idp.policy.scopes import parse_scope
from idp.session.end_reasons import EndReason

INVALID = "The refresh token is invalid or has expired."


def redeem(request: TokenRequest) -> Redeemed:
    """Find the grant of the refresh token."""
    work = request.work
    row = refresh_tokens.find(work, request.required("refresh_token"))
    if row is None:
        raise InvalidGrantError(INVALID)
    if row.grant.client_id != request.client.id:
        grant_lifecycle.revoke(work, row.grant, EndReason.REFRESH_TOKEN_OF_OTHER_CLIENT)
        raise InvalidGrantError(INVALID)
    # Before its reuse could end the family: without the key, nobody could have used it.
    if not request.proves(row.dpop_jkt):
        raise InvalidGrantError(OTHER_KEY)
    # A spent one is rotated however old it is: its reuse must end the family.
    if row.consumed_at is None and refresh_tokens.is_expired(work, row):
        raise InvalidGrantError(INVALID)
    return Redeemed(
        grant=row.grant,
        scopes=_narrowed(request.params.get("scope"), row.grant.scopes),
        refresh_token=row,
        inactive=INVALID,
    )


def _narrowed(requested: str | None, granted: Sequence[str]) -> tuple[str, ...]:
    """The requested scopes, which may be fewer than the granted ones, never more."""
    if requested is None:
        return tuple(granted)
    scopes = parse_scope(requested)
    if not scopes or not set(scopes) <= set(granted):
        raise InvalidScopeError("The scope exceeds the original grant.")
    return scopes


GRANT_TYPE = GrantType(name="refresh_token", redeem=redeem)
