"""Tokens that work only with a key of their client (DPoP, RFC 9449) or with its certificate (mutual
TLS, RFC 8705): the protocol around proofs.

``idp.credentials.dpop_proofs`` verifies them. Requests without DPoP do not load it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from authlib.oauth2 import OAuth2Error

from idp.models.records import AccessTokenRecord, AnyClient
from idp.policy.registered_values import DPOP_ALGS
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.oidc.server import ProtocolRequest

HEADER, NONCE_HEADER = "DPoP", "DPoP-Nonce"
#: The schemes of an access token, in lower case.
BEARER, DPOP = "bearer", "dpop"
NONCE_TEXT = "Repeat the request with a DPoP proof that has this nonce."
#: What a resource says of a client that supports both schemes.
ALGORITHMS = f'algs="{" ".join(DPOP_ALGS)}"'


class InvalidProofError(OAuth2Error):
    """The DPoP proof is missing or not valid (section 5)."""

    error = "invalid_dpop_proof"


class NonceNeededError(OAuth2Error):
    """The DPoP proof needs a nonce (section 8)."""

    error = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__(NONCE_TEXT)
        self.nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        return [*super().get_headers(), (NONCE_HEADER, self.nonce)]


def prove(request: ProtocolRequest, client: AnyClient, *, is_required: bool = False) -> str | None:
    """Verify the proof, if any, of a request of this client to the token or PAR endpoint. Returns
    the thumbprint of its key. Raises InvalidProofError or NonceNeededError."""
    if HEADER not in request.headers:
        if is_required:
            raise InvalidProofError("This client must send a DPoP proof.")
        return None
    from idp.credentials import dpop_proofs, signed_proofs

    proved = dpop_proofs.ProvedRequest(
        method=request.method, path=request.path, is_fapi2=client.fapi2_security_profile
    )
    try:
        proof = dpop_proofs.verify(request.work, request.headers[HEADER], proved)
    except dpop_proofs.NonceNeeded as error:
        raise NonceNeededError(error.nonce) from error
    except signed_proofs.BadProof as error:
        raise InvalidProofError(_text(error.check)) from error
    request.next_nonce = proof.next_nonce
    return proof.thumbprint


def _text(check: str) -> str:
    return f"The DPoP proof is not valid: {check}."


@dataclass(frozen=True, kw_only=True)
class Presented:
    """An access token as a request to a resource presents it."""

    scheme: str
    token: str
    #: The header ``DPoP``.
    proof: str | None
    method: str
    path: str
    #: The thumbprint of the certificate of the request (RFC 8705).
    certificate: str | None


class NotProved(Exception):
    """The request does not prove the key of its access token. The answer is a 401 with
    ``headers``."""

    def __init__(self, scheme: str, code: str, description: str, nonce: str | None = None) -> None:
        super().__init__(code)
        self.scheme, self.code, self.description = scheme, code, description
        self.headers = {} if nonce is None else {NONCE_HEADER: nonce}


def check_holder(work: UnitOfWork, row: AccessTokenRecord, presented: Presented) -> dict[str, str]:
    """Check that an active access token is presented with the proof that it needs, and only such a
    token (section 7). Returns headers for the answer; the proof is used up when the caller commits.
    Raises NotProved."""
    if row.certificate is not None and row.certificate != presented.certificate:
        # RFC 8705 section 3.
        text = "The access token is bound to another certificate."
        raise NotProved(presented.scheme, "invalid_token", text)
    if row.dpop_jkt is None and presented.scheme == BEARER:
        return {}
    if presented.scheme != DPOP:
        text = "The access token is bound to a key: use the scheme DPoP."
        raise NotProved(presented.scheme, "invalid_token", text)
    if row.dpop_jkt is None:
        text = "The access token is not bound to a key: use the scheme Bearer."
        raise NotProved(DPOP, "invalid_token", text)
    if presented.proof is None:
        raise NotProved(DPOP, "invalid_dpop_proof", "The DPoP proof is missing.")
    from idp.credentials import dpop_proofs, signed_proofs

    proved = dpop_proofs.ProvedRequest(
        method=presented.method,
        path=presented.path,
        access_token=presented.token,
        # An exchanged token is another client's.
        is_fapi2=row.act is None and row.grant.client.fapi2_security_profile,
    )
    try:
        proof = dpop_proofs.verify(work, presented.proof, proved)
    except dpop_proofs.NonceNeeded as error:
        raise NotProved(DPOP, "use_dpop_nonce", NONCE_TEXT, error.nonce) from error
    except signed_proofs.BadProof as error:
        raise NotProved(DPOP, "invalid_dpop_proof", _text(error.check)) from error
    if proof.thumbprint != row.dpop_jkt:
        raise NotProved(DPOP, "invalid_token", "The access token is bound to another key.")
    return {} if proof.next_nonce is None else {NONCE_HEADER: proof.next_nonce}


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """Why a resource refuses a request: of the scheme that was used; without an error if there was
    no token."""

    scheme: str = BEARER
    code: str | None = None
    description: str = ""
    #: The level that the resource needs (RFC 9470 section 3).
    acr_values: str = ""


def headers_of(challenge: Challenge, realm: str, metadata_url: str) -> list[str]:
    """The ``WWW-Authenticate`` headers: of the scheme that was used, or of both if there was no
    token (RFC 6750 section 3, RFC 9449 sections 7.1 and 7.2), with the address of the metadata of
    the resource (RFC 9728 section 5.1)."""
    where = f'resource_metadata="{metadata_url}"'
    if challenge.code is None:
        return [f'Bearer realm="{realm}", {where}', f"DPoP {ALGORITHMS}, {where}"]
    error = f'error="{challenge.code}", error_description="{challenge.description}"'
    if challenge.acr_values:
        error += f', acr_values="{challenge.acr_values}"'
    if challenge.scheme == DPOP:
        return [f"DPoP {error}, {ALGORITHMS}, {where}"]
    return [f'Bearer realm="{realm}", {error}, {where}']
