"""Pushed authorization requests (RFC 9126): the client sends the request itself, authenticated, and
gives the browser a reference to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import TokenEndpoint
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from flask import Blueprint, Response

from idp.oidc import request_object, sender_constraint
from idp.oidc.endpoints.wiring import respond, server
from idp.oidc.request_validation import NotRedirectable, RequestError, trusted_target, validate
from idp.oidc.server import ProtocolRequest
from idp.session import pushed_requests


class PushedAuthorization(TokenEndpoint):
    """Validates the request as the authorization endpoint does, and answers with an error instead
    of a redirect."""

    ENDPOINT_NAME = "pushed_authorization"

    def create_endpoint_response(
        self, request: ProtocolRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        if "request_uri" in request.params:
            # Section 2.1.
            raise InvalidRequestError("A pushed request must not have a request_uri.")
        proved = sender_constraint.prove(request, client)
        params = request.params | {"client_id": client.client_id}
        params, fault = request_object.unwrap(request.work, params)
        try:
            if fault is not None:
                raise fault
            row, uri = trusted_target(request.work, params, set())
            asked = validate(request.work, self.server.ring, row, uri, params, set())
        except NotRedirectable as error:
            raise InvalidRequestError(
                "The redirect_uri is not registered for this client, or it may not use codes."
            ) from error
        except RequestError as error:
            raise OAuth2Error(error.description, error=error.code) from error
        if proved is not None:
            # RFC 9449 section 10.1: as if the client had sent ``dpop_jkt``.
            if asked.dpop_jkt not in (None, proved):
                raise InvalidRequestError("The dpop_jkt is not that of the key of the DPoP proof.")
            asked = replace(asked, dpop_jkt=proved)
        reference = pushed_requests.store(request.work, row, asked.to_json())
        return 201, {"request_uri": reference, "expires_in": pushed_requests.SECONDS}, []


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/par", "par", par, methods=["POST"])


def par() -> Response:
    """Store a request. 201 with its ``request_uri``."""
    return respond(
        lambda incoming: server().create_endpoint_response("pushed_authorization", incoming)
    )
