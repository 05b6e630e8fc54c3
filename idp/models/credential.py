"""Passwords, links and codes of accounts, recovery, and verified callers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey
from idp.models.account import Account


class PasswordHistory(Base):
    """Hashes of the account's last passwords, including the current one (PW-08, PW-11)."""

    __tablename__ = "password_history"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class Link(Base):
    """A one-time link: its purpose, account, expiry and use."""

    __tablename__ = "link"

    id: Mapped[PrimaryKey]
    purpose: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
    #: Whether the security question is asked too: yes if the holder requested the link (Z-02).
    asks_question: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: The number of reminders sent before it expires.
    reminders: Mapped[int] = mapped_column(default=0, server_default="0")

    __table_args__ = (Index("ix_link_expires_at", "expires_at"),)


class TemporaryPassword(Base):
    """A password that Customer Relations reads aloud, valid for one sign-in (CR-05, CR-06)."""

    __tablename__ = "temporary_password"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    issued_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]

    # For the list of those that wait.
    __table_args__ = (Index("ix_temporary_password_expires_at", "expires_at"),)


class OneTimeCode(Base):
    """A six-digit code, bound to the flow that requested it."""

    __tablename__ = "one_time_code"

    id: Mapped[PrimaryKey]
    purpose: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    #: Digest of the flow's secret: a code is invalid in any other flow.
    flow: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    #: The number it was sent to, if the code verifies that number.
    destination: Mapped[str] = mapped_column(String(320), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_one_time_code_expires_at", "expires_at"),
        # For the limits per number.
        Index("ix_one_time_code_destination_created_at", "destination", "created_at"),
    )


class RecoveryRequest(Base):
    """A request for account recovery, as entered. The worker looks up the account, so that the page
    takes the same time whether the account exists or not (N48)."""

    __tablename__ = "recovery_request"

    id: Mapped[PrimaryKey]
    #: ``reset`` or ``unlock``.
    goal: Mapped[str] = mapped_column(String(10))
    #: ``mail`` or ``sms``.
    channel: Mapped[str] = mapped_column(String(10))
    typed_sealed: Mapped[str] = mapped_column(Text)
    flow: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    request_id: Mapped[str | None] = mapped_column(String(40))
    #: The request as W3C Trace Context names it.
    traceparent: Mapped[str | None] = mapped_column(String(55))
    created_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_recovery_request_processed_at_id", "processed_at", "id"),)


class CallerVerification(Base):
    """An agent's verification of a caller; actions need an active one (CR-02)."""

    __tablename__ = "caller_verification"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    agent_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    #: The names of the facts that matched, never their values.
    facts: Mapped[list[str]]
    #: The reference of the call in the ticket system.
    ticket: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    #: When the caller read back the code that was sent to a registered address.
    code_confirmed_at: Mapped[datetime | None]
    #: When an agent found that the caller is not the holder.
    denied_at: Mapped[datetime | None]
    #: When the holder reported that they are not on this call.
    disowned_at: Mapped[datetime | None]
