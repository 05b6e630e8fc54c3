"""Authorization code with PKCE (RFC 6749 section 4.1.3, RFC 7636 section 4.6)."""

from __future__ import annotations

import hmac
import re

from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from idp.grants import authorization_codes, grant_lifecycle
from idp.models.records import AuthorizationCodeRecord
from idp.oidc.grants.pipeline import OTHER_KEY, GrantType, Redeemed, TokenRequest
from idp.session.end_reasons import EndReason

INVALID = "The authorization code is invalid or has expired."
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def redeem(request: TokenRequest) -> Redeemed:
    """Spend the code before anything about it is checked: presenting a code uses it up."""
    work = request.work
    row, is_first_use = authorization_codes.spend(work, request.required("code"))
    if row is None:
        raise InvalidGrantError(INVALID)
    if not is_first_use:
        # The code was stolen: end what its first use gave (RFC 6749 section 4.1.2).
        grant_lifecycle.revoke(work, row.grant, EndReason.CODE_REUSED)
        raise InvalidGrantError(INVALID)
    if row.grant.client_id != request.client.id:
        grant_lifecycle.revoke(work, row.grant, EndReason.CODE_OF_OTHER_CLIENT)
        raise InvalidGrantError(INVALID)
    if fault := _mismatch(request, row):
        raise InvalidGrantError(fault)
    return Redeemed(
        grant=row.grant,
        scopes=tuple(row.grant.scopes),
        is_first=True,
        inactive="The sign-in has ended.",
    )


def _mismatch(request: TokenRequest, row: AuthorizationCodeRecord) -> str | None:
    """What in the request does not match the code, if anything."""
    params = request.params
    if not authorization_codes.is_valid_now(request.work, row):
        return INVALID
    if not hmac.compare_digest(params.get("redirect_uri", "").encode(), row.redirect_uri.encode()):
        return "The redirect_uri does not match the authorization request."
    if not request.proves(row.dpop_jkt):
        return OTHER_KEY
    verifier = params.get("code_verifier")
    if row.code_challenge is None:
        return "The authorization request had no code_challenge." if verifier is not None else None
    if not verifier or not _VERIFIER.fullmatch(verifier):
        return "The code_verifier is missing or malformed."
    if not hmac.compare_digest(create_s256_code_challenge(verifier), row.code_challenge):
        return "The code_verifier does not match the code_challenge."
    return None


GRANT_TYPE = GrantType(name="authorization_code", redeem=redeem)
