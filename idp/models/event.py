"""The audit trail. Events are inserted in the transaction of the change; the worker seals them into
a hash chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account


class Event(Base):
    """One security event. ``data`` has further details, never a secret."""

    __tablename__ = "event"

    id: Mapped[PrimaryKey]
    at: Mapped[datetime]
    #: Dotted name, such as ``signin.succeeded``.
    name: Mapped[str] = mapped_column(String(60))
    #: ``ok`` or ``refused``.
    outcome: Mapped[str] = mapped_column(String(10))
    #: The name of the refusal, if ``refused``.
    reason: Mapped[str | None] = mapped_column(String(60))
    #: The account concerned.
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(Account.id))
    #: The actor, if it is not the account itself: an operator, a command or a client.
    actor: Mapped[str | None] = mapped_column(String(320))
    client_id: Mapped[str | None] = mapped_column(String(100))
    session_id: Mapped[str | None] = mapped_column(String(40))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    request_id: Mapped[str | None] = mapped_column(String(40))
    data: Mapped[dict[str, Any]]
    #: Sequence number and seal; None until sealed.
    seq: Mapped[int | None] = mapped_column(BigId, unique=True)
    seal: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("ix_event_account_id_at", "account_id", "at"),
        Index("ix_event_at", "at"),
        Index("ix_event_name_at", "name", "at"),
        # Few events name an operator or a command.
        partial_index(
            "ix_event_actor_at",
            "actor",
            "at",
            where=text("actor IS NOT NULL"),
        ),
        # For the events of a client, newest first, ordered by id.
        partial_index(
            "ix_event_client_id_id",
            "client_id",
            "id",
            where=text("client_id IS NOT NULL"),
        ),
    )


class ChainHead(Base):
    """The head of the chain: a single row, so that two sealers cannot both extend it."""

    __tablename__ = "chain_head"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    seq: Mapped[int] = mapped_column(BigId)
    seal: Mapped[str] = mapped_column(String(64))
