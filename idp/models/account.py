"""People and their accounts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey


class AccountKind(StrEnum):
    """What an account is for (manual 2.1, 7.6)."""

    PERSONAL = "personal"
    MACHINE = "machine"
    EMAIL = "email"


class AccountState(StrEnum):
    """Where an account is in its life. Deactivated is final."""

    PENDING = "pending"
    ACTIVE = "active"
    LOCKED = "locked"
    RESET_REQUIRED = "reset_required"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"


class Person(Base):
    """A person of a participant; also the custodian of machine accounts."""

    __tablename__ = "person"

    id: Mapped[PrimaryKey]
    #: The Person ID that the registration system gives and people quote; never changes.
    person_id: Mapped[str] = mapped_column(String(40), unique=True)
    given_name: Mapped[str] = mapped_column(String(100))
    middle_name: Mapped[str] = mapped_column(String(100), default="")
    family_name: Mapped[str] = mapped_column(String(100))
    preferred_name: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(320))
    #: Case-folded, for look-ups.
    email_key: Mapped[str] = mapped_column(String(320))
    #: E.164, or empty.
    phone: Mapped[str] = mapped_column(String(20), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("ix_person_email_key", "email_key"),)

    @property
    def full_name(self) -> str:
        """Given and family name, as shown."""
        return f"{self.given_name} {self.family_name}".strip()


class Account(Base):
    """One login. ``username`` and ``subject`` belong to it for ever (N81)."""

    __tablename__ = "account"

    id: Mapped[PrimaryKey]
    #: The ``sub`` of tokens: random and permanent.
    subject: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[AccountKind] = mapped_column(String(10))
    state: Mapped[AccountState] = mapped_column(String(20))
    state_changed_at: Mapped[datetime]
    username: Mapped[str] = mapped_column(String(320))
    #: Case-folded and NFKC: one name whatever the spelling.
    username_key: Mapped[str] = mapped_column(String(320), unique=True)
    #: The holder, or for a machine account its custodian.
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    password_changed_at: Mapped[datetime | None]
    locale: Mapped[str] = mapped_column(String(5), default="en")
    #: Whether the holder chose the language; until then pages follow the browser.
    locale_is_chosen: Mapped[bool] = mapped_column(default=False)
    zoneinfo: Mapped[str] = mapped_column(String(40), default="America/Toronto")
    activated_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class PasswordHistory(Base):
    """Hashes of the last passwords of an account, the present one included (PW-08, PW-11)."""

    __tablename__ = "password_history"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class Link(Base):
    """A one-time secret sent to its owner: purpose, owner, life, and when it was spent."""

    __tablename__ = "link"

    id: Mapped[PrimaryKey]
    purpose: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
