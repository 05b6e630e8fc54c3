"""DPoP proofs (RFC 9449): a client proves that it holds the private key of a public key.

A proof is valid for one request, once over all processes, and for about a minute. Only what a
proof in use needs imports this module.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeGuard
from urllib.parse import SplitResult, unquote, urlsplit

from idp.credentials import signed_proofs
from idp.credentials.credential_refusals import ProofCheck
from idp.credentials.signed_proofs import BadProof
from idp.db import insert_if_missing
from idp.models import SpentChallenge
from idp.policy.registered_values import DPOP_ALGS, FAPI2_ALGS
from idp.settings import Settings
from idp.transaction import UnitOfWork

TYPE = "dpop+jwt"
MAX_JTI = 255
#: How old a proof may be, and how far ahead its clock, in seconds.
MAX_AGE = MAX_AHEAD = 60
#: A nonce is accepted in the period that it was made in and in the next one.
NONCE_PERIOD = 300
#: A process whose clock is ahead may already be in the next period.
CLOCK_SKEW = 10
_DEFAULT_PORTS = {"http": 80, "https": 443}


class NonceNeeded(Exception):
    """The proof has no nonce of the gateway that is valid now. The client can repeat its request
    with ``nonce``."""

    def __init__(self, nonce: str) -> None:
        super().__init__(nonce)
        self.nonce = nonce


@dataclass(frozen=True, kw_only=True)
class ProvedRequest:
    """What a proof must be for."""

    method: str
    #: Without escapes.
    path: str
    access_token: str | None = None
    #: The client has the FAPI 2.0 Security Profile.
    is_fapi2: bool = False


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A valid proof."""

    #: The thumbprint of its key (RFC 7638), as in ``jkt``.
    thumbprint: str
    #: The nonce for the next proof, if that of this one is about to expire.
    next_nonce: str | None


def verify(work: UnitOfWork, proof: str, proved: ProvedRequest) -> Proof:
    """Verify the value of the header ``DPoP`` (section 4.3) and use up the proof. Raises BadProof
    or NonceNeeded."""
    header = signed_proofs.header_of(proof, TYPE, DPOP_ALGS)
    if proved.is_fapi2 and header["alg"] not in FAPI2_ALGS:
        raise BadProof(ProofCheck.ALG)
    key = signed_proofs.key_in(header)
    claims = signed_proofs.claims_of(proof, key)
    for check, is_valid in _checks(work, claims, proved).items():
        if not is_valid:
            raise BadProof(check)
    next_nonce = _next_nonce(work, claims)
    thumbprint = key.thumbprint()
    if not _spend(work, thumbprint, claims["jti"]):
        raise BadProof(ProofCheck.JTI_USED)
    return Proof(thumbprint=thumbprint, next_nonce=next_nonce)


def _checks(
    work: UnitOfWork, claims: dict[str, Any], proved: ProvedRequest
) -> dict[ProofCheck, bool]:
    """Whether each claim is what it must be, in the order of section 4.3."""
    now, jti = work.now.timestamp(), claims.get("jti")
    return {
        ProofCheck.JTI: isinstance(jti, str) and 0 < len(jti) <= MAX_JTI,
        ProofCheck.HTM: claims.get("htm") == proved.method,
        ProofCheck.HTU: _is_url_of(claims.get("htu"), work.settings, proved.path),
        ProofCheck.IAT: _is_time(iat := claims.get("iat"))
        and now - MAX_AGE <= iat <= now + MAX_AHEAD,
        # Both are optional, and mean here what they mean in every JWT (RFC 7519 section 4.1).
        ProofCheck.EXP: _is_time(exp := claims.get("exp", now + 1)) and now < exp,
        ProofCheck.NBF: _is_time(nbf := claims.get("nbf", now)) and nbf <= now + MAX_AHEAD,
        ProofCheck.ATH: proved.access_token is None
        or _is_digest_of(claims.get("ath"), proved.access_token),
    }


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_digest_of(value: Any, token: str) -> bool:
    digest = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    return bool(value == digest)


def _is_url_of(value: Any, settings: Settings, path: str) -> bool:
    """Whether a URL without its query and fragment is that of ``path`` at a public address of the
    gateway, both normalised (RFC 3986 sections 6.2.2 and 6.2.3). Escapes are resolved, as those of
    ``path`` were."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        ours = [_origin(urlsplit(url)) for url in (settings.issuer, settings.mtls_url) if url]
        return _origin(parts) in ours and _without_dots(parts.path) == path
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None, bool]:
    port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port, "@" in parts.netloc


def _without_dots(escaped: str) -> str:
    """The path without escapes and dot segments (RFC 3986 section 5.2.4)."""
    kept: list[str] = []
    segments = unquote(escaped).split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def nonce(work: UnitOfWork, ahead: int = 0) -> str:
    """The nonce of the present period, or of a moment ``ahead`` seconds from now. Every process
    calculates the same."""
    return work.vault.digest("dpop-nonce", str(_period(work, ahead)))


def _period(work: UnitOfWork, ahead: int) -> int:
    return int(work.now.timestamp() + ahead) // NONCE_PERIOD


def _next_nonce(work: UnitOfWork, claims: dict[str, Any]) -> str | None:
    """The nonce for the next proof, if that of this one is not the present one. Raises
    NonceNeeded."""
    present, sent = nonce(work), claims.get("nonce")
    if sent is None and not work.settings.require_dpop_nonces:
        return None
    if sent == present:
        return None
    periods = {_period(work, ahead) for ahead in (-NONCE_PERIOD, 0, CLOCK_SKEW)}
    # After a change of the secret key, nonces of the former one last as long as they would have.
    known = {text for one in periods for text in work.vault.digests("dpop-nonce", str(one))}
    if not isinstance(sent, str) or sent not in known:
        raise NonceNeeded(present)
    return present


def _spend(work: UnitOfWork, thumbprint: str, jti: str) -> bool:
    """Record the proof as used. False if it was used before, in any process."""
    return insert_if_missing(
        work.db,
        SpentChallenge,
        digest=work.vault.digest("dpop-proof", f"{thumbprint}\0{jti}"),
        expires_at=work.now + timedelta(seconds=MAX_AGE + MAX_AHEAD + CLOCK_SKEW),
    )
