"""Factors of an account beside its password: apps, passkeys, codes by text and by mail, the
security question, recovery codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey
from idp.mfa.assurance import FactorKind


class Authenticator(Base):
    """A second factor of an account. Counts once its holder has confirmed it."""

    __tablename__ = "authenticator"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    kind: Mapped[FactorKind] = mapped_column(String(10), server_default=text("'totp'"))
    name: Mapped[str] = mapped_column(String(60))
    is_preferred: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Of an app: the shared secret in base32, sealed.
    secret_sealed: Mapped[str] = mapped_column(Text, default="")
    #: Of an app: the last time step of which a code was accepted: none counts twice (N64).
    last_step: Mapped[int] = mapped_column(BigId, default=0)
    #: Of text messages: the number in E.164.
    destination: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    #: Of a passkey: its id and public key (COSE), base64url.
    credential_id: Mapped[str | None] = mapped_column(String(1400), unique=True)
    public_key: Mapped[str | None] = mapped_column(Text)
    #: Of a passkey: the highest signature counter seen; a copy shows by a lower one.
    sign_count: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    #: Of a passkey: whether it can leave its device (backup eligible), and whether it did.
    is_synced: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_backed_up: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Of a passkey: how browsers reach it, separated by commas.
    transports: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_authenticator_account_id_removed_at", "account_id", "removed_at"),)


class SecurityAnswer(Base):
    """The question that the holder chose, and the hash of the normalised answer (MF-05, MF-06)."""

    __tablename__ = "security_answer"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), unique=True)
    #: Name of a question of the pool.
    question: Mapped[str] = mapped_column(String(40))
    answer_hash: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime]


class SpentChallenge(Base):
    """A WebAuthn challenge that was answered; none counts twice (N67). Challenges prove by
    themselves who made them for which session and purpose, and when."""

    __tablename__ = "spent_challenge"

    id: Mapped[PrimaryKey]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


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
