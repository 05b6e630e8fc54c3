"""Initial access tokens (RFC 7591 section 1.2), with which applications register themselves.

Access Management issues each for a number of registrations and days. Only its digest is stored.
While there is none, no application can register itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients.registration_refusals import (
    DaysInvalid,
    InitialTokenNameInvalid,
    InitialTokenNotFound,
    TokenNotAccepted,
    UsesInvalid,
)
from idp.models import InitialAccessToken
from idp.policy.names import printable
from idp.policy.registered_values import MAX_INITIAL_TOKEN_DAYS, MAX_INITIAL_TOKEN_USES
from idp.transaction import UnitOfWork

_PURPOSE = "initial-access-token"
MAX_NAME = 200


def issue(
    work: UnitOfWork,
    *,
    name: str,
    uses: int,
    days: int,
    require_pkce: bool = True,
    token_endpoint_audience: bool = False,
) -> tuple[InitialAccessToken, str]:
    """Issue a token for so many registrations within so many days. Returns it, to be shown only
    now. Raises Invalid."""
    if not name or len(name) > MAX_NAME or not printable(name):
        raise InitialTokenNameInvalid(MAX_NAME)
    if not 0 < uses <= MAX_INITIAL_TOKEN_USES:
        raise UsesInvalid(MAX_INITIAL_TOKEN_USES)
    if not 0 < days <= MAX_INITIAL_TOKEN_DAYS:
        raise DaysInvalid(MAX_INITIAL_TOKEN_DAYS)
    token = work.token(32)
    row = InitialAccessToken(
        public_id=f"i{work.token(12)}",
        digest=work.vault.digest(_PURPOSE, token),
        name=name,
        max_uses=uses,
        uses=0,
        require_pkce=require_pkce,
        token_endpoint_audience=token_endpoint_audience,
        created_at=work.now,
        expires_at=work.after(days=days),
    )
    work.db.add(row)
    work.db.flush()
    _record(
        work,
        AuditAction.INITIAL_TOKEN_ISSUED,
        row,
        uses=uses,
        until=row.expires_at.isoformat(),
        require_pkce=require_pkce,
        token_endpoint_audience=token_endpoint_audience,
    )
    return row, token


def list_usable(work: UnitOfWork) -> list[InitialAccessToken]:
    """Those that still register applications, the oldest first."""
    query = select(InitialAccessToken).where(*_is_usable(work)).order_by(InitialAccessToken.id)
    return list(work.db.scalars(query))


def revoke(work: UnitOfWork, public_id: str) -> InitialAccessToken:
    """End a token. The applications that it registered keep their registrations. Raises
    NotFound."""
    row = work.db.scalar(
        select(InitialAccessToken).where(
            InitialAccessToken.public_id == public_id[:40], *_is_usable(work)
        )
    )
    if row is None:
        raise InitialTokenNotFound(public_id)
    row.revoked_at = work.now
    _record(work, AuditAction.INITIAL_TOKEN_REVOKED, row, uses=row.uses)
    return row


def find_usable(work: UnitOfWork, token: str) -> InitialAccessToken:
    """The row of a token that still registers applications. Raises TokenNotAccepted."""
    digests = work.vault.digests(_PURPOSE, token)
    query = select(InitialAccessToken).where(InitialAccessToken.digest.in_(digests))
    row = work.db.scalar(query.where(*_is_usable(work)))
    if row is None:
        raise TokenNotAccepted()
    return row


def use(work: UnitOfWork, row: InitialAccessToken) -> None:
    """Count one registration. Raises TokenNotAccepted if concurrent ones were the last."""
    result = work.db.execute(
        update(InitialAccessToken)
        .where(InitialAccessToken.id == row.id, *_is_usable(work))
        .values(uses=InitialAccessToken.uses + 1)
        .execution_options(synchronize_session=False)
    )
    if result.rowcount != 1:  # type: ignore[attr-defined]
        raise TokenNotAccepted()
    work.db.refresh(row)


def _is_usable(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return (
        InitialAccessToken.revoked_at.is_(None),
        InitialAccessToken.expires_at > work.now,
        InitialAccessToken.uses < InitialAccessToken.max_uses,
    )


def _record(work: UnitOfWork, name: AuditAction, row: InitialAccessToken, **data: Any) -> None:
    events.record(work, name, initial_token=row.public_id, label=row.name, **data)
