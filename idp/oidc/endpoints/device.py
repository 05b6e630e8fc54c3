"""Device authorization (RFC 8628): a device or program without a browser of its own asks for a code
that a person types into a browser elsewhere."""

from __future__ import annotations

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import TokenEndpoint
from authlib.oauth2.rfc6749.errors import UnauthorizedClientError
from flask import Blueprint, Response

from idp.grants import device_authorizations
from idp.oidc import tokens
from idp.oidc.endpoints.wiring import respond, server
from idp.oidc.grants.pipeline import InvalidTargetError
from idp.oidc.interaction import AuthorizationRequest
from idp.oidc.request_validation import RequestError, requested_scopes
from idp.oidc.server import ProtocolRequest
from idp.policy.scopes import DEVICE_CODE

#: The page for the code.
PAGE = "/device"


class DeviceAuthorizationEndpoint(TokenEndpoint):
    """Checks client, scope and resource as the authorization endpoint does, and gives two codes:
    one for the device, one for the person."""

    ENDPOINT_NAME = "device_authorization"

    def create_endpoint_response(
        self, request: ProtocolRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client, work = self.authenticate_endpoint_client(request), request.work
        if DEVICE_CODE not in client.grant_types:
            raise UnauthorizedClientError("This client is not authorized for this grant type.")
        if not tokens.is_valid_resource(work, client, request.params):
            raise InvalidTargetError("The resource is not allowed for this client.")
        try:
            scopes = requested_scopes(client, request.params)
        except RequestError as error:
            raise OAuth2Error(error.description, error=error.code) from error
        asked = AuthorizationRequest(redirect_uri="", scopes=scopes)
        issued = device_authorizations.issue(work, client, asked.to_json())
        page = work.settings.issuer + PAGE
        return (
            200,
            {
                "device_code": issued.device_code,
                "user_code": issued.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={issued.user_code}",
                "expires_in": device_authorizations.SECONDS,
                "interval": device_authorizations.POLL_SECONDS,
            },
            [],
        )


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/oauth2/v1/device_authorization",
        "device_authorization",
        device_authorization,
        methods=["POST"],
    )


def device_authorization() -> Response:
    """Store what the device asks for. 200 with its codes."""
    return respond(
        lambda incoming: server().create_endpoint_response("device_authorization", incoming)
    )
