"""Signed statements by which clients and machine accounts authenticate instead of sending a secret
(``private_key_jwt``: RFC 7523 section 3, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeGuard

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from idp.db import insert_if_missing
from idp.errors import Invalid
from idp.models import SpentChallenge
from idp.transaction import UnitOfWork

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "PS256", "RS256")
#: By kind of key.
_OF_KIND = {"EC": ("ES256",), "RSA": ("PS256", "RS256")}
MAX_ASSERTION = 8192
#: Anything else (jwk, jku, x5u, crit, b64) would let an assertion say how to check it (N44).
HEADER_MEMBERS = {"alg", "kid", "typ"}
MAX_JTI = 255
MIN_RSA_BITS = 2048
#: How long before its end an assertion may be made, and how much clocks may differ, in seconds.
LIFE, SKEW = 3600, 10
#: A key that signed nothing: for names without keys as much is done as for those with one.
_NOBODY = ECKey.generate_key("P-256", private=False)

PublicKey = dict[str, Any]


class BadAssertion(Exception):
    """An assertion that proves nothing; ``check`` names what failed, for the trail only."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


def public_key(text: str) -> PublicKey:
    """The public key of a JWK or of PEM, as a JWK with its thumbprint (RFC 7638) as ``kid``. Raises
    Invalid."""
    try:
        values = _of_jwk(text) if text.lstrip().startswith("{") else _of_pem(text)
        kid = (ECKey if values["kty"] == "EC" else RSAKey).import_key(values).thumbprint()
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        raise Invalid(
            f"a key is a public JWK or PEM: EC P-256, or RSA of at least {MIN_RSA_BITS} bits"
        ) from error
    return values | {"kid": kid}


def _of_pem(text: str) -> PublicKey:
    key = load_pem_public_key(text.strip().encode())
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return _members(RSAKey.import_key(text.strip()).as_dict(private=False))
    if isinstance(key, EllipticCurvePublicKey):
        return _members(ECKey.import_key(text.strip()).as_dict(private=False))
    raise ValueError("neither EC nor RSA of a good length")


def _of_jwk(text: str) -> PublicKey:
    values = json.loads(text)
    if "d" in values:
        raise Invalid("this is a private key: keep it to yourself and register the public one")
    if values["kty"] == "RSA" and len(_bytes(values["n"])) * 8 < MIN_RSA_BITS:
        raise ValueError("too short")
    return _members(values)


def _members(values: Mapping[str, Any]) -> PublicKey:
    """The members that make the key, and no others."""
    kind = str(values["kty"])
    if kind == "EC" and values["crv"] != "P-256":
        raise ValueError("another curve")
    names = {"EC": ("crv", "x", "y"), "RSA": ("n", "e")}[kind]
    return {"kty": kind, **{name: str(values[name]) for name in names}}


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claimed_name(assertion: str) -> str:
    """Who an assertion says to come from, before anything is verified; empty for none."""
    try:
        claims = json.loads(_bytes(assertion[:MAX_ASSERTION].split(".")[1]))
        name = claims.get("sub", "")
    except (IndexError, ValueError, AttributeError, RecursionError):
        return ""
    return name if isinstance(name, str) else ""


def verify(
    work: UnitOfWork,
    assertion: str,
    name: str,
    keys: list[PublicKey],
    *,
    audiences: tuple[str, ...] = (),
) -> str:
    """The ``kid`` of the key that signed an assertion of ``name`` for this gateway. An assertion
    counts once, for at most an hour; its ``aud`` is the issuer, or one of ``audiences``. Raises
    BadAssertion."""
    if len(assertion) > MAX_ASSERTION:
        raise BadAssertion("length")
    tried = [_signed(assertion, key) for key in keys] if keys else [_signed(assertion, None)]
    signed = next((found for found in tried if found is not None), None)
    if signed is None:
        raise BadAssertion("signature")
    claims, kid = signed
    if fault := _fault(work, claims, name, (work.settings.issuer, *audiences)):
        raise BadAssertion(fault)
    if not _spend(work, claims, name):
        raise BadAssertion("jti_used")
    return kid


def _signed(assertion: str, key: PublicKey | None) -> tuple[dict[str, Any], str] | None:
    known: Key = _NOBODY
    algorithms = _OF_KIND["EC"]
    if key is not None:
        known = ECKey.import_key(key) if key["kty"] == "EC" else RSAKey.import_key(key)
        algorithms = _OF_KIND[key["kty"]]
    try:
        token = jwt.decode(assertion, known, algorithms=list(algorithms))
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    if (
        key is None
        or set(token.header) - {"alg", "kid", "typ"}
        or not isinstance(token.claims, dict)
    ):
        return None
    return token.claims, key["kid"]


def _fault(
    work: UnitOfWork, claims: dict[str, Any], name: str, audiences: tuple[str, ...]
) -> str | None:
    """The first claim that does not fit (RFC 7523 section 3). ``aud`` is one word: a statement for
    somebody else, or for several, is not taken (FAPI 2.0 section 5.3.2.1)."""
    now = work.now.timestamp()
    made = claims.get("iat", now)
    jti = claims.get("jti")
    checks = {
        "iss": claims.get("iss") == name,
        "sub": claims.get("sub") == name,
        "aud": claims.get("aud") in audiences,
        "exp": _is_time(exp := claims.get("exp")) and now < exp <= now + LIFE + SKEW,
        "iat": _is_time(made) and made <= now + SKEW,
        "nbf": _is_time(begin := claims.get("nbf", now)) and begin <= now + SKEW,
        "jti": isinstance(jti, str) and 0 < len(jti) <= MAX_JTI,
    }
    return next((check for check, holds in checks.items() if not holds), None)


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spend(work: UnitOfWork, claims: dict[str, Any], name: str) -> bool:
    """Whether this is the first time that it is shown."""
    return insert_if_missing(
        work.db,
        SpentChallenge,
        digest=work.vault.digest("client-assertion", f"{name}\0{claims['jti']}"),
        expires_at=work.now + timedelta(seconds=LIFE + 2 * SKEW),
    )
