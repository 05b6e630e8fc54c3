"""Signing keys. Their private keys are encrypted."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, PrimaryKey, partial_index


class KeyState(StrEnum):
    """``next`` is published but does not sign yet; ``retired`` only verifies."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class SigningKey(Base):
    """One key pair. ``kid`` is its RFC 7638 thumbprint."""

    __tablename__ = "signing_key"

    id: Mapped[PrimaryKey]
    kid: Mapped[str] = mapped_column(String(64), unique=True)
    alg: Mapped[str] = mapped_column(String(10))
    state: Mapped[KeyState] = mapped_column(String(10))
    public_jwk: Mapped[dict[str, Any]]
    private_sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    __table_args__ = (
        # At most one active and one next key per algorithm, even with concurrent processes.
        partial_index(
            "uq_signing_key_alg_state",
            "alg",
            "state",
            unique=True,
            where=text("state IN ('next', 'active')"),
        ),
    )
