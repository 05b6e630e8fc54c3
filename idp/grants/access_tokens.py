"""Records of access tokens. A token without a record is not accepted at userinfo or
introspection."""

from __future__ import annotations

from sqlalchemy import insert, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.grants import grant_lifecycle
from idp.models import AccessToken, Grant
from idp.transaction import UnitOfWork


def record(
    work: UnitOfWork, grant: Grant, handle: str, *, scopes: list[str], audience: str
) -> None:
    """Store the record of a new access token. ``handle`` is the ``jti`` of a JWT, or the digest of
    an opaque token."""
    work.db.execute(
        insert(AccessToken).values(
            handle=handle,
            grant_id=grant.id,
            scopes=scopes,
            audience=audience,
            created_at=work.now,
            expires_at=work.after(seconds=work.settings.access_token_ttl),
        )
    )


def find(work: UnitOfWork, handles: list[str]) -> AccessToken | None:
    """The record with one of these handles, even if it has ended."""
    return work.db.scalar(select(AccessToken).where(AccessToken.handle.in_(handles)))


def is_active(work: UnitOfWork, row: AccessToken) -> bool:
    """Whether it is unrevoked and unexpired, and its grant is active."""
    if row.revoked_at is not None or work.now >= row.expires_at:
        return False
    return grant_lifecycle.is_active(work, row.grant)


def revoke(work: UnitOfWork, row: AccessToken) -> None:
    """End one access token. Other tokens of the grant stay valid."""
    row.revoked_at = row.revoked_at or work.now
    events.record(
        work,
        AuditAction.TOKEN_REVOKED,
        account=row.grant.account,
        client=row.grant.client,
        token_type="access_token",  # noqa: S106 - the name of a kind of token
    )
