"""Whom to tell that a session has ended, or that it carries less than before."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from idp.messages import queue
from idp.models import (
    Account,
    BrowserSession,
    Client,
    ClientSession,
    RoleGroup,
    client_role_group,
)
from idp.transaction import UnitOfWork


def session_ended(work: UnitOfWork, session: BrowserSession) -> None:
    """Tell the relying parties that took part in it."""
    query = (
        select(ClientSession.sid, Client.client_id)
        .join(Client, Client.id == ClientSession.client_id)
        .where(ClientSession.session_id == session.id, *_listening())
    )
    for sid, client_id in work.db.execute(query):
        queue.enqueue_logout(work, session.account, client_id, sid)


def listeners(
    work: UnitOfWork, account: Account, group: RoleGroup
) -> list[tuple[ClientSession, str]]:
    """The relying parties that see the role group and took part in the account's sessions, with
    their client ids; held, so that whoever signs on at this moment is waited for."""
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
    return [(row, client_id) for row, client_id in work.db.execute(query)]


def _listening() -> tuple[ColumnElement[bool], ...]:
    return (Client.backchannel_logout_uri != "", Client.disabled_at.is_(None))
