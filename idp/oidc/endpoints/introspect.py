"""Introspection (RFC 7662, RFC 9701), for the client of a token and the resource server that it is
for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Blueprint, Response, request

from idp.grants import access_tokens, grant_lifecycle, refresh_tokens
from idp.models.records import AccessTokenRecord, AnyClient, AnyGrant, RefreshTokenRecord
from idp.oidc import introspection_token, tokens
from idp.oidc.claims import GROUP_SCOPES
from idp.oidc.endpoints.wiring import respond, ring, server
from idp.oidc.server import Answer, ProtocolRequest
from idp.transaction import UnitOfWork


class Introspection(IntrospectionEndpoint):
    """Authlib's endpoint with the gateway's token records."""

    def authenticate_token(
        self, request: ProtocolRequest, client: AnyClient
    ) -> dict[str, Any] | None:
        self.check_params(request, client)
        work, token = request.work, request.params["token"]
        access = tokens.find_active_access_token(work, self.server.ring, token)
        if access is not None:
            return _of_access(work, access) if tokens.may_introspect(access, client) else None
        row = refresh_tokens.find(work, token)
        if row is None or row.grant.client_id != client.id:
            return None
        return _of_refresh(work, row) if refresh_tokens.is_active(work, row) else None

    def create_introspection_payload(self, token: dict[str, Any] | None) -> dict[str, Any]:
        return token or {"active": False}


def _common(work: UnitOfWork, grant: AnyGrant, scopes: Sequence[str]) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "active": True,
        "iss": work.settings.issuer,
        "client_id": grant_lifecycle.token_client_id(grant),
        **tokens.scope_member(scopes),
        "sub": tokens.sub_of(work, grant),
    }
    if grant.account:
        payload |= {"username": grant.account.username, "acr": grant.acr}
        if grant.auth_time:
            payload["auth_time"] = tokens.seconds(grant.auth_time)
    return payload


def _of_access(work: UnitOfWork, row: AccessTokenRecord) -> dict[str, Any]:
    payload = _common(work, row.grant, row.scopes) | {
        "token_type": tokens.token_type(row.dpop_jkt),
        **tokens.confirmation(row.dpop_jkt, row.certificate),
        **({"client_id": access_tokens.holder_id(row), "act": row.act} if row.act else {}),
        "aud": row.audience,
        "iat": tokens.seconds(row.created_at),
        "exp": tokens.seconds(row.expires_at),
    }
    wanted = tuple(scope for scope in row.scopes if scope in GROUP_SCOPES)
    if row.grant.account and wanted:
        # All role groups as they are now: a distributed claim refers to here or to userinfo.
        payload |= tokens.claims_for(work, row.grant, wanted, "introspection")
    return payload


def _of_refresh(work: UnitOfWork, row: RefreshTokenRecord) -> dict[str, Any]:
    return _common(work, row.grant, row.grant.scopes) | {
        "token_type": "refresh_token",
        **tokens.confirmation(row.dpop_jkt),
        "iat": tokens.seconds(row.created_at),
        "exp": tokens.seconds(min(row.expires_at, row.family_expires_at)),
    }


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/introspect", "introspect", introspect, methods=["POST"])


def introspect() -> Response:
    """Whether a token is active, and its claims: as JSON, or as a signed JWT."""
    return respond(_introspect)


def _introspect(incoming: ProtocolRequest) -> Answer:
    status, body, headers = server().create_endpoint_response("introspection", incoming)
    if status != 200 or not introspection_token.is_asked_for(request.accept_mimetypes):
        return status, body, headers
    found = json.loads(body)
    token = introspection_token.sign(incoming.work, ring(), incoming.client, found)
    own = {"Content-Type": introspection_token.MEDIA_TYPE}
    return status, token, list((dict(headers) | own).items())
