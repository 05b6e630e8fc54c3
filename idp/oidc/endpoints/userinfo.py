"""Userinfo (OIDC Core 5.3) by GET or POST. The token is in the header or the form (RFC 6750)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from idp import current
from idp.oidc import parameters, tokens
from idp.oidc.endpoints.wiring import ring
from idp.oidc.server import NO_STORE


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/userinfo", "userinfo", userinfo, methods=["GET", "POST"])


def userinfo() -> Response:
    """The claims of the person, as they are now."""
    if any(request.args.getlist("access_token")):
        return _refuse(400, "invalid_request", "Do not send the token in the query.")
    found = _presented_tokens()
    if len(found) > 1:
        return _refuse(400, "invalid_request", "The token was sent more than once.")
    if not found:
        return _refuse(401, None, "")
    work = current.work()
    row = tokens.find_active_access_token(work, ring(), found[0])
    if row is None or row.grant.account is None:
        return _refuse(401, "invalid_token", "The access token is invalid or has expired.")
    if "openid" not in row.scopes:
        return _refuse(403, "insufficient_scope", "The scope openid is required.")
    claims = tokens.claims_for(work, row.grant, tuple(row.scopes), "userinfo")
    response = jsonify(claims)
    response.headers.update(dict(NO_STORE))
    return response


def _presented_tokens() -> list[str]:
    """Every token that the request carries."""
    found = []
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        found.append(value.strip())
    if request.method == "POST" and request.mimetype == parameters.FORM:
        found += filter(None, request.form.getlist("access_token"))
    return found


def _refuse(status: int, code: str | None, description: str) -> Response:
    """RFC 6750 section 3. The answer to a request without a token has no error code."""
    challenge = f'Bearer realm="{current.runtime().settings.issuer}"'
    body = {}
    if code:
        body = {"error": code, "error_description": description}
        challenge += f', error="{code}", error_description="{description}"'
    response = jsonify(body)
    response.status_code = status
    response.headers.update(dict(NO_STORE))
    response.headers["WWW-Authenticate"] = challenge
    return response
