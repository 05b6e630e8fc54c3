"""Authlib's authorization server with our client authentication and our token pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from idp.audit import events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.clients import registry
from idp.machines.machine_authentication import MachineAuthenticator
from idp.models import AuthMethod
from idp.models.records import ClientRecord
from idp.oidc.client_auth import ClientAuthenticationError, ClientAuthenticator
from idp.oidc.grants import pipeline
from idp.oidc.grants.device_code import STILL_WAITING
from idp.oidc.grants.pipeline import GrantType
from idp.oidc.jwks import KeyRing
from idp.oidc.sender_constraint import NonceNeededError
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.credentials.certificates import ClientCertificate

#: Steps of the protocol, after which the client repeats its request.
NO_REFUSALS = (*STILL_WAITING, NonceNeededError)
NO_STORE = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Pragma", "no-cache"),
]


class ProtocolRequest(OAuth2Request):
    """A parsed request and the unit of work that handles it. Every parameter has one value."""

    def __init__(
        self, work: UnitOfWork, path: str, params: dict[str, str], headers: Mapping[str, str]
    ) -> None:
        # Not Authlib's, which checks for each request that the address is secure (``Settings`` is
        # checked once) and prepares what its own grants and client authentication use.
        self.method = "POST"
        # The configured address: the Host header of a request must not decide anything.
        self.uri = work.settings.issuer + path
        self.headers = headers
        #: The client (``ClientRecord``), once it is authenticated.
        self.client: Any = None
        self.work = work
        self.path = path
        self.params = params
        #: Method, client id and credential, once ``presented_credentials`` has read them.
        self.presented: tuple[AuthMethod, str, str] | None = None
        #: What the client presented to the proxy (RFC 8705).
        self.certificate: ClientCertificate | None = None
        #: The nonce that the answer gives for the next DPoP proof.
        self.next_nonce: str | None = None

    @cached_property
    def payload(self) -> BasicOAuth2Payload:
        return BasicOAuth2Payload(self.params)

    @property
    def form(self) -> dict[str, str]:
        return self.params


Answer = tuple[int, str, list[tuple[str, str]]]


class GatewayServer(AuthorizationServer):
    """Authlib's authorization server. A refusal is an answer, so its transaction commits."""

    def __init__(self, ring: KeyRing, machine_authenticator: MachineAuthenticator) -> None:
        super().__init__()
        self.ring = ring
        self.machine_authenticator = machine_authenticator
        self.grant_types: dict[str, GrantType] = {}
        self._authenticator = ClientAuthenticator()

    def create_oauth2_request(self, request: ProtocolRequest) -> ProtocolRequest:
        return request

    def authenticate_client(
        self, request: ProtocolRequest, _methods: Any = None, endpoint: str = "token"
    ) -> ClientRecord:
        """The client, by its registered method. This replaces Authlib's registry of methods."""
        client = self._authenticator.authenticate(request.work, request, endpoint)
        request.client = client
        return client

    def register_grant(self, grant_type: GrantType, _extensions: Any = None) -> None:
        """Add a grant type. Raises TypeError for anything but a ``GrantType``, such as a grant
        class of Authlib, because it would bring phases of its own."""
        if type(grant_type) is not GrantType:
            raise TypeError("a grant type is a GrantType: the phases are those of the pipeline")
        self.grant_types[grant_type.name] = grant_type

    def create_token_response(self, request: ProtocolRequest) -> Answer:
        try:
            body = pipeline.respond(self, self._grant_type(request), request)
        except OAuth2Error as error:
            return self.handle_error_response(request, error)
        return self.handle_response(200, body, [])

    def _grant_type(self, request: ProtocolRequest) -> GrantType:
        name = request.params.get("grant_type")
        if not name:
            raise InvalidRequestError("Missing parameter: grant_type.")
        if name not in self.grant_types:
            # Authlib's error would repeat the name, which may hold characters that RFC 6749
            # section 5.2 does not allow.
            text = "This grant type is not supported."
            raise OAuth2Error(text, error=UnsupportedGrantTypeError.error)
        return self.grant_types[name]

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nothing uses Authlib's signals: audit events are rows of the transaction."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        text = json.dumps(body) if isinstance(body, dict) else body
        merged = dict(headers) | dict(NO_STORE)
        return status, text, list(merged.items())

    def handle_error_response(self, request: ProtocolRequest, error: OAuth2Error) -> Answer:
        """Record the refusal and answer in the protocol's format. A client that has to
        wait or to repeat its request is refused nothing."""
        if not (isinstance(error, NO_REFUSALS) or _record_client_refusal(request.work, error)):
            client = request.client
            events.record(
                request.work,
                AuditAction.TOKEN_REFUSED,
                reason=ProtocolCode(error.error),
                client=client,
                # A public client proves nothing: everybody may know its id.
                proved=client is not None and client.auth_method != AuthMethod.NONE,
                grant_type=(request.params.get("grant_type") or "")[:60],
                detail=error.description or "",
            )
        answer: Answer = super().handle_error_response(request, error)
        return answer


def _record_client_refusal(work: UnitOfWork, error: OAuth2Error) -> bool:
    """Record the failed authentication of an existing client. False for any other error."""
    named = error.name if isinstance(error, ClientAuthenticationError) else ""
    client = registry.find_record(work, named) if named else None
    if client is None or not isinstance(error, ClientAuthenticationError):
        return False
    events.record(
        work,
        AuditAction.CLIENT_REFUSED,
        reason=ProtocolCode(error.check or ""),
        client=client,
        proved=False,
        sent=str(error.sent),
        registered=str(client.auth_method),
    )
    return True
