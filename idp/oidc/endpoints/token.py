"""The token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from flask import Blueprint, Response

from idp.oidc.endpoints.wiring import respond, server


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/token", "token", token, methods=["POST"])


def token() -> Response:
    """The token response, or an error. Both are committed."""
    return respond(server().create_token_response)
