"""Records of access tokens. A token without a record is not accepted at userinfo or
introspection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from idp import client_records
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import table
from idp.grants import grant_lifecycle
from idp.grants.grant_rows import record_of, select_with_grant
from idp.models import AccessToken
from idp.models.records import AccessTokenRecord, actors
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared
from service_base.waiting_rows import WaitingRow

_TOKEN = table(AccessToken)
_INSERT = Prepared(insert(_TOKEN).inline())
_FIND = Prepared(
    select_with_grant(AccessToken, AccessTokenRecord).where(_TOKEN.c.handle == bindparam("handle"))
)
_REVOKE = Prepared(
    update(_TOKEN)
    .where(_TOKEN.c.id == bindparam("key"), _TOKEN.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)
#: What was exchanged under a grant and is not revoked.
_EXCHANGED = Prepared(
    select(_TOKEN.c.id, _TOKEN.c.act).where(
        _TOKEN.c.grant_id == bindparam("grant"),
        _TOKEN.c.act.is_not(None),
        _TOKEN.c.revoked_at.is_(None),
    )
)


def record(
    work: UnitOfWork,
    grant_id: int | WaitingRow,
    handle: str,
    *,
    scopes: list[str],
    audience: str,
    expires_at: datetime,
    dpop_jkt: str | None,
    certificate: str | None,
    act: dict[str, Any] | None,
) -> None:
    """Store the record of a new access token. ``handle`` is the ``jti`` of a JWT, or the digest of
    an opaque token; ``dpop_jkt`` and ``certificate`` the thumbprints of the key and the certificate
    that it is bound to; ``act`` names the clients that exchanged it."""
    values = {
        "handle": handle,
        "grant_id": grant_id,
        "scopes": scopes,
        "audience": audience,
        "dpop_jkt": dpop_jkt,
        "certificate": certificate,
        "act": act,
        "created_at": work.now,
        "expires_at": expires_at,
    }
    work.write(_INSERT, values)


def find(work: UnitOfWork, handles: Sequence[str]) -> AccessTokenRecord | None:
    """The record with one of these handles, even if it has ended."""
    for handle in handles:
        row = work.run(_FIND, {"handle": handle, "now": work.now}).first()
        if row is not None:
            found: AccessTokenRecord = record_of(work, AccessTokenRecord, row)
            return found
    return None


def holder_id(row: AccessTokenRecord) -> str:
    """The client that it was issued to: the last one that exchanged it, or that of its grant."""
    return str(row.act["sub"]) if row.act else row.grant.client.client_id


def is_active(work: UnitOfWork, row: AccessTokenRecord) -> bool:
    """Whether it is unrevoked and unexpired, and its grant is active, and so are the clients that
    exchanged it."""
    if row.revoked_at is not None or work.now >= row.expires_at:
        return False
    return grant_lifecycle.is_active(work, row.grant) and all(
        _is_enabled(work, client_id) for client_id in actors(row.act)
    )


def _is_enabled(work: UnitOfWork, client_id: str) -> bool:
    found = client_records.by_client_id(work, client_id)
    return found is not None and found.disabled_at is None


def revoke(work: UnitOfWork, row: AccessTokenRecord) -> None:
    """End one access token, and what services got by exchanging such a token. Other tokens of the
    grant stay valid."""
    work.run(_REVOKE, {"key": row.id, "now": work.now})
    for found in work.run(_EXCHANGED, {"grant": row.grant.id}).all():
        if row.act is None or holder_id(row) in actors(found.act):
            work.run(_REVOKE, {"key": found.id, "now": work.now})
    events.record(
        work,
        AuditAction.TOKEN_REVOKED,
        account=row.grant.account,
        client=row.grant.client,
        token_type="access_token",  # noqa: S106 - the name of a kind of token
    )
