"""Whom to tell that a session has ended, or that it carries less than before."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update

from idp.messages import queue
from idp.models import (
    Account,
    AuthorizationCode,
    BrowserSession,
    Client,
    ClientSession,
    Grant,
    RoleGroup,
    client_role_group,
)
from idp.transaction import Work


def session_ended(work: Work, session: BrowserSession) -> None:
    """Tell the relying parties that took part in it."""
    query = (
        select(ClientSession.sid, Client.client_id)
        .join(Client, Client.id == ClientSession.client_id)
        .where(ClientSession.session_id == session.id, *_listening())
    )
    for sid, client_id in work.db.execute(query):
        queue.enqueue_logout(work, session.account, client_id, sid)


def access_revoked(work: Work, account: Account, group: RoleGroup) -> None:
    """Tell the relying parties that see the role group to end what they know by the account's
    sessions. Those go on at the gateway: whoever signs on again gets what is left, under another
    ``sid``. The old one is held while it ends: whoever signs on at this moment is waited for."""
    query = (
        select(ClientSession, Client.client_id)
        .join(BrowserSession, BrowserSession.id == ClientSession.session_id)
        .join(Client, Client.id == ClientSession.client_id)
        .join(client_role_group, client_role_group.c.client_id == Client.id)
        .where(
            BrowserSession.account_id == account.id,
            BrowserSession.ended_at.is_(None),
            client_role_group.c.role_group_id == group.id,
            *_listening(),
        )
        .with_for_update(of=ClientSession)
    )
    for row, client_id in work.db.execute(query).all():
        queue.enqueue_logout(work, account, client_id, row.sid)
        _end_sid(work, row.sid)
        work.db.delete(row)


def _end_sid(work: Work, sid: str) -> None:
    """Nobody is signed in by this ``sid`` any more: its grants end, but for those that go on
    without a session; a code under way would begin a session that nobody ends."""
    grants = list(
        work.db.execute(
            select(Grant.id, Grant.scopes).where(Grant.sid == sid, Grant.revoked_at.is_(None))
        )
    )
    work.db.execute(
        update(AuthorizationCode)
        .where(
            AuthorizationCode.grant_id.in_([pk for pk, _ in grants]),
            AuthorizationCode.consumed_at.is_(None),
        )
        .values(expires_at=work.now)
        .execution_options(synchronize_session=False)
    )
    offline = [pk for pk, scopes in grants if "offline_access" in scopes]
    work.db.execute(update(Grant).where(Grant.id.in_(offline)).values(sid=None))
    work.db.execute(
        update(Grant)
        .where(Grant.sid == sid, Grant.revoked_at.is_(None))
        .values(revoked_at=work.now, revoke_reason="access_revoked")
    )


def _listening() -> tuple[ColumnElement[bool], ...]:
    return (Client.backchannel_logout_uri != "", Client.disabled_at.is_(None))
