"""Which relying parties get a back-channel logout, and which a security event, when a session or a
role group ends."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from idp.audit import security_events
from idp.messages import queue
from idp.models import (
    Account,
    BrowserSession,
    Client,
    ClientSession,
    RoleGroup,
    client_role_group,
)
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork


def session_ended(work: UnitOfWork, session: BrowserSession) -> None:
    """Queue a logout, and a security event, for every relying party that took part in the session
    and takes them."""
    query = (
        select(ClientSession.sid, Client.client_id)
        .join(Client, Client.id == ClientSession.client_id)
        .where(ClientSession.session_id == session.id, *_wants_logout())
    )
    for sid, client_id in work.db.execute(query):
        queue.enqueue_logout(work, session.account, client_id, sid)
    security_events.session_revoked(
        work, session.account, str(session.end_reason), ClientSession.session_id == session.id
    )


def notify(
    work: UnitOfWork, account: Account, client: Client, row: ClientSession, reason: EndReason
) -> None:
    """Queue a logout and a security event for one relying party, if it takes them."""
    if client.backchannel_logout_uri and client.disabled_at is None:
        queue.enqueue_logout(work, account, client.client_id, row.sid)
    security_events.session_revoked(work, account, reason, ClientSession.sid == row.sid)


def client_sessions_seeing(
    work: UnitOfWork, account: Account, group: RoleGroup
) -> list[tuple[ClientSession, Client]]:
    """The client sessions of the account at relying parties that see the role group and take a
    logout. The rows are locked, so that a sign-on at the same moment is waited for."""
    seeing = select(client_role_group.c.client_id).where(
        client_role_group.c.role_group_id == group.id
    )
    return _client_sessions(work, account, Client.id.in_(seeing), *_wants_logout())


def client_sessions_at(
    work: UnitOfWork, account: Account, client: Client
) -> list[tuple[ClientSession, Client]]:
    """The client sessions of the account at a relying party, locked as well."""
    return _client_sessions(work, account, Client.id == client.id)


def _client_sessions(
    work: UnitOfWork, account: Account, *where: ColumnElement[bool]
) -> list[tuple[ClientSession, Client]]:
    query = (
        select(ClientSession, Client)
        .join(BrowserSession, BrowserSession.id == ClientSession.session_id)
        .join(Client, Client.id == ClientSession.client_id)
        .where(
            BrowserSession.account_id == account.id,
            BrowserSession.ended_at.is_(None),
            *where,
        )
        .with_for_update(of=ClientSession)
    )
    return [(row, client) for row, client in work.db.execute(query)]


def _wants_logout() -> tuple[ColumnElement[bool], ...]:
    return (Client.backchannel_logout_uri != "", Client.disabled_at.is_(None))
