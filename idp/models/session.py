"""Browser sessions, known browsers, the keys that both are bound to, and failed attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import UNNESTED, Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account
from idp.models.client import Client


class DeviceBinding(Base):
    """A key that a browser keeps on its computer and does not hand out (Device Bound Session
    Credentials). Sessions and known browsers that are bound to it need a recent proof of it."""

    __tablename__ = "device_binding"

    id: Mapped[PrimaryKey]
    #: The ``session_identifier`` for the browser; grants no access.
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    #: The public key (JWK) and the algorithm that it signs by.
    public_key: Mapped[dict[str, Any]]
    algorithm: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    #: When, from where and by which program the key was last proved.
    proved_at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    ended_at: Mapped[datetime | None]


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
    #: The key of the browser without whose proof the session cookie opens nothing, and since when.
    binding_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("device_binding.id"), index=True
    )
    bound_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=UNNESTED)
    binding: Mapped[DeviceBinding | None] = relationship(lazy="joined")

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
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey(Client.id), primary_key=True)
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
    #: The key of the browser without whose proof it is not recognised.
    binding_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("device_binding.id"), index=True
    )

    binding: Mapped[DeviceBinding | None] = relationship(lazy="joined")

    __table_args__ = (
        Index("ix_known_browser_account_id_last_seen_at", "account_id", "last_seen_at"),
        Index("ix_known_browser_last_seen_at", "last_seen_at"),
    )


class FormerBrowserCookie(Base):
    """A former value of the cookie of a known browser. To use it again shows a copy."""

    __tablename__ = "former_browser_cookie"

    id: Mapped[PrimaryKey]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    browser_id: Mapped[int] = mapped_column(BigId, ForeignKey("known_browser.id"), index=True)
    replaced_at: Mapped[datetime] = mapped_column(index=True)

    browser: Mapped[KnownBrowser] = relationship(lazy="joined", innerjoin=UNNESTED)


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
