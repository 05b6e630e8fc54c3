"""JWTs that prove possession of a private key: DPoP proofs (RFC 9449) and those of device-bound
sessions. Only what a proof in use needs imports this module."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from idp.credentials.credential_refusals import ProofCheck
from idp.policy.registered_values import DPOP_ALGS

MAX_PROOF, MAX_HEADER = 8192, 2048
#: Any other member could let a proof choose how it is verified (N44).
HEADER_MEMBERS = {"alg", "jwk", "kid", "typ"}
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
#: A larger exponent makes each verification slow.
MAX_RSA_EXPONENT = 2**32
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@dataclass(frozen=True)
class _Kind:
    """A kind of key: how it is imported, the members that define it, and what it signs by."""

    imported_as: type[ECKey | OKPKey | RSAKey]
    members: tuple[str, ...]
    algorithms: tuple[str, ...]


#: By ``kty`` and ``crv``.
_KINDS = {
    ("EC", "P-256"): _Kind(ECKey, ("crv", "kty", "x", "y"), ("ES256",)),
    ("EC", "P-384"): _Kind(ECKey, ("crv", "kty", "x", "y"), ("ES384",)),
    ("OKP", "Ed25519"): _Kind(OKPKey, ("crv", "kty", "x"), ("Ed25519", "EdDSA")),
    ("RSA", ""): _Kind(RSAKey, ("e", "kty", "n"), ("PS256", "RS256")),
}


class BadProof(Exception):
    """A proof that is not valid. ``check`` names the check that failed."""

    def __init__(self, check: ProofCheck) -> None:
        super().__init__(check)
        self.check = check


class _Registry(JWSRegistry):
    """Headers with a key are longer than those of other JWTs."""

    max_header_length = MAX_HEADER

    def get_alg(self, name: str) -> Any:
        # The signatures are the same; the library warns of the former name.
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = _Registry(algorithms=DPOP_ALGS)


def header_of(proof: str, typ: str, algorithms: Container[str]) -> dict[str, Any]:
    """The JOSE header of the one proof. Several fields arrive joined by commas. Raises BadProof."""
    if "," in proof:
        raise BadProof(ProofCheck.SEVERAL)
    if len(proof) > MAX_PROOF or not proof.isascii() or proof.count(".") != 2:
        raise BadProof(ProofCheck.FORM)
    encoded = proof.partition(".")[0]
    try:
        header = json.loads(_decoded(encoded))
    except (ValueError, RecursionError) as error:
        raise BadProof(ProofCheck.FORM) from error
    if not isinstance(header, dict):
        raise BadProof(ProofCheck.FORM)
    if header.get("typ") != typ:
        raise BadProof(ProofCheck.TYP)
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise BadProof(ProofCheck.ALG)
    if set(header) - HEADER_MEMBERS:
        raise BadProof(ProofCheck.HEADER)
    return header


def key_in(header: dict[str, Any]) -> Key:
    """The public key in the header. Raises BadProof."""
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise BadProof(ProofCheck.JWK)
    if _PRIVATE & set(jwk):
        raise BadProof(ProofCheck.PRIVATE_KEY)
    return key_of(jwk, header["alg"])


def key_of(jwk: dict[str, Any], alg: str) -> Key:
    """The public key of a JWK, which must sign by ``alg``. Raises BadProof."""
    kind = _KINDS.get((str(jwk.get("kty", "")), str(jwk.get("crv", ""))))
    if kind is None or alg not in kind.algorithms:
        raise BadProof(ProofCheck.ALG)
    try:
        members = {name: str(jwk[name]) for name in kind.members}
        if members["kty"] == "RSA" and not _is_usual_rsa(members):
            raise BadProof(ProofCheck.JWK)
        key: Key = kind.imported_as.import_key({**members})
        key.get_op_key("verify")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise BadProof(ProofCheck.JWK) from error
    return key


def _is_usual_rsa(members: dict[str, str]) -> bool:
    modulus, exponent = (int.from_bytes(_decoded(members[name])) for name in ("n", "e"))
    return MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS and exponent <= MAX_RSA_EXPONENT


def claims_of(proof: str, key: Key) -> dict[str, Any]:
    """The claims of a proof that the key signed. Raises BadProof."""
    try:
        return jwt.decode(proof, key, registry=_REGISTRY).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise BadProof(ProofCheck.SIGNATURE) from error


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
