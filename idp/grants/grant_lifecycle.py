"""Grants: how one is created, when it is active, how it ends. Revoking a grant ends every code and
token issued under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import table
from idp.models import Account, AccountKind, Grant
from idp.models.records import (
    AnyAccount,
    AnyClient,
    AnyGrant,
    AnySession,
    GrantRecord,
    OpenSession,
)
from idp.models.revision import CURRENT
from idp.policy.scopes import ACR_PASSWORD
from idp.policy.session_rules import may_sign_in
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared
from service_base.waiting_rows import WaitingRow

_GRANT = table(Grant)
#: Also reads the revision, for requests that have not read it yet.
_INSERT = Prepared(insert(_GRANT).returning(_GRANT.c.id, CURRENT))
#: The columns of a new grant, besides account and session.
_WRITTEN = (
    "client_id", "sid", "scopes", "claims", "nonce", "participant", "acr", "amr", "auth_time",
    "created_at",
)  # fmt: skip
_REVOKE = Prepared(
    update(_GRANT)
    .where(_GRANT.c.id == bindparam("key"), _GRANT.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"), revoke_reason=bindparam("reason"))
)


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """What a person in a session authorizes a client to do."""

    session: OpenSession
    client: AnyClient
    scopes: list[str]
    claims: dict[str, object]
    nonce: str | None


def newest(work: UnitOfWork, account_subject: str, client_pk: int) -> Grant | None:
    """The last grant of the account with this ``subject`` to the client, active or not."""
    return work.db.scalar(
        select(Grant)
        .join(Account, Account.id == Grant.account_id)
        .where(Account.subject == account_subject, Grant.client_id == client_pk)
        .order_by(Grant.id.desc())
        .limit(1)
    )


def create_for_person(work: UnitOfWork, authorization: Authorization) -> GrantRecord:
    """A new grant in the person's session."""
    session, client = authorization.session, authorization.client
    planned = _plan(
        work,
        client,
        session.account,
        session,
        sid=sessions.sid_for(work, session, client),
        scopes=tuple(authorization.scopes),
        claims=authorization.claims,
        nonce=authorization.nonce,
        acr=session.acr,
        amr=tuple(session.amr),
        auth_time=session.auth_time,
    )
    return replace(planned, id=add(work, planned))


def plan_for_client(work: UnitOfWork, client: AnyClient, scopes: list[str]) -> GrantRecord:
    """A grant of a client that acts for itself. It has no account. ``add_later`` writes it."""
    return _plan(work, client, None, scopes=tuple(scopes), amr=())


def plan_for_machine(
    work: UnitOfWork,
    client: AnyClient,
    account: AnyAccount,
    scopes: list[str],
    participant: str | None,
) -> GrantRecord:
    """A grant of a machine account at an application, for one participant or for all of its
    own. ``add_later`` writes it."""
    return _plan(
        work,
        client,
        account,
        scopes=tuple(scopes),
        participant=participant,
        acr=ACR_PASSWORD,
        amr=("pwd",),
        auth_time=work.now,
    )


def _plan(
    work: UnitOfWork,
    client: AnyClient,
    account: AnyAccount | None,
    session: AnySession | None = None,
    **values: Any,
) -> GrantRecord:
    unset = dict.fromkeys(("sid", "nonce", "participant", "acr", "auth_time", "revoked_at"))
    return GrantRecord(
        **{**unset, "claims": {}, "created_at": work.now, **values},
        id=0,
        client_id=client.id,
        client=client,
        account=account,
        session=session,
    )


def add(work: UnitOfWork, planned: GrantRecord) -> int:
    """Write a new grant, and return its key."""
    row = work.run(_INSERT, _values(planned)).one()
    work.see_revision(row[1])
    return int(row[0])


def add_later(work: UnitOfWork, planned: GrantRecord) -> WaitingRow:
    """As ``add``, together with the rows that have its key."""
    row = work.write(_INSERT, _values(planned))
    if row.returned is not None:
        work.see_revision(row.returned[1])
    return row


def _values(planned: GrantRecord) -> dict[str, Any]:
    account, session = planned.account, planned.session
    keys = {
        "account_id": account.id if account else None,
        "session_id": session.id if session else None,
    }
    return keys | {name: getattr(planned, name) for name in _WRITTEN}


def is_active(work: UnitOfWork, grant: AnyGrant, *, with_session: bool = False) -> bool:
    """Whether the grant is not revoked, its client is enabled, and its account may sign in and is
    of a kind that may use the client. ``with_session`` also requires the session of the sign-in to
    be live, which the first tokens of a sign-in need."""
    if grant.revoked_at is not None or grant.client.disabled_at is not None:
        return False
    account = grant.account
    if account is not None and not (
        may_sign_in(account.effective_state(work.now)) and grant.client.allows_account(account)
    ):
        return False
    if with_session and grant.session is not None:
        return sessions.is_live(work, grant.session)
    return True


def revoke(work: UnitOfWork, grant: AnyGrant, reason: EndReason) -> None:
    """End the grant and every token issued under it."""
    work.run(_REVOKE, {"key": grant.id, "now": work.now, "reason": reason})
    events.record(
        work, AuditAction.GRANT_REVOKED, account=grant.account, client=grant.client, why=reason
    )


def token_client_id(grant: AnyGrant) -> str:
    """The claim ``client_id`` of its tokens (RFC 9068 section 2.2): the application, or the UserID
    of a machine account that acts for itself."""
    account = grant.account
    if account is not None and account.kind == AccountKind.MACHINE:
        return account.username
    return grant.client.client_id
