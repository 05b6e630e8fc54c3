"""The token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, request

from idp.oidc.endpoints.wiring import allow_origin, answer, parsed, refusal, server


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/token", "token", token, methods=["POST", "OPTIONS"])


def token() -> Response:
    """Tokens for a grant, or an error; both are committed."""
    if request.method == "OPTIONS":
        return allow_origin(Response(status=204))
    try:
        incoming = parsed()
    except OAuth2Error as error:
        return allow_origin(refusal(error))
    return allow_origin(answer(*server().create_token_response(incoming)))
