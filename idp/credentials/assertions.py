"""Signed assertions, with which clients and machine accounts authenticate without sending a secret
(``private_key_jwt``, ``client_secret_jwt``: RFC 7523 section 3, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeGuard

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificate
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from idp.credentials import certificates
from idp.credentials.credential_refusals import AssertionCheck, KeyInvalid, KeyPrivate
from idp.db import insert_if_missing
from idp.models import SpentChallenge
from idp.policy.registered_values import CERTIFICATE, ENCRYPTION
from idp.transaction import UnitOfWork

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "PS256", "RS256")
#: The algorithms of each key type.
_ALGORITHMS_OF = {"EC": ("ES256",), "RSA": ("PS256", "RS256")}
#: The algorithm of secrets, which is never tried with a public key. A shorter secret never
#: verifies (RFC 7518 section 3.2).
SECRET_ALGORITHM, MIN_SECRET_BYTES = "HS256", 32
MAX_ASSERTION = 8192
#: Any other member (jwk, jku, x5u, crit, b64) could let an assertion choose how it is verified
#: (N44).
HEADER_MEMBERS = {"alg", "kid", "typ"}
MAX_JTI = 255
#: The longest ``kid`` of a key that encrypts.
MAX_KEY_NAME = 255
#: What marks a certificate in PEM.
CERTIFICATE_MARK = "BEGIN CERTIFICATE"
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
MIN_RSA_BITS = 2048
#: How long an assertion may be valid, and how much clocks may differ, in seconds.
MAX_LIFETIME, CLOCK_SKEW = 3600, 10

PublicKey = dict[str, Any]


@dataclass(frozen=True)
class _Verifier:
    """A key with the algorithms that it may be used with."""

    key: Key
    algorithms: tuple[str, ...]
    name: str


#: Verified against when a name has no key, so that an unknown name takes as long as a known one.
_DUMMY = _Verifier(ECKey.generate_key("P-256", private=False), _ALGORITHMS_OF["EC"], "")


class BadAssertion(Exception):
    """An assertion that is not valid. ``check`` names the check that failed, for the audit trail
    only."""

    def __init__(self, check: AssertionCheck) -> None:
        super().__init__(check)
        self.check = check


def public_key(text: str) -> PublicKey:
    """The public key in a JWK or PEM text, as a JWK whose ``kid`` is its thumbprint (RFC 7638).
    Raises Invalid."""
    try:
        values = _of_jwk(text) if text.lstrip().startswith("{") else _of_pem(text)
        kid = (ECKey if values["kty"] == "EC" else RSAKey).import_key(values).thumbprint()
    except (
        JoseError, ValueError, TypeError, KeyError, IndexError, UnsupportedAlgorithm
    ) as error:  # fmt: skip
        raise KeyInvalid(MIN_RSA_BITS) from error
    return values | {"kid": kid}


def client_key(text: str) -> PublicKey:
    """The public key of a client. As ``public_key``, but a JWK with ``use`` ``enc`` is a key to
    encrypt for the client, by its ``alg`` if it has one, and keeps the ``kid`` by which the client
    finds it. Raises Invalid."""
    key = public_key(text)
    values = json.loads(text) if text.lstrip().startswith("{") else {}
    if values.get("use") != ENCRYPTION:
        return key
    own = {name: values[name] for name in ("kid", "alg") if _is_name(values.get(name))}
    return key | own | {"use": ENCRYPTION}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY_NAME and value.isprintable()


def _of_pem(text: str) -> PublicKey:
    if CERTIFICATE_MARK in text:
        return _of_certificate(load_pem_x509_certificate(text.strip().encode()))
    key = load_pem_public_key(text.strip().encode())
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return _members(RSAKey.import_key(text.strip()).as_dict(private=False))
    if isinstance(key, EllipticCurvePublicKey):
        return _members(ECKey.import_key(text.strip()).as_dict(private=False))
    raise ValueError("neither EC P-256 nor RSA of sufficient length")


def _of_certificate(certificate: Certificate) -> PublicKey:
    """The key of a certificate, with the thumbprint of the certificate (RFC 7517 section 4.9)."""
    key = certificate.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return _of_pem(pem) | {CERTIFICATE: certificates.thumbprint(certificate)}


def _of_jwk(text: str) -> PublicKey:
    values = json.loads(text)
    if "d" in values:
        raise KeyPrivate()
    if values["kty"] == "RSA" and len(_bytes(values["n"])) * 8 < MIN_RSA_BITS:
        raise ValueError("too short")
    key = _members(values)
    if "x5c" in values:
        # Section 4.7: the first certificate is that of the key.
        of_certificate = _of_certificate(load_der_x509_certificate(b64decode(values["x5c"][0])))
        if key.items() <= of_certificate.items():
            return of_certificate
        raise ValueError("the certificate has another key")
    named = values.get(CERTIFICATE, "")
    return key | {CERTIFICATE: named} if _DIGEST.fullmatch(named) else key


def _members(values: Mapping[str, Any]) -> PublicKey:
    """The members that define the key, and no others."""
    kind = str(values["kty"])
    if kind == "EC" and values["crv"] != "P-256":
        raise ValueError("another curve")
    names = {"EC": ("crv", "x", "y"), "RSA": ("n", "e")}[kind]
    return {"kty": kind, **{name: str(values[name]) for name in names}}


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unverified_subject(assertion: str) -> str:
    """The ``sub`` of an assertion before anything is verified. Empty if there is none."""
    name = unverified_claims(assertion).get("sub", "")
    return name if isinstance(name, str) else ""


def unverified_key_name(token: str) -> str:
    """The ``kid`` of a JWT before anything is verified. Empty if there is none."""
    name = _unverified_part(token, 0).get("kid", "")
    return name if isinstance(name, str) else ""


def unverified_algorithm(token: str) -> str:
    """The ``alg`` of a JWT before anything is verified. Empty if there is none."""
    name = _unverified_part(token, 0).get("alg", "")
    return name if isinstance(name, str) else ""


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT before anything is verified. Empty if it is none."""
    return _unverified_part(token, 1)


