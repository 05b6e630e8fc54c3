"""Client authentication (RFC 6749 section 2.3): exactly one method, the registered one.

Authlib's own accepts several at once and tells unknown clients apart; here every failure is the
same answer and costs the same digest.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from idp.accounts import assertions, client_secrets, clients
from idp.models import AuthMethod, Client
from idp.transaction import Work

if TYPE_CHECKING:
    from idp.oidc.server import ProtocolRequest

FAILED = "Client authentication failed."
REALM = "IESO Gateway"
MAX_CREDENTIAL = 1000


class ClientRefused(InvalidClientError):
    """The one answer to every failure; the challenge names a realm (RFC 7617 section 2)."""

    def __init__(self) -> None:
        super().__init__(status_code=401, description=FAILED)

    def get_headers(self) -> list[tuple[str, str]]:
        kept = [pair for pair in super().get_headers() if pair[0] != "WWW-Authenticate"]
        return [*kept, ("WWW-Authenticate", f'Basic realm="{REALM}"')]


class ClientAuthenticator:
    """Finds out which client is calling."""

    def authenticate(self, work: Work, request: ProtocolRequest, endpoint: str) -> Client:
        """The authenticated client. Raises invalid_request for more than one method,
        invalid_client (401) for everything else. Public clients pass at the token and
        revocation endpoints only."""
        method, client_id, secret = presented(request)
        client = clients.find(work, client_id) if client_id else None
        if method == AuthMethod.KEY:
            keys = client.keys if client is not None else []
            matched = assertions.verify(work, secret, client_id, keys) is not None
        else:
            matched = client_secrets.matches(work, client, secret)
        if client is None or client.disabled_at is not None or client.auth_method != method:
            raise ClientRefused()
        if method == AuthMethod.NONE:
            if endpoint not in ("token", "revocation"):
                raise ClientRefused()
        elif not matched:
            raise ClientRefused()
        return client


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
        raise InvalidRequestError("More than one client authentication method.")
    client_id, secret = _basic(header)
    if params.get("client_id", client_id) != client_id:
        raise InvalidRequestError("More than one client is named.")
    return AuthMethod.BASIC, client_id, secret


def _asserted(params: dict[str, str], *, is_alone: bool) -> tuple[AuthMethod, str, str]:
    """RFC 7521 section 4.2: an assertion, its type, and perhaps the same client id."""
    if not is_alone:
        raise InvalidRequestError("More than one client authentication method.")
    if params.get("client_assertion_type") != assertions.ASSERTION_TYPE:
        raise ClientRefused()
    assertion = params.get("client_assertion", "")
    name = assertions.claimed_name(assertion)[:MAX_CREDENTIAL]
    if not name:
        raise ClientRefused()
    if params.get("client_id", name) != name:
        raise InvalidRequestError("More than one client is named.")
    return AuthMethod.KEY, name, assertion


def _basic(header: str) -> tuple[str, str]:
    """RFC 6749 section 2.3.1: form-urlencoded, then base64."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL:
        raise ClientRefused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise ClientRefused() from error
    client_id, colon, secret = text.partition(":")
    if not colon or not secret:
        raise ClientRefused()
    return unquote_plus(client_id)[:MAX_CREDENTIAL], unquote_plus(secret)
