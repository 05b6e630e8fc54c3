"""Signed JWTs in their compact form (RFC 7515 section 7.1, RFC 7519).

joserfc finds the algorithm, checks header and key, and encodes the header for each token, which
costs as much as an ES256 signature itself. Here that is done once for each key and type of token.
It verifies, and a test compares what is signed here with what it signs.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import Key

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
#: Bytes of each of the two numbers of an ES256 signature (RFC 7518 section 3.4).
_P256 = 32


class TokenSigner:
    """A private key that signs by one algorithm."""

    def __init__(self, alg: str, key: Key) -> None:
        self._sign = _SIGN[alg](key.get_op_key("sign"))
        self._alg, self.kid = alg, key.kid
        self._headers: dict[str, bytes] = {}

    def sign(self, typ: str, claims: dict[str, Any]) -> str:
        """A JWT with the header ``typ``."""
        header = self._headers.get(typ)
        if header is None:
            named = {"typ": typ, "alg": self._alg, "kid": self.kid}
            header = self._headers[typ] = _base64(_ENCODE(named).encode())
        signed = b"%b.%b" % (header, _base64(_ENCODE(claims).encode()))
        return (b"%b.%b" % (signed, _base64(self._sign(signed)))).decode("ascii")


def _base64(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")


def _es256(key: Any) -> Callable[[bytes], bytes]:
    method = ECDSA(SHA256())

    def sign(value: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(value, method))
        return r.to_bytes(_P256, "big") + s.to_bytes(_P256, "big")

    return sign


def _rs256(key: Any) -> Callable[[bytes], bytes]:
    padding, digest = PKCS1v15(), SHA256()
    return lambda value: bytes(key.sign(value, padding, digest))


#: How the keys of ``registered_values.SIGNING_ALGS`` sign.
_SIGN = {"ES256": _es256, "RS256": _rs256}
