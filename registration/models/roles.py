"""The catalogue of roles, appointments, and who holds which role."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registration.models.base import Base, Held
from registration.models.directory import Account, Market, Organization, Person, Section
from service_base.database import BigId, PrimaryKey


class ContactRole(Base):
    """A role of the catalogue by which the IESO reaches people or sections (CO-08)."""

    __tablename__ = "contact_role"

    id: Mapped[PrimaryKey]
    code: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_fr: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(500), default="")
    description_fr: Mapped[str] = mapped_column(String(500), default="")
    #: ``person``, ``section`` or ``both``.
    held_by: Mapped[str] = mapped_column(String(10))
    minimum: Mapped[int] = mapped_column(default=0)
    #: None: as many as wanted.
    maximum: Mapped[int | None]
    #: Codes of contact roles that nobody may hold beside it (CO-05).
    exclusive_with: Mapped[list[str]] = mapped_column(JSON)
    #: Codes of markets, of which the organization takes part in one; empty: in any.
    markets: Mapped[list[str]] = mapped_column(JSON)
    #: Role groups at the gateway; empty: it gives no access to a system (CO-07).
    role_groups: Mapped[list[str]] = mapped_column(JSON)
    #: ``ar``, ``pc``, ``ra`` or ``apprep`` when it is given by appointment only.
    office: Mapped[str | None] = mapped_column(String(10))
    #: Whether the manual cannot be read there, and we filled in what it may have said.
    is_guessed: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        CheckConstraint("held_by IN ('person', 'section', 'both')", name="held_by"),
        CheckConstraint("minimum >= 0 AND (maximum IS NULL OR maximum >= minimum)", name="bounds"),
    )


class AccessRole(Base):
    """A role of the catalogue that opens systems, under the heading of a market (AR-03, AR-12)."""

    __tablename__ = "access_role"

    id: Mapped[PrimaryKey]
    code: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_fr: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(500), default="")
    description_fr: Mapped[str] = mapped_column(String(500), default="")
    #: Whose account it is for: ``person``, ``machine`` or ``email``.
    kind: Mapped[str] = mapped_column(String(10))
    market_id: Mapped[int] = mapped_column(BigId, ForeignKey("market.id"), index=True)
    #: What it means at the gateway.
    role_groups: Mapped[list[str]] = mapped_column(JSON)
    position: Mapped[int] = mapped_column(default=0)

    market: Mapped[Market] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (CheckConstraint("kind IN ('person', 'machine', 'email')", name="kind"),)


class Appointment(Held, Base):
    """A person holds an office at an organization."""

    __tablename__ = "appointment"

    id: Mapped[PrimaryKey]
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    #: ``ar``, ``pc``, ``ra`` or ``apprep``.
    office: Mapped[str] = mapped_column(String(10))
    #: The letter by which the IESO appointed a first AR (TM-02).
    letter_reference: Mapped[str] = mapped_column(String(80), default="")

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        CheckConstraint("office IN ('ar', 'pc', 'ra', 'apprep')", name="office"),
        Index(
            "uq_appointment_open", "organization_id", "person_id", "office",
            unique=True, sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip


class ContactAssignment(Held, Base):
    """A person or a section of an organization holds a contact role there."""

    __tablename__ = "contact_assignment"

    id: Mapped[PrimaryKey]
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    contact_role_id: Mapped[int] = mapped_column(BigId, ForeignKey("contact_role.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    section_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("section.id"), index=True)

    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)
    contact_role: Mapped[ContactRole] = relationship(lazy="joined", innerjoin=True)
    person: Mapped[Person | None] = relationship(lazy="joined")
    section: Mapped[Section | None] = relationship(lazy="joined")

    __table_args__ = (
        CheckConstraint("(person_id IS NULL) <> (section_id IS NULL)", name="holder"),
        Index(
            "uq_contact_assignment_person", "organization_id", "contact_role_id", "person_id",
            unique=True, sqlite_where=text("ended_at IS NULL AND person_id IS NOT NULL"),
            postgresql_where=text("ended_at IS NULL AND person_id IS NOT NULL"),
        ),
        Index(
            "uq_contact_assignment_section", "organization_id", "contact_role_id", "section_id",
            unique=True, sqlite_where=text("ended_at IS NULL AND section_id IS NOT NULL"),
            postgresql_where=text("ended_at IS NULL AND section_id IS NOT NULL"),
        ),
    )  # fmt: skip


class AccessAssignment(Held, Base):
    """An account, of a person or a machine, has an access role at an organization (AR-06)."""

    __tablename__ = "access_assignment"

    id: Mapped[PrimaryKey]
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    access_role_id: Mapped[int] = mapped_column(BigId, ForeignKey("access_role.id"), index=True)
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    #: The request by which it was given.
    request_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("request.id"), index=True)
    #: Whether the giver attested who the holder is (TM-09).
    is_attested: Mapped[bool] = mapped_column(default=False)

    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)
    access_role: Mapped[AccessRole] = relationship(lazy="joined", innerjoin=True)
    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index(
            "uq_access_assignment_open", "organization_id", "access_role_id", "account_id",
            unique=True, sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip
