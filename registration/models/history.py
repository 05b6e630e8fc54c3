"""The history: append-only, sealed in a chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from registration.models.base import ACTOR, REASON, Base
from service_base.database import BigId, PrimaryKey


class History(Base):
    """What was changed: who, when, on whose behalf, before, after, and why (TM-12, RG-08)."""

    __tablename__ = "history"

    id: Mapped[PrimaryKey]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(ACTOR, index=True)
    #: The person in whose name a program acted; empty: in its own.
    on_behalf_of: Mapped[str] = mapped_column(ACTOR, default="")
    #: What was done, such as ``access.granted``.
    action: Mapped[str] = mapped_column(String(60), index=True)
    #: Where, whose and on which account: for lists.
    organization_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("organization.id"))
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    request_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("request.id"), index=True)
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(REASON, default="")
    #: Its place in the chain and its seal. None until the worker sealed it.
    seq: Mapped[int | None] = mapped_column(BigId, unique=True)
    seal: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        Index("ix_history_organization_at", "organization_id", "at"),
        # The newest of an organization, without those of others.
        Index("ix_history_organization_newest", "organization_id", "id"),
    )


class HistoryHead(Base):
    """The last seal of the chain."""

    __tablename__ = "history_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigId)
    seal: Mapped[str] = mapped_column(String(80))
