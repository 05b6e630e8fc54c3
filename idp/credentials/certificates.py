"""Certificates that clients present to the proxy in front of the gateway (mutual TLS, RFC 8705)."""

from __future__ import annotations

import ipaddress
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp.policy.registered_values import TlsSubjectField

MAX_TEXT = 16_384


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate, whose key the client has proved to the proxy."""

    certificate: x509.Certificate
    #: The proxy has verified its chain.
    is_verified: bool

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the certificate, as in the claim ``x5t#S256`` (RFC 8705 section 3.1)."""
        return thumbprint(self.certificate)

    def is_valid_at(self, now: datetime) -> bool:
        """Whether its period includes this time."""
        first, last = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return first <= now <= last


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate in DER, base64url."""
    digest = sha256(certificate.public_bytes(Encoding.DER)).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def read(text: str, *, is_verified: bool) -> ClientCertificate | None:
    """The certificate in a header of a proxy: PEM, percent-encoded (nginx), DER in base64 (Caddy),
    or the same between colons (RFC 9440). None if it cannot be read."""
    try:
        if len(text) > MAX_TEXT:
            return None
        if "BEGIN" in text:
            found = x509.load_pem_x509_certificate(unquote(text).encode())
        else:
            found = x509.load_der_x509_certificate(b64decode(text.strip(":"), validate=True))
        return ClientCertificate(found, is_verified)
    except ValueError:
        return None


def is_subject_form(field: str, value: str) -> bool:
    """Whether the value can be that of the field."""
    try:
        return bool(value) and _wanted(field, value) is not None
    except ValueError:
        return False


def has_subject(certificate: x509.Certificate, field: str, value: str) -> bool:
    """Whether the field of the certificate has the value (RFC 8705 section 2.1.2). One of several
    alternative names is enough. Names of people, hosts and mail domains have no case."""
    try:
        return _wanted(field, value) in _found(certificate, field)
    except ValueError:
        return False


def _wanted(field: str, value: str) -> Any:
    """Raises ValueError."""
    if field == TlsSubjectField.SUBJECT_DN:
        return _comparable_name(x509.Name.from_rfc4514_string(value))
    return _COMPARABLE[TlsSubjectField(field)](value)


def _found(certificate: x509.Certificate, field: str) -> list[Any]:
    """Raises ValueError."""
    if field == TlsSubjectField.SUBJECT_DN:
        return [_comparable_name(certificate.subject)]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    chosen = TlsSubjectField(field)
    values: list[Any] = names.get_values_for_type(_TYPES[chosen])
    return [_COMPARABLE[chosen](str(value)) for value in values]


def _comparable_name(name: x509.Name) -> tuple[frozenset[tuple[str, str]], ...]:
    """As ``distinguishedNameMatch`` compares (RFC 4517 section 4.2.15)."""
    return tuple(
        frozenset(
            (part.oid.dotted_string, " ".join(str(part.value).split()).casefold()) for part in rdn
        )
        for rdn in name.rdns
    )


def _comparable_mail(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.casefold()}"


_COMPARABLE: dict[TlsSubjectField, Callable[[str], Any]] = {
    TlsSubjectField.SAN_DNS: str.casefold,
    TlsSubjectField.SAN_URI: str,
    TlsSubjectField.SAN_IP: ipaddress.ip_address,
    TlsSubjectField.SAN_EMAIL: _comparable_mail,
}
_TYPES: dict[TlsSubjectField, Any] = {
    TlsSubjectField.SAN_DNS: x509.DNSName,
    TlsSubjectField.SAN_URI: x509.UniformResourceIdentifier,
    TlsSubjectField.SAN_IP: x509.IPAddress,
    TlsSubjectField.SAN_EMAIL: x509.RFC822Name,
}
