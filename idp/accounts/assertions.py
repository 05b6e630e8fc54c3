"""Signed statements by which clients and machine accounts authenticate instead of sending a secret
(``private_key_jwt``: RFC 7523 section 3, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

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
from idp.transaction import Work

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
LIFE, SKEW = 300, 10
#: A key that signed nothing: for names without keys as much is done as for those with one.
_NOBODY = ECKey.generate_key("P-256", private=False)

PublicKey = dict[str, Any]


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


def verify(work: Work, assertion: str, name: str, keys: list[PublicKey]) -> str | None:
    """The ``kid`` of the key that signed an assertion of ``name`` for this gateway, or None. An
    assertion counts once, for at most five minutes."""
    if len(assertion) > MAX_ASSERTION:
        return None
    tried = [_signed(assertion, key) for key in keys] if keys else [_signed(assertion, None)]
    signed = next((found for found in tried if found is not None), None)
    if signed is None:
        return None
    claims, kid = signed
    if not _is_for_us(work, claims, name) or not _spend(work, claims, name):
        return None
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


def _is_for_us(work: Work, claims: dict[str, Any], name: str) -> bool:
    """``aud`` is the issuer and nothing else: a statement for somebody else, or for several, is not
    taken; an endpoint's address is none (FAPI 2.0 section 5.3.2.1)."""
    now = work.now.timestamp()
    made = claims.get("iat", now)
    times = (claims.get("exp"), claims.get("nbf", made), made)
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in times):
        return False
    return (
        claims.get("iss") == name
        and claims.get("sub") == name
        and claims.get("aud") == work.settings.issuer
        and now < claims["exp"] <= now + LIFE + SKEW
        and max(times[1:]) <= now + SKEW
    )


def _spend(work: Work, claims: dict[str, Any], name: str) -> bool:
    """Whether this is the first time that it is shown."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        return False
    return insert_if_missing(
        work.db,
        SpentChallenge,
        digest=work.vault.digest("client-assertion", f"{name}\0{jti}"),
        expires_at=work.now + timedelta(seconds=LIFE + 2 * SKEW),
    )
