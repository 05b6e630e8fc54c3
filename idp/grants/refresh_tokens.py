"""Refresh tokens with rotation (RFC 6749 section 6, RFC 9700 section 4.14.2). The tokens that
follow one another under a grant are a family. Clients with the FAPI 2.0 Security Profile keep
theirs."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, update

from idp.db import table
from idp.grants import grant_lifecycle
from idp.grants.grant_rows import record_of, select_with_grant
from idp.models import Grant, RefreshToken
from idp.models.records import AnyGrant, RefreshTokenRecord
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

_TOKEN, _GRANT = table(RefreshToken), table(Grant)
_INSERT = Prepared(insert(_TOKEN).inline())
_FIND = Prepared(
    select_with_grant(RefreshToken, RefreshTokenRecord).where(
        _TOKEN.c.digest == bindparam("wanted")
    )
)
#: The token is unspent and its grant was not revoked.
_IS_USABLE = (
    _TOKEN.c.id == bindparam("key"),
    _TOKEN.c.consumed_at.is_(None),
    select(_GRANT.c.id)
    .where(_GRANT.c.id == _TOKEN.c.grant_id, _GRANT.c.revoked_at.is_(None))
    .exists(),
)
#: Of concurrent requests, exactly one spends the token, and none if the grant was revoked.
_SPEND = Prepared(
    update(_TOKEN)
    .where(*_IS_USABLE)
    .values(
        consumed_at=bindparam("now"),
        successor_sealed=bindparam("sealed"),
        successor_digest=bindparam("successor"),
        consumed_scope=bindparam("scope"),
    )
)
#: As above, but nothing is spent.
_KEEP = Prepared(update(_TOKEN).where(*_IS_USABLE).values(expires_at=bindparam("until")))
_SPENT = Prepared(
    select(
        _TOKEN.c.consumed_at,
        _TOKEN.c.consumed_scope,
        _TOKEN.c.successor_sealed,
        _TOKEN.c.successor_digest,
    ).where(_TOKEN.c.id == bindparam("key"))
)
_USED_AT = Prepared(select(_TOKEN.c.consumed_at).where(_TOKEN.c.digest == bindparam("wanted")))


def issue(work: UnitOfWork, grant: AnyGrant, dpop_jkt: str | None = None) -> str:
    """The first refresh token of the family. It can be used only with the key of this thumbprint,
    if there is one."""
    token = work.token(32)
    digest = work.vault.digest("refresh", token)
    _add(work, grant, digest, work.after(seconds=work.settings.refresh_absolute), dpop_jkt)
    return token


def _add(
    work: UnitOfWork,
    grant: AnyGrant,
    digest: str,
    family_expires_at: datetime,
    dpop_jkt: str | None,
) -> None:
    values = {
        "digest": digest,
        "grant_id": grant.id,
        "created_at": work.now,
        "expires_at": work.after(seconds=work.settings.refresh_idle),
        "family_expires_at": family_expires_at,
        "dpop_jkt": dpop_jkt,
    }
    work.write(_INSERT, values)


def find(work: UnitOfWork, token: str) -> RefreshTokenRecord | None:
    """The row of a refresh token, even if it is spent or expired."""
    for digest in work.vault.digests("refresh", token):
        row = work.run(_FIND, {"wanted": digest, "now": work.now}).first()
        if row is not None:
            found: RefreshTokenRecord = record_of(work, RefreshTokenRecord, row)
            return found
    return None


def is_expired(work: UnitOfWork, row: RefreshTokenRecord) -> bool:
    """Whether it is past its idle limit or the absolute limit of its family."""
    return work.now >= row.expires_at or work.now >= row.family_expires_at


def is_active(work: UnitOfWork, row: RefreshTokenRecord) -> bool:
    """Whether it is unspent and unexpired, and its grant is active."""
    if row.consumed_at is not None or is_expired(work, row):
        return False
    return grant_lifecycle.is_active(work, row.grant)


def keep(work: UnitOfWork, row: RefreshTokenRecord) -> bool:
    """Use a refresh token without spending it; its idle time starts anew. False if it is spent, or
    its grant was revoked after it was read."""
    until = work.after(seconds=work.settings.refresh_idle)
    return bool(work.run(_KEEP, {"key": row.id, "until": until}).rowcount == 1)


def rotate(
    work: UnitOfWork, row: RefreshTokenRecord, scope: str, dpop_jkt: str | None = None
) -> str | None:
    """Spend a refresh token and return its successor, which is bound to the key of this thumbprint.

    A repetition of the same request within the grace period gets the same successor: the first
    answer may be lost, or two tabs asked at once. None means reuse, or a grant that was revoked
    after it was read. The caller revokes the family.
    """
    successor = work.token(32)
    digest = work.vault.digest("refresh", successor)
    values = {
        "key": row.id,
        "now": work.now,
        "sealed": work.vault.encrypt(successor),
        "successor": digest,
        "scope": scope,
    }
    is_unspent = row.consumed_at is None
    if work.spend(_SPEND, values) if is_unspent else work.run(_SPEND, values).rowcount == 1:
        _add(work, row.grant, digest, row.family_expires_at, dpop_jkt)
        return successor
    return _same_successor(work, row, scope)


def _same_successor(work: UnitOfWork, row: RefreshTokenRecord, scope: str) -> str | None:
    spent = work.run(_SPENT, {"key": row.id}).one()
    consumed_at, consumed_scope, successor_sealed, successor_digest = tuple(spent)
    grace = timedelta(seconds=work.settings.refresh_grace)
    if consumed_at is None or successor_sealed is None:
        return None
    if abs(work.now - consumed_at) > grace or consumed_scope != scope:
        return None
    used_at = work.run(_USED_AT, {"wanted": successor_digest}).scalar()
    return None if used_at is not None else work.vault.decrypt(successor_sealed)
