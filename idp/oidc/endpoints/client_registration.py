"""Registration of clients by applications (RFC 7591, RFC 7592, OpenID Connect Dynamic Client
Registration 1.0)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.clients import client_metadata, initial_tokens, registrations
from idp.clients.registration_refusals import ManagedByOperators, TokenNotAccepted
from idp.clients.registrations import Registered
from idp.errors import Invalid
from idp.models import Client
from idp.oidc import parameters
from idp.oidc.parameters import NotAnObject, UnsupportedMediaType
from idp.oidc.server import NO_STORE

PATH = "/oauth2/v1/register"


def register(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "register_client", register_client, methods=["POST"])
    pages.add_url_rule(
        f"{PATH}/<client_id>", "registration", registration, methods=["GET", "PUT", "DELETE"]
    )


def register_client() -> Response:
    """Register a client, with an initial access token. 201 with all that is registered."""
    work = current.work()
    try:
        # First, so that nobody else has a body read.
        initial = initial_tokens.find_usable(work, _presented_token())
        made = registrations.register(work, initial, _metadata())
    except (TokenNotAccepted, Invalid, NotAnObject, UnsupportedMediaType) as refusal:
        return _refuse(refusal)
    return _answer(201, _information(made))


def registration(client_id: str) -> Response:
    """The client configuration endpoint (RFC 7592 section 2): read, replace, delete, with the
    registration access token. The token stays the same until the client is deleted."""
    work, client = current.work(), None
    try:
        token = _presented_token()
        row = registrations.find(work, client_id, token)
        client = row.client
        if request.method == "DELETE":
            registrations.delete(work, row)
            return _answer(204, None)
        secret = registrations.update(work, row, _metadata()) if request.method == "PUT" else ""
    except (
        TokenNotAccepted, ManagedByOperators, Invalid, NotAnObject, UnsupportedMediaType,
    ) as refusal:  # fmt: skip
        return _refuse(refusal, client)
    return _answer(200, _information(Registered(client, token, secret)))


def _presented_token() -> str:
    """The bearer token of the header (RFC 6750 section 2.1); empty if there is none."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _metadata() -> dict[str, Any]:
    """The JSON object of the body. Raises NotAnObject or UnsupportedMediaType."""
    return parameters.json_object(request.mimetype, request.get_data())


def _information(registered: Registered) -> dict[str, Any]:
    """The client information response (RFC 7591 section 3.2.1). The secret is in the answer that
    issues it, and in no other: the gateway has only its digest."""
    client = registered.client
    found: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "registration_access_token": registered.token,
        "registration_client_uri": f"{current.work().settings.issuer}{PATH}/{client.client_id}",
    }
    if client.has_secret:
        # It does not expire.
        found["client_secret_expires_at"] = 0
    if registered.secret:
        found["client_secret"] = registered.secret
    return found | client_metadata.describe(client)


def _answer(status: int, body: dict[str, Any] | None) -> Response:
    response = Response() if body is None else jsonify(body)
    response.status_code = status
    response.headers.update(dict(NO_STORE))
    return response


def _refuse(refusal: Exception, client: Client | None = None) -> Response:
    """An error (RFC 7591 section 3.2.2, RFC 6750 section 3), and its event."""
    status, code, text = _error(refusal)
    events.record(
        current.work(),
        AuditAction.CLIENT_REGISTRATION_REFUSED,
        reason=ProtocolCode(code),
        client=client,
        proved=client is not None,
        detail=text,
    )
    response = _answer(status, {"error": code, "error_description": text})
    if status == 401:
        realm = f'Bearer realm="{current.work().settings.issuer}"'
        is_sent = bool(_presented_token())
        response.headers["WWW-Authenticate"] = realm + (f', error="{code}"' if is_sent else "")
    return response


def _error(refusal: Exception) -> tuple[int, str, str]:
    """Status, error code, and description in ASCII."""
    if isinstance(refusal, UnsupportedMediaType):
        return 415, refusal.error, refusal.description
    if isinstance(refusal, NotAnObject):
        return 400, "invalid_client_metadata", "The body is not a JSON object with unique members."
    if isinstance(refusal, Invalid):
        text = refusal.detail.encode("ascii", "replace").decode()
        return 400, client_metadata.error_code(refusal), text
    if isinstance(refusal, ManagedByOperators):
        return 403, "access_denied", refusal.detail
    return 401, "invalid_token", str(refusal)
