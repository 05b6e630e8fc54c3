"""Changes of clients that need a second operator's approval."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import UNNESTED, Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account


class ProposalKind(StrEnum):
    """The kind of change."""

    CREATE = "create"
    UPDATE = "update"
    SECRET = "secret"  # noqa: S105 - a word
    ENABLE = "enable"


class ClientProposal(Base):
    """One change, proposed by one operator and never edited. ``seal`` covers everything that a
    second operator confirms."""

    __tablename__ = "client_proposal"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[ProposalKind] = mapped_column(String(10))
    client_id: Mapped[str] = mapped_column(String(100))
    #: The new registration, the visible role groups, or the hours of an overlap.
    data: Mapped[dict[str, Any]]
    #: Digest of the registration at that time: if it changed since, the proposal is invalid.
    base: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))
    proposed_by: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"))
    #: ``confirmed``, ``withdrawn`` or ``expired``.
    outcome: Mapped[str | None] = mapped_column(String(10))

    proposer: Mapped[Account] = relationship(
        lazy="joined", innerjoin=UNNESTED, foreign_keys=[proposed_by]
    )

    __table_args__ = (
        partial_index(
            "ix_client_proposal_open",
            "expires_at",
            where=text("decided_at IS NULL"),
        ),
    )
