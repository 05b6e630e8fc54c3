"""Life of the signing keys: made, published ahead, signing, retired, revoked.

One active and one next key for each algorithm. A relying party that caches the JWKS for an hour
has always seen a key before the first token it signs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from joserfc.jwk import ECKey, Key, RSAKey
from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import NotFound, Refused
from idp.models import KeyState, SigningKey
from idp.transaction import UnitOfWork

ALGORITHMS = ("RS256", "ES256")
RSA_BITS = 2048


def ensure(work: UnitOfWork) -> None:
    """Make what is missing of the active and next keys; nothing when all is there."""
    rows = work.db.execute(select(SigningKey.alg, SigningKey.state)).all()
    have = {(alg, state) for alg, state in rows}
    for alg in ALGORITHMS:
        if (alg, KeyState.ACTIVE) not in have:
            _add(work, alg, KeyState.ACTIVE)
        if (alg, KeyState.NEXT) not in have:
            _add(work, alg, KeyState.NEXT)


def rotate(work: UnitOfWork, alg: str, *, force: bool = False) -> SigningKey:
    """Let the next key sign, retire the active one, publish a new next. Raises Refused when the
    next key has not been published long enough for every cache to have it."""
    following = _one(work, alg, KeyState.NEXT)
    lead = timedelta(seconds=work.settings.key_publish_lead)
    if not force and work.now - following.created_at < lead:
        ready = (following.created_at + lead).isoformat(timespec="seconds")
        raise Refused(f"the next {alg} key can sign from {ready}; caches may not have it yet")
    _retire(work, _one(work, alg, KeyState.ACTIVE), KeyState.RETIRED)
    _promote(work, following)
    events.record(work, AuditAction.KEY_ROTATED, kid=following.kid, alg=alg)
    return following


def revoke(work: UnitOfWork, kid: str) -> None:
    """Compromise: the key is gone from the JWKS at once and nothing it signed is accepted."""
    key = work.db.scalar(select(SigningKey).where(SigningKey.kid == kid))
    if key is None:
        raise NotFound(f"no key {kid}")
    state = key.state
    _retire(work, key, KeyState.REVOKED)
    if state == KeyState.ACTIVE:
        _promote(work, _one(work, key.alg, KeyState.NEXT))
    elif state == KeyState.NEXT:
        _add(work, key.alg, KeyState.NEXT)
    events.record(work, AuditAction.KEY_REVOKED, kid=kid, alg=key.alg)


def every_key(work: UnitOfWork) -> Sequence[SigningKey]:
    """All keys, newest first."""
    return work.db.scalars(select(SigningKey).order_by(SigningKey.id.desc())).all()


def published(work: UnitOfWork) -> Sequence[SigningKey]:
    """The keys of the JWKS, and the only ones that verify: those that sign or will sign, and
    retired ones until the last token and the last session that they signed for have ended."""
    settings = work.settings
    lives = (settings.id_token_ttl, settings.access_token_ttl, settings.session_absolute)
    oldest = work.now - timedelta(seconds=max(lives))
    return work.db.scalars(
        select(SigningKey)
        .where(
            SigningKey.state.in_((KeyState.NEXT, KeyState.ACTIVE))
            | ((SigningKey.state == KeyState.RETIRED) & (SigningKey.retired_at > oldest))
        )
        .order_by(SigningKey.id)
    ).all()


def private_key(work: UnitOfWork, key: SigningKey) -> Key:
    """The key pair, opened."""
    return import_key(json.loads(work.vault.decrypt(key.private_sealed)))


def import_key(jwk: dict[str, Any]) -> Key:
    """A JWK as a key object, by its type."""
    return (RSAKey if jwk["kty"] == "RSA" else ECKey).import_key(jwk)


def _add(work: UnitOfWork, alg: str, state: KeyState) -> SigningKey:
    pair: Key = (
        RSAKey.generate_key(RSA_BITS, private=True)
        if alg == "RS256"
        else ECKey.generate_key("P-256", private=True)
    )
    kid = pair.thumbprint()
    public = {**pair.as_dict(private=False), "kid": kid, "alg": alg, "use": "sig"}
    row = SigningKey(
        kid=kid,
        alg=alg,
        state=state,
        public_jwk=public,
        private_sealed=work.vault.encrypt(json.dumps({**pair.as_dict(private=True), "kid": kid})),
        created_at=work.now,
        activated_at=work.now if state is KeyState.ACTIVE else None,
    )
    work.db.add(row)
    work.db.flush()
    events.record(work, AuditAction.KEY_CREATED, kid=kid, alg=alg, state=str(state))
    return row


def _one(work: UnitOfWork, alg: str, state: KeyState) -> SigningKey:
    row = work.db.scalar(select(SigningKey).where(SigningKey.alg == alg, SigningKey.state == state))
    if row is None:
        raise NotFound(f"no {state} key for {alg}")
    return row


def _retire(work: UnitOfWork, key: SigningKey, state: KeyState) -> None:
    key.state = state
    key.retired_at = work.now
    work.db.flush()


def _promote(work: UnitOfWork, key: SigningKey) -> None:
    key.state = KeyState.ACTIVE
    key.activated_at = work.now
    work.db.flush()
    _add(work, key.alg, KeyState.NEXT)
