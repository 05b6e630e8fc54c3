"""Certificates of the clients that authenticate by mutual TLS (RFC 8705) in the conformance suite.

One client has a certificate of an authority of the demo, the other one that signs itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey

DAYS = 3650
_AUTHORITY = "CN=Conformance authority"


@dataclass(frozen=True)
class Issuer:
    """Who signs a certificate."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey


def authority() -> dict[str, str]:
    """The key and the certificate (PEM) of a new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(_AUTHORITY)
    made = _builder(name, name, key.public_key())
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return {"key": _key_pem(key), "certificate": _pem(made.sign(key, SHA256()))}


def certificate(jwk: dict[str, Any], host: str, signer: dict[str, str] | None = None) -> str:
    """A certificate (PEM) for a client's private key, with a host as its name, signed by an
    authority or by itself."""
    key = _private_key(key_pem(jwk))
    name = x509.Name.from_rfc4514_string(f"CN={host}")
    issuer = Issuer(name, key)
    if signer:
        signed_by = x509.load_pem_x509_certificate(signer["certificate"].encode())
        issuer = Issuer(signed_by.subject, _private_key(signer["key"]))
    made = _builder(name, issuer.name, key.public_key())
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    return _pem(made.add_extension(names, critical=False).sign(issuer.key, SHA256()))


def key_pem(jwk: dict[str, Any]) -> str:
    """The private key of a JWK as PEM (PKCS #8)."""
    return ECKey.import_key(jwk).as_pem(private=True).decode()


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    first = datetime.now(UTC) - timedelta(days=1)
    built = x509.CertificateBuilder(issuer, name, key, x509.random_serial_number())
    return built.not_valid_before(first).not_valid_after(first + timedelta(days=DAYS))


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(type(key))
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _pem(made: x509.Certificate) -> str:
    return made.public_bytes(Encoding.PEM).decode()
