"""Certificates of clients, as a proxy in front of the gateway sends them."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HEADER, VERIFIED = "X-Client-Certificate", "X-Client-Verified"
#: When tests are.
NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Certificate:
    """A certificate that signs itself."""

    subject: str = "CN=emi,O=Example Inc.,C=CA"
    names: list[x509.GeneralName] = field(default_factory=list)
    first: datetime = NOW - DAY
    last: datetime = NOW + DAY
    key: Any = field(default_factory=new_key)

    def __post_init__(self) -> None:
        name = x509.Name.from_rfc4514_string(self.subject)
        built = x509.CertificateBuilder(
            name, name, self.key.public_key(), x509.random_serial_number()
        )
        built = built.not_valid_before(self.first).not_valid_after(self.last)
        if self.names:
            built = built.add_extension(x509.SubjectAlternativeName(self.names), critical=False)
        self.made = built.sign(self.key, SHA256())

    @property
    def pem(self) -> str:
        return self.made.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return str(self.key.private_bytes(*form).decode())

    @property
    def der(self) -> str:
        """In base64."""
        return b64encode(self.made.public_bytes(Encoding.DER)).decode()

    def headers(self, *, verified: str = "SUCCESS") -> dict[str, str]:
        """As nginx sends it."""
        return {HEADER: quote(self.pem, safe=""), VERIFIED: verified}


NAMES: list[x509.GeneralName] = [
    x509.DNSName("emi.example"),
    x509.DNSName("Second.example"),
    x509.UniformResourceIdentifier("https://emi.example/Client"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    x509.RFC822Name("Emi@Example.com"),
]
