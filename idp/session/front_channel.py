"""Front-channel logout: the addresses that the page of a sign-out opens in frames, so that
applications end their sessions in this browser (OpenID Connect Front-Channel Logout 1.0)."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit, urlunsplit

from sqlalchemy import select

from idp.models import BrowserSession, Client, ClientSession
from idp.transaction import UnitOfWork


def addresses(work: UnitOfWork, session: BrowserSession) -> list[str]:
    """One for each application that took part in the session and has such an address; with ``iss``
    and ``sid`` if it needs them (section 2)."""
    query = (
        select(
            Client.frontchannel_logout_uri,
            Client.frontchannel_logout_session_required,
            ClientSession.sid,
        )
        .join(Client, Client.id == ClientSession.client_id)
        .where(
            ClientSession.session_id == session.id,
            Client.frontchannel_logout_uri != "",
            Client.disabled_at.is_(None),
        )
        .order_by(Client.id)
    )
    return [
        _with_session(uri, work.settings.issuer, sid) if is_required else uri
        for uri, is_required, sid in work.db.execute(query)
    ]


def _with_session(uri: str, issuer: str, sid: str) -> str:
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode({"iss": issuer, "sid": sid}))))
    return urlunsplit(parts._replace(query=query))
