"""Userinfo (OIDC Core 5.3) by GET or POST. The token is in the header or the form (RFC 6750), or
in the header with a proof (RFC 9449)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from hosted_pages.form_requests import FORM
from idp import current
from idp.clients import client_keys
from idp.models.records import AccessTokenRecord, AnyClient
from idp.oidc import (
    encrypted_tokens,
    protected_resources,
    sender_constraint,
    tokens,
    userinfo_token,
)
from idp.oidc.endpoints.wiring import presented, ring
from idp.oidc.sender_constraint import BEARER, DPOP, Challenge, NotProved, Presented
from idp.oidc.server import NO_STORE
from idp.policy.scopes import satisfies

NO_SCOPE = "insufficient_scope"
INVALID = "The access token is invalid or has expired."
LOW_LEVEL = "insufficient_user_authentication"


def register(pages: Blueprint) -> None:
    path = protected_resources.USERINFO.path
    pages.add_url_rule(path, "userinfo", userinfo, methods=["GET", "POST"])


def userinfo() -> Response:
    """The claims of the person, as they are now."""
    if any(request.args.getlist("access_token")):
        return _refuse(400, _invalid_request("Do not send the token in the query."))
    found = _presented_tokens()
    if len(found) > 1:
        return _refuse(400, _invalid_request("The token was sent more than once."))
    if not found:
        return _refuse(401, Challenge())
    work, sent = current.work(), found[0]
    row = tokens.find_active_access_token(work, ring(), sent.token)
    if row is None or row.grant.account is None:
        return _refuse(401, _challenge(sent.scheme, "invalid_token", INVALID))
    if alg := row.grant.client.userinfo_encryption_alg:
        # Before anything is written. The token may have ended while the keys were fetched.
        client_keys.prepare(work, row.grant.client, (), alg)
        row = tokens.find_active_access_token(work, ring(), sent.token)
        if row is None or row.grant.account is None:
            return _refuse(401, _challenge(sent.scheme, "invalid_token", INVALID))
    try:
        headers = sender_constraint.check_holder(work, row, sent)
    except NotProved as error:
        refusal = _refuse(401, _challenge(error.scheme, error.code, error.description))
        refusal.headers.update(error.headers)
        return refusal
    if challenge := _missing(row, sent.scheme):
        refusal = _refuse(403 if challenge.code == NO_SCOPE else 401, challenge)
        refusal.headers.update(headers)
        return refusal
    claims = tokens.claims_for(work, row.grant, tuple(row.scopes), "userinfo")
    try:
        return _answer(row.grant.client, claims, headers)
    except encrypted_tokens.NoEncryptionKey:
        text = encrypted_tokens.NO_KEY
        refusal = _refuse(400, _challenge(sent.scheme, "invalid_request", text))
        refusal.headers.update(headers)
        return refusal


def _answer(client: AnyClient, claims: dict[str, Any], headers: dict[str, str]) -> Response:
    """The claims as JSON, or signed, or signed and encrypted, as the client registered it (OIDC
    Core 5.3.2). Raises NoEncryptionKey."""
    fields = dict(NO_STORE) | headers
    if not client.userinfo_alg:
        return Response(json.dumps(claims), headers=fields)
    signed = userinfo_token.sign(current.work(), ring(), client, claims)
    return Response(signed, headers=fields | {"Content-Type": userinfo_token.MEDIA_TYPE})


def _missing(row: AccessTokenRecord, scheme: str) -> Challenge | None:
    """What an active token lacks here, if anything."""
    if "openid" not in row.scopes:
        return _challenge(scheme, NO_SCOPE, "The scope openid is required.")
    level = row.grant.client.minimum_acr
    if level is None or satisfies(row.grant.acr, level):
        return None
    # The client has had this level since it got the token (RFC 9470 section 3).
    text = "The application needs a higher authentication level."
    return replace(_challenge(scheme, LOW_LEVEL, text), acr_values=level)


def _presented_tokens() -> list[Presented]:
    """Every token that the request carries."""
    found = []
    asked = current.asked()
    scheme, _, value = asked.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() in (BEARER, DPOP) and value.strip():
        found.append((scheme.lower(), value.strip()))
    if asked.method == "POST" and asked.mimetype == FORM:
        found += [(BEARER, token) for token in asked.form.getlist("access_token") if token]
    return [presented(scheme, token) for scheme, token in found]


def _invalid_request(description: str) -> Challenge:
    return _challenge(BEARER, "invalid_request", description)


def _challenge(scheme: str, code: str, description: str) -> Challenge:
    return Challenge(scheme=scheme, code=code, description=description)


def _refuse(status: int, challenge: Challenge) -> Response:
    """RFC 6750 section 3. The answer to a request without a token has no error code, and names both
    schemes (RFC 9449 section 7.2)."""
    settings = current.runtime().settings
    code, description = challenge.code, challenge.description
    response = jsonify({"error": code, "error_description": description} if code else {})
    response.status_code = status
    response.headers.update(dict(NO_STORE))
    where = protected_resources.USERINFO.metadata_url(settings)
    headers = sender_constraint.headers_of(challenge, settings.issuer, where)
    response.headers.setlist("WWW-Authenticate", headers)
    return response
