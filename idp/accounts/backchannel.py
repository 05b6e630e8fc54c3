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
    ``sid``."""
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
    )
    for row, client_id in work.db.execute(query).all():
        queue.enqueue_logout(work, account, client_id, row.sid)
        _end_codes(work, row.sid)
        work.db.delete(row)


def _end_codes(work: Work, sid: str) -> None:
    """A code that is under way would begin a session by a ``sid`` that nobody ends any more."""
    grants = select(Grant.id).where(Grant.sid == sid)
    work.db.execute(
        update(AuthorizationCode)
        .where(AuthorizationCode.grant_id.in_(grants), AuthorizationCode.consumed_at.is_(None))
        .values(expires_at=work.now)
        .execution_options(synchronize_session=False)
    )


def _listening() -> tuple[ColumnElement[bool], ...]:
    return (Client.backchannel_logout_uri != "", Client.disabled_at.is_(None))
