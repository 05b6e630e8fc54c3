"""Life cycle of signing keys: next, active, retired, revoked.

Each algorithm has one active and one next key. A key is published before it signs, so that a
relying party that caches the JWKS for an hour knows it in time.
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
from idp.grants.grant_refusals import KeyNotPublishedYet, SigningKeyMissing, SigningKeyNotFound
from idp.models import KeyState, SigningKey
from idp.policy.registered_values import SIGNING_ALGS
from idp.transaction import UnitOfWork

RSA_BITS = 2048


def ensure(work: UnitOfWork) -> None:
    """Create the active and next keys that are missing."""
    rows = work.db.execute(select(SigningKey.alg, SigningKey.state)).all()
    have = {(alg, state) for alg, state in rows}
    for alg in SIGNING_ALGS:
        if (alg, KeyState.ACTIVE) not in have:
            _add(work, alg, KeyState.ACTIVE)
        if (alg, KeyState.NEXT) not in have:
            _add(work, alg, KeyState.NEXT)


def rotate(work: UnitOfWork, alg: str, *, force: bool = False) -> SigningKey:
    """Activate the next key, retire the active one, and create a new next key. Raises Refused when
    caches may not have the next key yet, unless ``force`` is set."""
    upcoming = _one(work, alg, KeyState.NEXT)
    lead = timedelta(seconds=work.settings.key_publish_lead)
    if not force and work.now - upcoming.created_at < lead:
        ready = (upcoming.created_at + lead).replace(microsecond=0)
        raise KeyNotPublishedYet(alg, ready)
    _retire(work, _one(work, alg, KeyState.ACTIVE), KeyState.RETIRED)
    _promote(work, upcoming)
    events.record(work, AuditAction.KEY_ROTATED, kid=upcoming.kid, alg=alg)
    return upcoming


def revoke(work: UnitOfWork, kid: str) -> None:
    """Revoke a compromised key: it leaves the JWKS at once, and nothing that it signed is
    accepted."""
    key = work.db.scalar(select(SigningKey).where(SigningKey.kid == kid))
    if key is None:
        raise SigningKeyNotFound(kid)
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
    """The keys of the JWKS, which are the only ones that verify: active and next keys, and retired
    ones until the last token and the last session that they signed for have ended."""
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
    """The decrypted key pair."""
    return import_key(json.loads(work.vault.decrypt(key.private_sealed)))


def import_key(jwk: dict[str, Any]) -> Key:
    """The key object of a JWK."""
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
        raise SigningKeyMissing(state, alg)
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
