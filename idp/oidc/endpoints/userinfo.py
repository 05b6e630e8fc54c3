"""Userinfo (OIDC Core 5.3) by GET or POST. The token is in the header or the form (RFC 6750), or
in the header with a proof (RFC 9449)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from idp import current
from idp.oidc import parameters, sender_constraint, tokens
from idp.oidc.endpoints.wiring import presented, ring
from idp.oidc.sender_constraint import BEARER, DPOP, NotProved, Presented
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
    work, sent = current.work(), found[0]
    row = tokens.find_active_access_token(work, ring(), sent.token)
    if row is None or row.grant.account is None:
        text = "The access token is invalid or has expired."
        return _refuse(401, "invalid_token", text, sent.scheme)
    try:
        headers = sender_constraint.check_holder(work, row, sent)
    except NotProved as error:
        refusal = _refuse(401, error.code, error.description, error.scheme)
        refusal.headers.update(error.headers)
        return refusal
    if "openid" not in row.scopes:
        text = "The scope openid is required."
        return _refuse(403, "insufficient_scope", text, sent.scheme)
    claims = tokens.claims_for(work, row.grant, tuple(row.scopes), "userinfo")
    response = jsonify(claims)
    response.headers.update(dict(NO_STORE) | headers)
    return response


def _presented_tokens() -> list[Presented]:
    """Every token that the request carries."""
    found = []
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in (BEARER, DPOP) and value.strip():
        found.append((scheme.lower(), value.strip()))
    if request.method == "POST" and request.mimetype == parameters.FORM:
        found += [(BEARER, token) for token in request.form.getlist("access_token") if token]
    return [presented(scheme, token) for scheme, token in found]


def _refuse(status: int, code: str | None, description: str, scheme: str = BEARER) -> Response:
    """RFC 6750 section 3. The answer to a request without a token has no error code, and names both
    schemes (RFC 9449 section 7.2)."""
    realm = current.runtime().settings.issuer
    body = {"error": code, "error_description": description} if code else {}
    response = jsonify(body)
    response.status_code = status
    response.headers.update(dict(NO_STORE))
    challenges = sender_constraint.challenges(scheme, code, description, realm)
    response.headers.setlist("WWW-Authenticate", challenges)
    return response
