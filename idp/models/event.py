"""The audit trail. Rows are written with the change; the worker seals them into a chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey


class Event(Base):
    """One security event. ``data`` holds what else is worth knowing, never a secret."""

    __tablename__ = "event"

    id: Mapped[PrimaryKey]
    at: Mapped[datetime]
    #: Dotted name, such as ``signin.succeeded``.
    name: Mapped[str] = mapped_column(String(60))
    #: ``ok`` or ``refused``.
    outcome: Mapped[str] = mapped_column(String(10))
    #: The named refusal, for ``refused``.
    reason: Mapped[str | None] = mapped_column(String(60))
    #: Whom it is about.
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"))
    #: Who did it, when that is not the account itself: an operator, a command, a client.
    actor: Mapped[str | None] = mapped_column(String(320))
    client_id: Mapped[str | None] = mapped_column(String(100))
    session_id: Mapped[str | None] = mapped_column(String(40))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    request_id: Mapped[str | None] = mapped_column(String(40))
    data: Mapped[dict[str, Any]]
    #: Place in the chain and seal over the one before; None until sealed.
    seq: Mapped[int | None] = mapped_column(BigId, unique=True)
    seal: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("ix_event_account_id_at", "account_id", "at"),
        Index("ix_event_at", "at"),
        Index("ix_event_name_at", "name", "at"),
        # Operators and commands are named in few events.
        Index(
            "ix_event_actor_at",
            "actor",
            "at",
            sqlite_where=text("actor IS NOT NULL"),
            postgresql_where=text("actor IS NOT NULL"),
        ),
        # The trail of a client, newest first: by id, as it is shown and paged.
        Index(
            "ix_event_client_id_id",
            "client_id",
            "id",
            sqlite_where=text("client_id IS NOT NULL"),
            postgresql_where=text("client_id IS NOT NULL"),
        ),
    )


class ChainHead(Base):
    """The end of the chain: one row, so that two sealers cannot both extend it."""

    __tablename__ = "chain_head"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    seq: Mapped[int] = mapped_column(BigId)
    seal: Mapped[str] = mapped_column(String(64))
