"""Authorization code with PKCE (RFC 6749 section 4.1.3, RFC 7636 section 4.6)."""

from __future__ import annotations

import hmac
import re

from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from idp.grants import issuance
from idp.models import AuthorizationCode, Client
from idp.oidc.grants.pipeline import PipelineGrant, Redeemed, required
from idp.transaction import UnitOfWork

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


class AuthorizationCodeGrant(PipelineGrant):
    """The code is spent before anything is checked: whoever presents it once, it is gone."""

    GRANT_TYPE = "authorization_code"

    def redeem(self, work: UnitOfWork, client: Client, params: dict[str, str]) -> Redeemed:
        row, is_first = issuance.spend_code(work, required(params, "code"))
        if row is None:
            raise InvalidGrantError("The code is not valid.")
        if not is_first:
            # Somebody has it who should not: end what the first use gave (RFC 6749 4.1.2).
            issuance.revoke(work, row.grant, "code_reused")
            raise InvalidGrantError("The code is not valid.")
        if row.grant.client_id != client.id:
            issuance.revoke(work, row.grant, "code_of_other_client")
            raise InvalidGrantError("The code is not valid.")
        if fault := _mismatch(work, row, params):
            raise InvalidGrantError(fault)
        return Redeemed(grant=row.grant, scopes=tuple(row.grant.scopes), is_first=True)


def _mismatch(work: UnitOfWork, row: AuthorizationCode, params: dict[str, str]) -> str | None:
    """What in the request does not fit the code, if anything."""
    if work.now >= row.expires_at:
        return "The code is not valid."
    if not hmac.compare_digest(params.get("redirect_uri", "").encode(), row.redirect_uri.encode()):
        return "The redirect_uri is not the one of the authorization request."
    verifier = params.get("code_verifier")
    if row.code_challenge is None:
        return "There was no code_challenge." if verifier is not None else None
    if not verifier or not _VERIFIER.fullmatch(verifier):
        return "The code_verifier is missing or malformed."
    if not hmac.compare_digest(create_s256_code_challenge(verifier), row.code_challenge):
        return "The code_verifier does not match."
    return None
