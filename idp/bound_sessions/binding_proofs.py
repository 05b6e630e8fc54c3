"""The proofs with which a browser registers its key, and refreshes the bound cookie: JWTs of type
``dbsc+jwt`` that contain a challenge of the gateway (section 8.11 of the draft)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from idp.credentials import signed_challenges, signed_proofs
from idp.credentials.credential_refusals import ProofCheck
from idp.credentials.signed_challenges import ChallengeFault
from idp.credentials.signed_proofs import BadProof
from idp.models import DeviceBinding
from idp.transaction import CLOCK_SECONDS, UnitOfWork

TYPE = "dbsc+jwt"
#: What browsers support, except ``none``: that proves nothing.
ALGORITHMS = ("ES256", "RS256")
CHALLENGE_SECONDS = 300


class Purpose(StrEnum):
    """What a challenge is for."""

    REGISTER = "bind"
    REFRESH = "prove-binding"


class BadChallenge(Exception):
    """The proof is signed by the right key, and its challenge is not valid now."""

    def __init__(self, fault: ChallengeFault) -> None:
        super().__init__(fault)
        self.fault = fault


def challenge(work: UnitOfWork, purpose: Purpose, public_id: str) -> str:
    """A new challenge for a session (to register) or a key (to refresh)."""
    return signed_challenges.make(work, purpose, public_id)


def registered_key(work: UnitOfWork, session_id: str, proof: str) -> tuple[dict[str, Any], str]:
    """The new key of a registration (JWK) and its algorithm. Raises BadProof or BadChallenge."""
    header = signed_proofs.header_of(proof, TYPE, ALGORITHMS)
    key = signed_proofs.key_in(header)
    _spend(work, Purpose.REGISTER, session_id, signed_proofs.claims_of(proof, key))
    return key.as_dict(private=False), header["alg"]


def verify(work: UnitOfWork, binding: DeviceBinding, proof: str) -> None:
    """Verify a proof of a registered key. A proof cannot bring a key of its own. Raises BadProof or
    BadChallenge."""
    header = signed_proofs.header_of(proof, TYPE, (binding.algorithm,))
    if "jwk" in header:
        raise BadProof(ProofCheck.HEADER)
    key = signed_proofs.key_of(binding.public_key, binding.algorithm)
    _spend(work, Purpose.REFRESH, binding.public_id, signed_proofs.claims_of(proof, key))


def _spend(work: UnitOfWork, purpose: Purpose, public_id: str, claims: dict[str, Any]) -> None:
    jti = claims.get("jti")
    if not isinstance(jti, str):
        raise BadProof(ProofCheck.JTI)
    fault = signed_challenges.spend(
        work, purpose, public_id, jti, seconds=CHALLENGE_SECONDS, ahead=CLOCK_SECONDS
    )
    if fault is not None:
        raise BadChallenge(fault)
