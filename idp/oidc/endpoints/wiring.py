"""Shared by the endpoints: the server, parsing of requests, and responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from authlib.oauth2 import OAuth2Error
from flask import Response, current_app, jsonify
from werkzeug.datastructures import ImmutableMultiDict, MultiDict

from idp import current
from idp.oidc import parameters
from idp.oidc.jwks import KeyRing
from idp.oidc.sender_constraint import HEADER, Presented
from idp.oidc.server import NO_STORE, Answer, GatewayServer, ProtocolRequest

#: The headers that the protocol reads, and their names in the environment of WSGI.
_HEADERS = (("Authorization", "HTTP_AUTHORIZATION"), ("DPoP", "HTTP_DPOP"))
_NOTHING: MultiDict[str, str] = ImmutableMultiDict()


def server() -> GatewayServer:
    """The application's authorization server."""
    return cast(GatewayServer, current_app.extensions["oidc"])


def ring() -> KeyRing:
    """The application's signing keys."""
    return server().ring


def parsed() -> ProtocolRequest:
    """The parsed form of this request. Raises invalid_request (400 or 415)."""
    sent = current.asked()
    headers = {name: sent.environ[key] for name, key in _HEADERS if key in sent.environ}
    query = sent.args if sent.query_string else _NOTHING
    params = parameters.form(sent.mimetype, query, sent.form)
    incoming = ProtocolRequest(current.work(), sent.path, params, headers)
    incoming.certificate = current.client_certificate()
    return incoming


def presented(scheme: str, token: str) -> Presented:
    """An access token of this request, with what the request proves beside it."""
    asked = current.asked()
    return Presented(
        scheme=scheme,
        token=token,
        proof=asked.headers.get(HEADER),
        method=asked.method,
        path=asked.path,
        certificate=current.certificate_thumbprint(),
    )


def respond(act: Callable[[ProtocolRequest], Answer]) -> Response:
    """Parse the request and answer it. An error is answered in the protocol's format."""
    try:
        incoming = parsed()
        response = answer(*act(incoming))
    except OAuth2Error as error:
        return refusal(error)
    if incoming.next_nonce is not None:
        response.headers["DPoP-Nonce"] = incoming.next_nonce
    return response


def answer(status: int, body: str, headers: list[tuple[str, str]]) -> Response:
    """A Flask response. It always has ``no-store`` (RFC 6749 section 5.1)."""
    return Response(body, status=status, headers=headers)


def refusal(error: OAuth2Error) -> Response:
    """An error in the protocol's format, raised outside Authlib."""
    status, body, headers = error()
    response = jsonify(body)
    response.status_code = status
    response.headers.update(dict(headers))
    response.headers.update(dict(NO_STORE))
    return response
