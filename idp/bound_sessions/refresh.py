"""A browser proves its key, and gets a new bound cookie (section 7.8 of the draft)."""

from __future__ import annotations

from dataclasses import dataclass

from idp.bound_sessions import binding_proofs, copied_sessions
from idp.bound_sessions.binding_proofs import BadChallenge, Purpose
from idp.credentials.credential_refusals import ProofCheck
from idp.credentials.signed_proofs import BadProof
from idp.models import BrowserSession, DeviceBinding
from idp.session import device_bindings
from idp.transaction import UnitOfWork
from service_base import logs

log = logs.Logger("gateway.bound_sessions")


@dataclass(frozen=True)
class Proved:
    """The key is proved."""

    binding: DeviceBinding


@dataclass(frozen=True)
class Challenged:
    """The browser has to sign a challenge: the value of ``Secure-Session-Challenge``."""

    challenge: str


class Ended:
    """The key is of no use any more: the browser may forget it."""


class Refused:
    """The proof is not one of the key."""


def challenge(work: UnitOfWork, public_id: str) -> str:
    """The value of ``Secure-Session-Challenge`` with a new challenge for this key."""
    made = binding_proofs.challenge(work, Purpose.REFRESH, public_id)
    return f'"{made}";id="{public_id}"'


def refresh(
    work: UnitOfWork, public_id: str, proof: str, session: BrowserSession | None
) -> Proved | Challenged | Ended | Refused:
    """Verify the proof of a key; without one, or if its challenge is not valid any more, the answer
    is a challenge. ``session`` is the one whose cookie the request has. If it is bound to this key
    and somebody signed with another, it was copied."""
    binding = device_bindings.find(work, public_id)
    if binding is None or binding.ended_at is not None:
        return Ended()
    if not proof:
        return Challenged(challenge(work, public_id))
    try:
        binding_proofs.verify(work, binding, proof)
    except BadChallenge as error:
        log.info("challenge_refused", key=public_id, check=str(error.fault))
        return Challenged(challenge(work, public_id))
    except BadProof as error:
        log.warning("proof_refused", key=public_id, check=str(error.check), ip=work.origin.ip)
        if error.check is ProofCheck.SIGNATURE and session is not None:
            _end_if_bound(work, session, binding)
        return Refused()
    if not device_bindings.is_needed(work, binding):
        binding.ended_at = work.now
        return Ended()
    binding.proved_at = work.now
    binding.ip, binding.user_agent = work.origin.ip, work.origin.user_agent
    return Proved(binding)


def _end_if_bound(work: UnitOfWork, session: BrowserSession, binding: DeviceBinding) -> None:
    if session.binding_id == binding.id:
        copied_sessions.end(work, session)
