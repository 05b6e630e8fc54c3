"""Machines: programs with an account, their custodians and networks (MA-01 to MA-11)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registration.models.base import ACTOR, Base, Held, Versioned
from registration.models.directory import Account, Organization, Person
from service_base.database import BigId, PrimaryKey


class Machine(Versioned, Base):
    """A program and its account, which works for one organization."""

    __tablename__ = "machine"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"), unique=True)
    organization_id: Mapped[int] = mapped_column(BigId, ForeignKey("organization.id"), index=True)
    description: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(ACTOR)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)


class Custody(Held, Base):
    """A person answers for a machine. There is one custodian at a time (MA-03)."""

    __tablename__ = "custody"

    id: Mapped[PrimaryKey]
    machine_id: Mapped[int] = mapped_column(BigId, ForeignKey("machine.id"), index=True)
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)

    machine: Mapped[Machine] = relationship(lazy="joined", innerjoin=True)
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index(
            "uq_custody_open", "machine_id", unique=True,
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip


class MachineNetwork(Held, Base):
    """A network from which a machine may be used (MA-02)."""

    __tablename__ = "machine_network"

    id: Mapped[PrimaryKey]
    machine_id: Mapped[int] = mapped_column(BigId, ForeignKey("machine.id"), index=True)
    network: Mapped[str] = mapped_column(String(50))
    label: Mapped[str] = mapped_column(String(80), default="")

    machine: Mapped[Machine] = relationship(lazy="joined", innerjoin=True)
