"""Client authentication (RFC 6749 section 2.3) by exactly one method, the registered one.

It replaces Authlib's, which accepts several methods in one request and answers differently for an
unknown client. Here every failure has the same answer and costs the same digest.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote_plus

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from idp.clients import client_keys, client_secrets, registry
from idp.credentials import assertions
from idp.credentials.credential_refusals import AssertionCheck
from idp.models import AuthMethod
from idp.models.records import ClientRecord
from idp.policy.registered_values import CERTIFICATE, KEY_METHODS, SIGNING_METHODS, TLS_METHODS
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.credentials.certificates import ClientCertificate
    from idp.oidc.server import ProtocolRequest

FAILED = "Client authentication failed."
REALM = "IESO Gateway"
MAX_CREDENTIAL = 1000
TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path
FOR_PUBLIC_CLIENTS = ("token", "revocation", "pushed_authorization", "device_authorization")


class ClientCheck(StrEnum):
    """Which check of a client failed; those of assertions are ``AssertionCheck``."""

    UNKNOWN_CLIENT = "unknown_client"
    CLIENT_DISABLED = "client_disabled"
    METHOD_NOT_REGISTERED = "method_not_registered"
    #: The endpoint is for confidential clients.
    PUBLIC_CLIENT = "public_client"
    SECRET = "secret"  # noqa: S105 - a name
    #: The proxy did not verify the chain of the certificate.
    CERTIFICATE_NOT_VERIFIED = "certificate_not_verified"
    #: The certificate is not valid yet, or not any more.
    CERTIFICATE_TIME = "certificate_time"
    #: The certificate names somebody else, or is none of the registered ones.
    CERTIFICATE_SUBJECT = "certificate_subject"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    MORE_THAN_ONE_METHOD = "more_than_one_method"
    MORE_THAN_ONE_CLIENT = "more_than_one_client"


SEVERAL = {
    ClientCheck.MORE_THAN_ONE_METHOD: "More than one client authentication method was used.",
    ClientCheck.MORE_THAN_ONE_CLIENT: "More than one client was named.",
}


FailedCheck = ClientCheck | AssertionCheck


class ClientAuthenticationError(OAuth2Error):
    """A failed client authentication. The audit trail also gets the failed check, the named client
    and the method of the request. The caller does not."""

    check: FailedCheck | None = None
    name, sent = "", ""

    def with_detail(self, *, check: FailedCheck | None, name: str, sent: str) -> Self:
        """This error with the detail for the audit trail."""
        self.check, self.name, self.sent = check, name, sent
        return self


class ClientRefused(ClientAuthenticationError, InvalidClientError):
    """The same answer to every failure. The challenge names a realm (RFC 7617 section 2)."""

    def __init__(self) -> None:
        super().__init__(status_code=401, description=FAILED)

    def get_headers(self) -> list[tuple[str, str]]:
        kept = [pair for pair in super().get_headers() if pair[0] != "WWW-Authenticate"]
        return [*kept, ("WWW-Authenticate", f'Basic realm="{REALM}"')]


class SeveralCredentials(ClientAuthenticationError, InvalidRequestError):
    """A request with more than one method or more than one client (RFC 6749 section 2.3)."""


class ClientAuthenticator:
    """Authenticates the client that sends a request."""

    def authenticate(
        self, work: UnitOfWork, request: ProtocolRequest, endpoint: str
    ) -> ClientRecord:
        """The authenticated client. Public clients may use ``FOR_PUBLIC_CLIENTS`` only.
        Raises invalid_request for more than one method, and invalid_client (401) for everything
        else."""
        method, name, credential = presented_credentials(request)
        client = registry.find_record(work, name) if name else None
        certificate = request.certificate
        if client and method == AuthMethod.NONE and client.auth_method in TLS_METHODS:
            # A request does not show that its certificate is meant as authentication.
            method = client.auth_method if certificate is not None else method
        alg = client.id_token_encryption_alg if client and endpoint == "token" else ""
        if client and (alg or method in KEY_METHODS) and client.allows_auth_method(method):
            # A pushed request may have a request object too (``request_object.unwrap``).
            names = client_keys.of_tokens((credential, request.params.get("request", "")))
            if method == AuthMethod.SELF_SIGNED_TLS and certificate is not None:
                names.append(certificate.thumbprint)
            client_keys.prepare(work, client, names, alg)
        # First, because an unknown client must take as long as a known one.
        if client and certificate is not None and method in TLS_METHODS:
            fault = _failed_certificate_check(work, client, certificate)
        else:
            fault = _failed_check(work, client, method, name, credential)
        if client is None:
            fault = ClientCheck.UNKNOWN_CLIENT
        elif client.disabled_at is not None:
            fault = ClientCheck.CLIENT_DISABLED
        elif not client.allows_auth_method(method):
            fault = ClientCheck.METHOD_NOT_REGISTERED
        elif method == AuthMethod.NONE:
            fault = None if endpoint in FOR_PUBLIC_CLIENTS else ClientCheck.PUBLIC_CLIENT
        if fault or client is None:
            # The client may have changed: only what the database says now is counted as a failure.
            work.kept()
            raise ClientRefused().with_detail(check=fault, name=name, sent=method)
        return client


def _failed_certificate_check(
    work: UnitOfWork, client: ClientRecord, presented: ClientCertificate
) -> FailedCheck | None:
    """The check of the certificate that fails, if any (RFC 8705 section 2)."""
    from idp.credentials import certificates

    if not presented.is_valid_at(work.now):
        return ClientCheck.CERTIFICATE_TIME
    if client.auth_method == AuthMethod.TLS:
        if not presented.is_verified:
            return ClientCheck.CERTIFICATE_NOT_VERIFIED
        field, value = client.tls_subject_field, client.tls_subject
        is_named = certificates.has_subject(presented.certificate, field, value)
        return None if is_named else ClientCheck.CERTIFICATE_SUBJECT
    keys = client_keys.of(work, client)
    if client.jwks_uri and not keys:
        return AssertionCheck.KEYS_UNAVAILABLE
    known = [key.get(CERTIFICATE) for key in keys]
    return None if presented.thumbprint in known else ClientCheck.CERTIFICATE_UNKNOWN


def _failed_check(
    work: UnitOfWork, client: ClientRecord | None, method: AuthMethod, name: str, credential: str
) -> FailedCheck | None:
    """The check of the secret or the assertion that fails, if any."""
    if method in SIGNING_METHODS:
        return _failed_assertion_check(work, client, method, name, credential)
    return None if client_secrets.matches(work, client, credential) else ClientCheck.SECRET


def _failed_assertion_check(
    work: UnitOfWork, client: ClientRecord | None, method: AuthMethod, name: str, assertion: str
) -> AssertionCheck | None:
    is_old_audience_allowed = client is not None and client.token_endpoint_audience
    audiences = (f"{work.settings.issuer}{TOKEN_PATH}",) if is_old_audience_allowed else ()
    try:
        if method == AuthMethod.SECRET_JWT:
            secrets = client_secrets.readable(work, client) if client is not None else ()
            assertions.verify_with_secrets(work, assertion, name, secrets, audiences=audiences)
            return None
        keys = client_keys.of(work, client) if client is not None else ()
        if client is not None and client.jwks_uri and not keys:
            return AssertionCheck.KEYS_UNAVAILABLE
        algorithms = client_keys.algorithms(client) if client is not None else ()
        assertions.verify(work, assertion, name, keys, audiences=audiences, algorithms=algorithms)
    except assertions.BadAssertion as error:
        return error.check
    return None


def presented_credentials(request: ProtocolRequest) -> tuple[AuthMethod, str, str]:
    """The method, the client id, and the secret or assertion of a request, read once. Raises
    invalid_request for more than one method or client."""
    if request.presented is None:
        request.presented = _read_credentials(request)
    return request.presented


def _read_credentials(request: ProtocolRequest) -> tuple[AuthMethod, str, str]:
    params = request.params
    header = request.headers.get("Authorization", "")
    if "client_assertion" in params or "client_assertion_type" in params:
        return _presented_assertion(params, is_alone=not header and "client_secret" not in params)
    if not header:
        method = AuthMethod.POST if "client_secret" in params else AuthMethod.NONE
        return method, params.get("client_id", ""), params.get("client_secret", "")
    if "client_secret" in params:
        raise _several(
            ClientCheck.MORE_THAN_ONE_METHOD, params.get("client_id", ""), AuthMethod.BASIC
        )
    client_id, secret = _presented_basic(header)
    if params.get("client_id", client_id) != client_id:
        raise _several(ClientCheck.MORE_THAN_ONE_CLIENT, client_id, AuthMethod.BASIC)
    return AuthMethod.BASIC, client_id, secret


def _presented_assertion(params: dict[str, str], *, is_alone: bool) -> tuple[AuthMethod, str, str]:
    """An assertion and its type. A client id is optional and must match (RFC 7521 section 4.2)."""
    assertion = params.get("client_assertion", "")
    name = assertions.unverified_subject(assertion)[:MAX_CREDENTIAL]
    is_by_secret = assertions.unverified_algorithm(assertion) == assertions.SECRET_ALGORITHM
    method = AuthMethod.SECRET_JWT if is_by_secret else AuthMethod.KEY
    if not is_alone:
        raise _several(ClientCheck.MORE_THAN_ONE_METHOD, name, method)
    is_type = params.get("client_assertion_type") == assertions.ASSERTION_TYPE
    if not is_type or not name:
        check = AssertionCheck.SUB if is_type else AssertionCheck.TYPE
        named = name or params.get("client_id", "")
        raise ClientRefused().with_detail(check=check, name=named, sent=method)
    if params.get("client_id", name) != name:
        raise _several(ClientCheck.MORE_THAN_ONE_CLIENT, name, method)
    return method, name, assertion


def _several(check: ClientCheck, name: str, sent: AuthMethod) -> SeveralCredentials:
    error = SeveralCredentials(SEVERAL[check])
    return error.with_detail(check=check, name=name, sent=sent)


def _presented_basic(header: str) -> tuple[str, str]:
    """Form-urlencoded, then base64-encoded (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL:
        raise ClientRefused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError as error:
        raise ClientRefused() from error
    client_id, _, secret = text.partition(":")
    name = unquote_plus(client_id)[:MAX_CREDENTIAL]
    if not secret:
        raise ClientRefused().with_detail(
            check=ClientCheck.SECRET, name=name, sent=AuthMethod.BASIC
        )
    return name, unquote_plus(secret)
