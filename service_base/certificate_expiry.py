"""When the certificate of a server runs out, as its clients see it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from service_base.metrics import Reading

#: Seconds until the certificate is asked for again: after an answer, and after none.
AGAIN, AGAIN_AFTER_FAILURE = 3600.0, 300.0
TIMEOUT = 3.0


def fetch(host: str, port: int) -> float:
    """The end of the validity, in seconds since 1970. Raises OSError if there is no answer."""
    from cryptography import x509

    # Nothing is sent over this connection. A certificate that has run out is read, too.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), TIMEOUT) as connection,
        context.wrap_socket(connection, server_hostname=host) as wrapped,
    ):
        found = wrapped.getpeercert(binary_form=True)
    if found is None:
        raise OSError("no certificate")
    return x509.load_der_x509_certificate(found).not_valid_after_utc.timestamp()


@dataclass
class CertificateExpiry:
    """The certificate of the server behind ``url``, asked for once an hour."""

    url: str
    fetch: Callable[[str, int], float] = fetch
    now: Callable[[], float] = time.monotonic
    _known: float | None = field(init=False, default=None)
    _until: float = field(init=False, default=float("-inf"))

    def read(self) -> Iterator[Reading]:
        """The end of its validity; nothing for plain http. Raises OSError if the server does not
        answer."""
        parts = urlsplit(self.url)
        if parts.scheme != "https":
            return
        if self.now() >= self._until:
            self._known, self._until = None, self.now() + AGAIN_AFTER_FAILURE
            self._known = self.fetch(parts.hostname or "", parts.port or 443)
            self._until = self.now() + AGAIN
        if self._known is None:
            raise OSError("no answer")
        yield Reading.of(
            "certificate_expiry_timestamp_seconds",
            "When the TLS certificate of the public address runs out",
            self._known,
        )
