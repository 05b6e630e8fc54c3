"""Revocation (RFC 7009). Revoking a refresh token revokes its grant."""

from __future__ import annotations

from authlib.oauth2.rfc7009 import RevocationEndpoint
from flask import Blueprint, Response

from idp.grants import access_tokens, grant_lifecycle, refresh_tokens
from idp.models.records import AccessTokenRecord, AnyClient, RefreshTokenRecord
from idp.oidc import tokens
from idp.oidc.endpoints.wiring import respond, server
from idp.oidc.server import ProtocolRequest
from idp.session.end_reasons import EndReason


class Revocation(RevocationEndpoint):
    """Authlib's endpoint with the gateway's token records. A token of another client is not revoked
    and gets the same answer as an unknown one (RFC 7009 section 2.2)."""

    def authenticate_token(
        self, request: ProtocolRequest, client: AnyClient
    ) -> AccessTokenRecord | RefreshTokenRecord | None:
        self.check_params(request, client)
        work, token = request.work, request.params["token"]
        access = tokens.find_active_access_token(work, self.server.ring, token)
        if access is not None:
            return access if access_tokens.holder_id(access) == client.client_id else None
        row = refresh_tokens.find(work, token)
        return row if row is not None and row.grant.client_id == client.id else None

    def revoke_token(
        self, token: AccessTokenRecord | RefreshTokenRecord, request: ProtocolRequest
    ) -> None:
        if isinstance(token, AccessTokenRecord):
            access_tokens.revoke(request.work, token)
        else:
            grant_lifecycle.revoke(request.work, token.grant, EndReason.REVOKED_BY_CLIENT)


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/revoke", "revoke", revoke, methods=["POST"])


def revoke() -> Response:
    """Revoke a token."""
    return respond(lambda incoming: server().create_endpoint_response("revocation", incoming))
