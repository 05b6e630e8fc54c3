"""Verification methods of an account: apps, passkeys, codes by text message and mail, the security
question, recovery codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey
from idp.mfa.assurance import FactorKind
from idp.models.account import Account


class Authenticator(Base):
    """A second factor of an account. It is valid once it is confirmed."""

    __tablename__ = "authenticator"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id))
    kind: Mapped[FactorKind] = mapped_column(String(10), server_default=text("'totp'"))
    name: Mapped[str] = mapped_column(String(60))
    is_preferred: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: App: the shared secret in base32, encrypted.
    secret_sealed: Mapped[str] = mapped_column(Text, default="")
    #: App: the last time step accepted; no code is accepted twice (N64).
    last_step: Mapped[int] = mapped_column(BigId, default=0)
    #: Text message: the number in E.164.
    destination: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    #: Passkey: credential id and public key (COSE), base64url.
    credential_id: Mapped[str | None] = mapped_column(String(1400), unique=True)
    public_key: Mapped[str | None] = mapped_column(Text)
    #: Passkey: the highest signature counter seen; a lower one indicates a clone.
    sign_count: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    #: Passkey: backup eligible, and backed up.
    is_synced: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_backed_up: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Passkey: its transports, separated by commas.
    transports: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_authenticator_account_id_removed_at", "account_id", "removed_at"),)


class SecurityAnswer(Base):
    """The chosen question and the hash of the normalized answer (MF-05, MF-06)."""

    __tablename__ = "security_answer"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id), unique=True)
    #: The name of the question in the pool.
    question: Mapped[str] = mapped_column(String(40))
    answer_hash: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime]


class SpentChallenge(Base):
    """A challenge or proof that was used and is not accepted again (N67). Challenges are signed and
    contain session, purpose and time, so that unused ones are not stored."""

    __tablename__ = "spent_challenge"

    id: Mapped[PrimaryKey]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class RecoveryCode(Base):
    """A printed code for a holder without the telephone, valid once (N65)."""

    __tablename__ = "recovery_code"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey(Account.id))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_recovery_code_account_id_used_at", "account_id", "used_at"),)
