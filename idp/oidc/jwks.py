"""Signing and verifying with the keys in the database.

Each process keeps the keys. A transaction that has read the revision uses the keys of that
revision, so that a rotation or revocation counts at once; others use keys a few seconds old.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from idp.errors import ServiceError
from idp.grants import signing_keys
from idp.models import KeyState
from idp.oidc.token_signer import TokenSigner
from idp.transaction import DATABASE_UNAVAILABLE, UnitOfWork

#: More than the largest token that the gateway signs (``claims.MAX_GROUP_BYTES``, ``MAX_NONCE``),
#: so that every endpoint accepts what the gateway issues.
MAX_TOKEN = 65_536
#: Tokens whose signatures a process remembers, since a resource server asks about a token again and
#: again; and the longest of them.
MAX_VERIFIED, MAX_REMEMBERED = 512, 4096
#: The header members of the gateway's tokens. A token with any other (jwk, jku, x5u, crit, b64) is
#: not one of them (N44).
HEADER_MEMBERS = {"alg", "kid", "typ"}
#: The name of the keys among what a process keeps.
_KEPT = ("signing keys", "")


class NoSigningKey(ServiceError):
    """There is no active key for an algorithm. ``gateway db upgrade`` creates the keys."""

    code = "no_signing_key"


class BadToken(ServiceError):
    """Not a token of this gateway, or not one for this use."""

    code = "bad_token"


@dataclass(frozen=True)
class Snapshot:
    """The keys at one moment."""

    read_at: datetime
    signing: dict[str, TokenSigner]
    verifying: dict[str, tuple[str, Key]]
    document: bytes
    etag: str
    #: The claims of tokens that these keys verified, by the digest of the whole token. They last
    #: as long as this copy of the keys.
    verified: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def is_fresh(self, now: datetime, seconds: int) -> bool:
        """Whether the keys were read within the last ``seconds``."""
        return timedelta(0) <= now - self.read_at < timedelta(seconds=seconds)


class KeyRing:
    """Signs and verifies tokens with a cached snapshot of the keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def snapshot(self, work: UnitOfWork) -> Snapshot:
        """The keys: those of the revision that the transaction has read, if it has. They are read
        again when they are older than the setting allows, because retired keys leave in time."""
        current: Snapshot | None = self._snapshot
        if work.seen is not None:
            current = work.seen.get(_KEPT)
        if current is None or not current.is_fresh(work.now, work.settings.key_cache):
            work.write_pending()
            with self._lock:
                kept = work.kept()
                current = self._snapshot = kept[_KEPT] = _read(work, self._snapshot)
        return current

    def published(self, work: UnitOfWork) -> Snapshot:
        """As ``snapshot``, for the document: the keys that were read last while another request
        reads them, and while the database does not answer (docs/decisions/0069)."""
        last = self._snapshot
        if last is None or last.is_fresh(work.now, work.settings.key_cache):
            return self.snapshot(work)
        if self._lock.locked():
            return last
        try:
            return self.snapshot(work)
        except DATABASE_UNAVAILABLE:
            work.rollback()
            return last

    def etag(self, now: datetime, seconds: int) -> str | None:
        """The ETag of the document, or None if the keys are not known or older than some
        seconds."""
        current = self._snapshot
        return current.etag if current is not None and current.is_fresh(now, seconds) else None

    def publishes_key_of(self, work: UnitOfWork, token: str, typ: str) -> bool:
        """Whether the key of a verified token is still published. After the transaction has read
        the revision, a key that was revoked a moment ago is not."""
        return _kid(token, typ) in self.snapshot(work).verifying

    def sign(self, work: UnitOfWork, alg: str, typ: str, claims: dict[str, Any]) -> str:
        """A signed JWT. Times in ``claims`` are absolute."""
        signer = self.snapshot(work).signing.get(alg)
        if signer is None:
            raise NoSigningKey(alg)
        return signer.sign(typ, claims)

    def verify(self, work: UnitOfWork, token: str, typ: str) -> dict[str, Any]:
        """The claims of a token of this gateway with the header ``typ``. Raises BadToken.

        Checks signature, type and issuer. The caller checks expiry and audience."""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise BadToken("size or characters")
        current = self.snapshot(work)
        kid = _kid(token, typ)
        if kid not in current.verifying:
            # It may be newer than what this process knows.
            work.kept()
            current = self.snapshot(work)
        if kid not in current.verifying:
            raise BadToken("unknown key")
        digest = hashlib.sha256(token.encode("ascii")).digest()
        if (verified := current.verified.get(digest)) is None:
            verified = self._verified(work, token, *current.verifying[kid])
            if len(current.verified) >= MAX_VERIFIED:
                current.verified.clear()
            if len(token) <= MAX_REMEMBERED:
                current.verified[digest] = verified
        return dict(verified)

    def _verified(self, work: UnitOfWork, token: str, alg: str, key: Key) -> dict[str, Any]:
        """The claims of a token that the key verifies and this gateway issued."""
        try:
            # The key decides the algorithm, never the token (N41, N42, N43).
            claims = jwt.decode(token, key, algorithms=[alg]).claims
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise BadToken(type(error).__name__) from error
        if claims.get("iss") != work.settings.issuer:
            raise BadToken("issuer")
        return dict(claims)


def _kid(token: str, typ: str) -> str:
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("not a compact JWS")
    return _kid_of_header(parts[0], typ)


@lru_cache(maxsize=64)
def _kid_of_header(encoded: str, typ: str) -> str:
    """The tokens of one key and type have the same header. What is refused is not remembered."""
    try:
        header = json.loads(_b64decode(encoded))
    except (ValueError, RecursionError) as error:
        raise BadToken("header") from error
    if not isinstance(header, dict) or set(header) != HEADER_MEMBERS:
        raise BadToken("header members")
    if header["typ"] != typ or not isinstance(header["kid"], str):
        raise BadToken("type")
    return header["kid"]


def _b64decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read(work: UnitOfWork, former: Snapshot | None) -> Snapshot:
    """The published keys. A private key is decrypted and imported once: that takes long."""
    rows = signing_keys.published(work)
    known = {signer.kid: signer for signer in former.signing.values()} if former else {}
    signing = {
        row.alg: known.get(row.kid) or TokenSigner(row.alg, signing_keys.private_key(work, row))
        for row in rows
        if row.state == KeyState.ACTIVE
    }
    document = json.dumps({"keys": [row.public_jwk for row in rows]}).encode()
    return Snapshot(
        read_at=work.now,
        signing=signing,
        verifying={row.kid: (row.alg, signing_keys.import_key(row.public_jwk)) for row in rows},
        document=document,
        etag=hashlib.sha256(document).hexdigest()[:32],
    )
