"""Browser sessions, known browsers and failed attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import UNNESTED, Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account


class BrowserSession(Base):
    """A signed-in browser. Only a keyed digest of the cookie is stored."""

    __tablename__ = "browser_session"

    id: Mapped[PrimaryKey]
    #: Identifies the session on pages and in the audit trail; grants no access.
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: Of the cookie that names all sessions of the browser, if it has several.
    accounts_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    #: The time of the last authentication: ``auth_time`` in ID tokens.
    auth_time: Mapped[datetime]
    expires_at: Mapped[datetime]
    acr: Mapped[str] = mapped_column(String(100))
    amr: Mapped[list[str]]
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    #: When a factor was last verified in this session for a change of the account (N66).
    proved_at: Mapped[datetime | None]
    #: When a second factor was last verified in this session, including at sign-in.
    factor_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(40))

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=UNNESTED)

    __table_args__ = (Index("ix_browser_session_account_id_ended_at", "account_id", "ended_at"),)


#: Serve the search for sessions that run out.
for _column in (BrowserSession.last_seen_at, BrowserSession.expires_at):
    partial_index(
        f"ix_browser_session_live_{_column.key}",
        _column,
        where=BrowserSession.ended_at.is_(None),
    )


class ClientSession(Base):
    """A relying party in a session, with its own ``sid``."""

    __tablename__ = "client_session"

    session_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("browser_session.id"), primary_key=True
    )
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"), primary_key=True)
    sid: Mapped[str] = mapped_column(String(40), unique=True)
    created_at: Mapped[datetime]


class KnownBrowser(Base):
    """A browser in which an account has signed in. Only a keyed digest of its cookie is stored,
    which changes at each sign-in. A browser can be known to several accounts."""

    __tablename__ = "known_browser"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    #: When a second factor was last verified in this browser; it applies to this browser only.
    proved_at: Mapped[datetime | None]
    #: How long the browser is remembered, if the holder chose that.
    remembered_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_known_browser_account_id_last_seen_at", "account_id", "last_seen_at"),
        Index("ix_known_browser_last_seen_at", "last_seen_at"),
    )


class Throttle(Base):
    """Failed attempts counted under a key, and the end of a lock-out (N49 to N51)."""

    __tablename__ = "throttle"

    id: Mapped[PrimaryKey]
    key: Mapped[str] = mapped_column(String(100), unique=True)
    #: The account; None for unknown names.
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    #: Times of the failures in the window, in seconds since the epoch.
    failures: Mapped[list[float]]
    locked_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("ix_throttle_updated_at", "updated_at"),)
