"""What the endpoints share: the server, parsing, answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from authlib.oauth2 import OAuth2Error
from flask import Response, current_app, jsonify, request

from idp import current
from idp.oidc import parameters
from idp.oidc.jwks import KeyRing
from idp.oidc.server import NO_STORE, Answer, GatewayServer, ProtocolRequest


def server() -> GatewayServer:
    """The authorization server of this application."""
    return cast(GatewayServer, current_app.extensions["oidc"])


def ring() -> KeyRing:
    """The keys of this application."""
    return server().ring


def parsed() -> ProtocolRequest:
    """The form of this request, one value a parameter. Raises invalid_request (400 or 415)."""
    headers = {}
    if authorization := request.headers.get("Authorization"):
        headers["Authorization"] = authorization
    params = parameters.form(request.mimetype, request.args, request.form)
    return ProtocolRequest(current.work(), request.path, params, headers)


def respond(act: Callable[[ProtocolRequest], Answer]) -> Response:
    """Parse, act, answer; a refusal in the protocol's form."""
    try:
        return answer(*act(parsed()))
    except OAuth2Error as error:
        return refusal(error)


def answer(status: int, body: str, headers: list[tuple[str, str]]) -> Response:
    """A Flask response; ``no-store`` always (RFC 6749 section 5.1)."""
    return Response(body, status=status, headers=headers)


def refusal(error: OAuth2Error) -> Response:
    """An error in the protocol's form, outside Authlib's own dispatch."""
    status, body, headers = error()
    response = jsonify(body)
    response.status_code = status
    response.headers.update(dict(headers))
    response.headers.update(dict(NO_STORE))
    return response
