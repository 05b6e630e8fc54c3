"""Client authentication (RFC 6749 section 2.3): exactly one method, the registered one.

Authlib's own accepts several at once and tells unknown clients apart; here every failure is the
same answer and costs the same digest.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote_plus

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from idp.clients import client_secrets, registry
from idp.credentials import assertions
from idp.models import AuthMethod, Client
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.oidc.server import ProtocolRequest

FAILED = "Client authentication failed."
REALM = "IESO Gateway"
MAX_CREDENTIAL = 1000
TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path
SEVERAL = {
    "method": "More than one client authentication method.",
    "client": "More than one client is named.",
}


class ClientFault(OAuth2Error):
    """What the trail is told of a failed authentication, and the caller never: which client was
    named, how it authenticated, and which check failed."""

    check, name, sent = "", "", ""

    def about(self, *, check: str, name: str, sent: str) -> Self:
        """This error with what it is about."""
        self.check, self.name, self.sent = check, name, sent
        return self


class ClientRefused(ClientFault, InvalidClientError):
    """The one answer to every failure; the challenge names a realm (RFC 7617 section 2)."""

    def __init__(self) -> None:
        super().__init__(status_code=401, description=FAILED)

    def get_headers(self) -> list[tuple[str, str]]:
        kept = [pair for pair in super().get_headers() if pair[0] != "WWW-Authenticate"]
        return [*kept, ("WWW-Authenticate", f'Basic realm="{REALM}"')]


class SeveralCredentials(ClientFault, InvalidRequestError):
    """More than one method, or more than one client, in a request (RFC 6749 section 2.3)."""


class ClientAuthenticator:
    """Finds out which client is calling."""

    def authenticate(self, work: UnitOfWork, request: ProtocolRequest, endpoint: str) -> Client:
        """The authenticated client. Raises invalid_request for more than one method,
        invalid_client (401) for everything else. Public clients pass at the token and
        revocation endpoints only."""
        method, name, proof = presented(request)
        client = registry.find(work, name) if name else None
        # The proof first: as much is done for whoever exists or not.
        fault = _unproved(work, client, method, name, proof)
        if client is None:
            fault = "unknown_client"
        elif client.disabled_at is not None:
            fault = "client_disabled"
        elif not client.accepts(method):
            fault = "method_not_registered"
        elif method == AuthMethod.NONE:
            fault = None if endpoint in ("token", "revocation") else "public_client"
        if fault or client is None:
            raise ClientRefused().about(check=fault or "", name=name, sent=method)
        return client


def _unproved(
    work: UnitOfWork, client: Client | None, method: AuthMethod, name: str, proof: str
) -> str | None:
    """Which check of secret or assertion fails, if one does."""
    if method != AuthMethod.KEY:
        return None if client_secrets.matches(work, client, proof) else "secret"
    has_switch = client is not None and client.token_endpoint_audience
    audiences = (f"{work.settings.issuer}{TOKEN_PATH}",) if has_switch else ()
    try:
        assertions.verify(work, proof, name, client.keys if client else [], audiences=audiences)
    except assertions.BadAssertion as error:
        return error.check
    return None


def presented(request: ProtocolRequest) -> tuple[AuthMethod, str, str]:
    """Method, id and secret (or assertion) that a request shows. Raises invalid_request for more
    than one."""
    params = request.params
    header = request.headers.get("Authorization", "")
    if "client_assertion" in params or "client_assertion_type" in params:
        return _asserted(params, is_alone=not header and "client_secret" not in params)
    if not header:
        method = AuthMethod.POST if "client_secret" in params else AuthMethod.NONE
        return method, params.get("client_id", ""), params.get("client_secret", "")
    if "client_secret" in params:
        raise _several("method", params.get("client_id", ""), AuthMethod.BASIC)
    client_id, secret = _basic(header)
    if params.get("client_id", client_id) != client_id:
        raise _several("client", client_id, AuthMethod.BASIC)
    return AuthMethod.BASIC, client_id, secret


def _asserted(params: dict[str, str], *, is_alone: bool) -> tuple[AuthMethod, str, str]:
    """RFC 7521 section 4.2: an assertion, its type, and perhaps the same client id."""
    assertion = params.get("client_assertion", "")
    name = assertions.claimed_name(assertion)[:MAX_CREDENTIAL]
    if not is_alone:
        raise _several("method", name, AuthMethod.KEY)
    fault = "" if params.get("client_assertion_type") == assertions.ASSERTION_TYPE else "type"
    if fault or not name:
        named = name or params.get("client_id", "")
        raise ClientRefused().about(check=fault or "sub", name=named, sent=AuthMethod.KEY)
    if params.get("client_id", name) != name:
        raise _several("client", name, AuthMethod.KEY)
    return AuthMethod.KEY, name, assertion


def _several(what: str, name: str, sent: AuthMethod) -> SeveralCredentials:
    error = SeveralCredentials(SEVERAL[what])
    return error.about(check=f"more_than_one_{what}", name=name, sent=sent)


def _basic(header: str) -> tuple[str, str]:
    """RFC 6749 section 2.3.1: form-urlencoded, then base64."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL:
        raise ClientRefused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise ClientRefused() from error
    client_id, _, secret = text.partition(":")
    name = unquote_plus(client_id)[:MAX_CREDENTIAL]
    if not secret:
        raise ClientRefused().about(check="secret", name=name, sent=AuthMethod.BASIC)
    return name, unquote_plus(secret)
