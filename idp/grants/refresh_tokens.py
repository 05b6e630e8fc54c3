"""Refresh tokens with rotation (RFC 6749 section 6, RFC 9700 section 4.14.2). The tokens that
follow one another under a grant are a family."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import insert, select

from idp.grants import grant_lifecycle
from idp.models import Grant, RefreshToken
from idp.transaction import UnitOfWork, spend_once


def issue(work: UnitOfWork, grant: Grant) -> str:
    """The first refresh token of the family."""
    token = work.token(32)
    _add(work, grant, token, work.after(seconds=work.settings.refresh_absolute))
    return token


def _add(work: UnitOfWork, grant: Grant, token: str, family_expires_at: datetime) -> None:
    work.db.execute(
        insert(RefreshToken).values(
            digest=work.vault.digest("refresh", token),
            grant_id=grant.id,
            created_at=work.now,
            expires_at=work.after(seconds=work.settings.refresh_idle),
            family_expires_at=family_expires_at,
        )
    )


def find(work: UnitOfWork, token: str) -> RefreshToken | None:
    """The row of a refresh token, even if it is spent or expired."""
    digests = work.vault.digests("refresh", token)
    return work.db.scalar(select(RefreshToken).where(RefreshToken.digest.in_(digests)))


def is_expired(work: UnitOfWork, row: RefreshToken) -> bool:
    """Whether it is past its idle limit or the absolute limit of its family."""
    return work.now >= row.expires_at or work.now >= row.family_expires_at


def is_active(work: UnitOfWork, row: RefreshToken) -> bool:
    """Whether it is unspent and unexpired, and its grant is active."""
    if row.consumed_at is not None or is_expired(work, row):
        return False
    return grant_lifecycle.is_active(work, row.grant)


def rotate(work: UnitOfWork, row: RefreshToken, scope: str) -> str | None:
    """Spend a refresh token and return its successor.

    A repetition of the same request within the grace period gets the same successor: the first
    answer may be lost, or two tabs asked at once. None means reuse, or a grant that was revoked
    after it was read. The caller revokes the family.
    """
    successor = work.token(32)
    unrevoked = (
        select(Grant.id).where(Grant.id == row.grant_id, Grant.revoked_at.is_(None)).exists()
    )
    is_spent = spend_once(
        work,
        row,
        RefreshToken.consumed_at,
        unrevoked,
        successor_sealed=work.vault.encrypt(successor),
        successor_digest=work.vault.digest("refresh", successor),
        consumed_scope=scope,
    )
    if is_spent:
        _add(work, row.grant, successor, row.family_expires_at)
        return successor
    return _same_successor(work, row, scope)


def _same_successor(work: UnitOfWork, row: RefreshToken, scope: str) -> str | None:
    work.db.refresh(row)
    grace = timedelta(seconds=work.settings.refresh_grace)
    if row.consumed_at is None or row.successor_sealed is None:
        return None
    if abs(work.now - row.consumed_at) > grace or row.consumed_scope != scope:
        return None
    used_at = work.db.scalar(
        select(RefreshToken.consumed_at).where(RefreshToken.digest == row.successor_digest)
    )
    return None if used_at is not None else work.vault.decrypt(row.successor_sealed)
