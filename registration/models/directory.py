"""Persons, accounts, organizations, participations and sections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, inspect
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from registration.models.base import ACTOR, REASON, Base, Held, Versioned
from service_base.database import BigId, PrimaryKey


class Counter(Base):
    """The last number that was given out; numbers are never given out again."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    last: Mapped[int] = mapped_column(BigId)


def name_of(first: str, middle: str, last: str) -> str:
    """First, middle and last name."""
    return " ".join(part for part in (first, middle, last) if part)


def participation_state(
    at: datetime, applied_at: datetime, approved_at: datetime | None, ended_at: datetime | None
) -> str | None:
    """``applied``, ``approved`` or ``ended`` at this moment; None before it was applied for."""
    if at < applied_at:
        return None
    if ended_at is not None and ended_at <= at:
        return "ended"
    return "approved" if approved_at is not None and approved_at <= at else "applied"


class Person(Versioned, Base):
    """A person and what is registered of him (RG-03). Former values are in the history (RG-08)."""

    __tablename__ = "person"

    id: Mapped[PrimaryKey]
    #: Never changed and never given to anybody else (RG-02).
    person_id: Mapped[str] = mapped_column(String(40), unique=True)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    middle_name: Mapped[str] = mapped_column(String(100), default="")
    preferred_name: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[str] = mapped_column(String(100), default="")
    main_phone: Mapped[str] = mapped_column(String(40), default="")
    main_phone_extension: Mapped[str] = mapped_column(String(10), default="")
    alternate_phone_1: Mapped[str] = mapped_column(String(40), default="")
    alternate_phone_2: Mapped[str] = mapped_column(String(40), default="")
    fax: Mapped[str] = mapped_column(String(40), default="")
    main_email: Mapped[str] = mapped_column(String(254))
    alternate_email_1: Mapped[str] = mapped_column(String(254), default="")
    alternate_email_2: Mapped[str] = mapped_column(String(254), default="")
    address_1: Mapped[str] = mapped_column(String(120), default="")
    address_2: Mapped[str] = mapped_column(String(120), default="")
    address_3: Mapped[str] = mapped_column(String(120), default="")
    address_4: Mapped[str] = mapped_column(String(120), default="")
    city: Mapped[str] = mapped_column(String(80), default="")
    province: Mapped[str] = mapped_column(String(80), default="")
    postal_code: Mapped[str] = mapped_column(String(20), default="")
    country: Mapped[str] = mapped_column(String(80), default="")
    contact_notes: Mapped[str] = mapped_column(String(1000), default="")
    #: Of mails: ``en`` or ``fr``.
    language: Mapped[str] = mapped_column(String(2), default="en")
    #: Last, then first, middle and preferred name, for searches (``person_search.search_key``).
    search_key: Mapped[str] = mapped_column(String(420))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_person_last_name", "last_name", "first_name"),
        CheckConstraint("language IN ('en', 'fr')", name="language"),
    )

    @property
    def full_name(self) -> str:
        """First, middle and last name."""
        return name_of(self.first_name, self.middle_name, self.last_name)


class Organization(Versioned, Base):
    """A market participant, a service provider, or one that has applied to be one."""

    __tablename__ = "organization"

    id: Mapped[PrimaryKey]
    #: Never changed and never given to another one.
    organization_id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    #: When it applied to take part in the market or as a service provider. Its people get no
    #: accounts before (TM-08).
    applied_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Market(Base):
    """What an organization can take part in: a market, a program, or a kind of service."""

    __tablename__ = "market"

    id: Mapped[PrimaryKey]
    code: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_fr: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    #: The order of headings.
    position: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        CheckConstraint("kind IN ('market', 'program', 'service_provider')", name="kind"),
    )


class Participation(Versioned, Base):
    """An organization takes part in a market (RG-12). Each application is a row of its own."""

    __tablename__ = "participation"

    id: Mapped[PrimaryKey]
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    market_id: Mapped[int] = mapped_column(BigId, ForeignKey("market.id"), index=True)
    applied_at: Mapped[datetime]
    applied_by: Mapped[str] = mapped_column(ACTOR)
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str] = mapped_column(ACTOR, default="")
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(ACTOR, default="")
    ended_why: Mapped[str] = mapped_column(REASON, default="")

    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)
    market: Mapped[Market] = relationship(lazy="joined", innerjoin=True)

    def state_at(self, at: datetime) -> str | None:
        """``applied``, ``approved`` or ``ended`` at this moment; None before it was applied for."""
        return participation_state(at, self.applied_at, self.approved_at, self.ended_at)


class Section(Held, Base):
    """A desk of an organization with a telephone number and an address (CO-03). Its values are
    changed; the former ones are in the history."""

    __tablename__ = "section"

    id: Mapped[PrimaryKey]
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str] = mapped_column(String(40), default="")
    email: Mapped[str] = mapped_column(String(254), default="")

    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)


class Account(Versioned, Base):
    """An account at the gateway, as registration ordered it. The link to its person or machine is
    permanent (RG-10)."""

    __tablename__ = "account"

    id: Mapped[PrimaryKey]
    #: Our id for it at the gateway (``externalId``).
    external_id: Mapped[str] = mapped_column(String(60), unique=True)
    #: ``person``, ``machine`` or ``email``.
    kind: Mapped[str] = mapped_column(String(10))
    #: None: the account of a machine.
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    #: The only organization that a second account acts for (UI-10).
    only_organization_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("organization.id"), index=True
    )
    #: The user name and the id at the gateway. None until the gateway made it.
    username: Mapped[str | None] = mapped_column(String(254), unique=True)
    scim_id: Mapped[str | None] = mapped_column(String(60), unique=True)
    #: When somebody signed in with it for the first time here.
    first_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(ACTOR)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(ACTOR, default="")
    ended_why: Mapped[str] = mapped_column(REASON, default="")

    person: Mapped[Person | None] = relationship(lazy="joined")

    __table_args__ = (
        CheckConstraint("kind IN ('person', 'machine', 'email')", name="kind"),
        CheckConstraint("(kind = 'machine') = (person_id IS NULL)", name="holder"),
    )

    @validates("person_id", "person", "kind")
    def _never_changes(self, name: str, value: Any) -> Any:
        """RG-10: an account that is stored stays that of its person. Raises ValueError."""
        if inspect(self).persistent and value != getattr(self, name):
            raise ValueError(f"the {name} of an account never changes")
        return value
