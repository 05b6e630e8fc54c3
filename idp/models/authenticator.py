"""Second factors of an account: authenticator apps and recovery codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey


class Authenticator(Base):
    """An authenticator app (TOTP, RFC 6238). Counts once it is confirmed by a code."""

    __tablename__ = "authenticator"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(60))
    #: The shared secret in base32, sealed.
    secret_sealed: Mapped[str] = mapped_column(Text)
    #: The last time step of which a code was accepted: no code counts twice (N64).
    last_step: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_authenticator_account_id_removed_at", "account_id", "removed_at"),)


class RecoveryCode(Base):
    """A code on paper, for when the telephone is gone; each works once (N65)."""

    __tablename__ = "recovery_code"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_recovery_code_account_id_used_at", "account_id", "used_at"),)