def _unverified_part(token: str, number: int) -> dict[str, Any]:
    try:
        values = json.loads(_bytes(token[:MAX_ASSERTION].split(".")[number]))
    except (IndexError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def verify(
    work: UnitOfWork,
    assertion: str,
    name: str,
    keys: Sequence[PublicKey],
    *,
    audiences: tuple[str, ...] = (),
    algorithms: Sequence[str] = ALGORITHMS,
) -> str:
    """Verify an assertion of ``name`` and return the ``kid`` of the key that signed it by one of
    ``algorithms``.

    An assertion is accepted once and is valid for at most an hour. Its ``aud`` must be the issuer
    or one of ``audiences``. Raises BadAssertion."""
    claims, kid = _verified(assertion, [_verifier_of(key, algorithms) for key in keys])
    _use(work, claims, name, audiences)
    return kid


def verify_with_secrets(
    work: UnitOfWork,
    assertion: str,
    name: str,
    secrets: Sequence[str],
    *,
    audiences: tuple[str, ...] = (),
) -> None:
    """As ``verify``, for an assertion that ``name`` signed with one of its secrets."""
    keys = [secret.encode() for secret in secrets]
    claims, _ = _verified(
        assertion,
        [
            _Verifier(OctKey.import_key(key), (SECRET_ALGORITHM,), "")
            for key in keys
            if len(key) >= MIN_SECRET_BYTES
        ],
    )
    _use(work, claims, name, audiences)


def _use(work: UnitOfWork, claims: dict[str, Any], name: str, audiences: tuple[str, ...]) -> None:
    """Check the claims and use the assertion up. Raises BadAssertion."""
    if check := _failed_claim(work, claims, name, (work.settings.issuer, *audiences)):
        raise BadAssertion(check)
    if not _spend(work, claims, name):
        raise BadAssertion(AssertionCheck.JTI_USED)


def read_request_object(
    work: UnitOfWork,
    token: str,
    name: str,
    keys: Sequence[PublicKey],
    algorithms: Sequence[str] = ALGORITHMS,
) -> dict[str, Any]:
    """The claims of a request object that ``name`` signed for the gateway by one of ``algorithms``
    (RFC 9101 section 6). It must expire within an hour, and may be used until then. Raises
    BadAssertion."""
    claims, _ = _verified(token, [_verifier_of(key, algorithms) for key in keys])
    audience = claims.get("aud")
    checks = {
        AssertionCheck.ISS: claims.get("iss") == name,
        AssertionCheck.AUD: work.settings.issuer
        in (audience if isinstance(audience, list) else [audience]),
        **_times(work, claims),
    }
    if check := _first_failed(checks):
        raise BadAssertion(check)
    return claims


def _verifier_of(key: PublicKey, algorithms: Sequence[str]) -> _Verifier:
    kind = ECKey if key["kty"] == "EC" else RSAKey
    allowed = tuple(name for name in _ALGORITHMS_OF[key["kty"]] if name in algorithms)
    return _Verifier(kind.import_key(key), allowed, key["kid"])


def _verified(token: str, verifiers: Sequence[_Verifier]) -> tuple[dict[str, Any], str]:
    """The claims, and the ``kid`` of the key that signed them. Raises BadAssertion."""
    if len(token) > MAX_ASSERTION:
        raise BadAssertion(AssertionCheck.LENGTH)
    results = [_signed(token, verifier) for verifier in verifiers or (_DUMMY,)]
    signed = next((result for result in results if result is not None), None)
    if signed is None or not verifiers:
        raise BadAssertion(AssertionCheck.SIGNATURE)
    return signed


def _signed(assertion: str, verifier: _Verifier) -> tuple[dict[str, Any], str] | None:
    """The claims and the ``kid``, if this key signed the assertion."""
    try:
        token = jwt.decode(assertion, verifier.key, algorithms=list(verifier.algorithms))
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    if set(token.header) - HEADER_MEMBERS or not isinstance(token.claims, dict):
        return None
    return token.claims, verifier.name


def _failed_claim(
    work: UnitOfWork, claims: dict[str, Any], name: str, audiences: tuple[str, ...]
) -> AssertionCheck | None:
    """The first claim that is not valid (RFC 7523 section 3). ``aud`` must be one string: an
    assertion for several audiences is refused (FAPI 2.0 section 5.3.2.1)."""
    jti = claims.get("jti")
    return _first_failed(
        {
            AssertionCheck.ISS: claims.get("iss") == name,
            AssertionCheck.SUB: claims.get("sub") == name,
            AssertionCheck.AUD: claims.get("aud") in audiences,
            **_times(work, claims),
            AssertionCheck.JTI: isinstance(jti, str) and 0 < len(jti) <= MAX_JTI,
        }
    )


def _times(work: UnitOfWork, claims: dict[str, Any]) -> dict[AssertionCheck, bool]:
    """Whether each time of a JWT is valid now."""
    now = work.now.timestamp()
    issued_at = claims.get("iat", now)
    return {
        AssertionCheck.EXP: _is_time(exp := claims.get("exp"))
        and now < exp <= now + MAX_LIFETIME + CLOCK_SKEW,
        AssertionCheck.IAT: _is_time(issued_at) and issued_at <= now + CLOCK_SKEW,
        AssertionCheck.NBF: _is_time(nbf := claims.get("nbf", now)) and nbf <= now + CLOCK_SKEW,
    }


def _first_failed(checks: dict[AssertionCheck, bool]) -> AssertionCheck | None:
    return next((claim for claim, is_valid in checks.items() if not is_valid), None)


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spend(work: UnitOfWork, claims: dict[str, Any], name: str) -> bool:
    """Record the ``jti`` as used. False if it was used before."""
    return insert_if_missing(
        work.db,
        SpentChallenge,
        digest=work.vault.digest("client-assertion", f"{name}\0{claims['jti']}"),
        expires_at=work.now + timedelta(seconds=MAX_LIFETIME + 2 * CLOCK_SKEW),
    )
