"""Participants, role groups and assignments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    ForeignKey,
    String,
    Table,
    and_,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey, partial_index

#: The relying parties that see a role group. The gateway's own groups have none.
client_role_group = Table(
    "client_role_group",
    Base.metadata,
    Column("client_id", BigId, ForeignKey("client.id"), primary_key=True),
    Column("role_group_id", BigId, ForeignKey("role_group.id"), primary_key=True, index=True),
)


class Participant(Base):
    """An organization in the market; ``number`` is its public id, such as 109120."""

    __tablename__ = "participant"

    id: Mapped[PrimaryKey]
    number: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    #: Case-folded, for prefix searches by name.
    name_key: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    #: The registration system's id, if it is not the number.
    external_id: Mapped[str | None] = mapped_column(String(200), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    #: When the participant ended: since then no role group is held or granted there.
    ended_at: Mapped[datetime | None]
    #: When registration removed it.
    removed_at: Mapped[datetime | None]


class Participation(Base):
    """A market, program or service that a participant takes part in. Rows are never deleted, so
    that the history is known."""

    __tablename__ = "participation"

    id: Mapped[PrimaryKey]
    participant_id: Mapped[int] = mapped_column(BigId, ForeignKey("participant.id"))
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


# At most one current row; also the index for checking a participant's participations.
partial_index(
    "uq_participation_running",
    Participation.participant_id,
    Participation.name,
    unique=True,
    where=Participation.ended_at.is_(None),
)


class RoleGroup(Base):
    """An access role (manual), shown to relying parties in ``groups``."""

    __tablename__ = "role_group"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(500), default="")
    #: The same on French pages; empty: as above. Claims always have ``name``.
    name_fr: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    description_fr: Mapped[str] = mapped_column(String(500), default="", server_default=text("''"))
    #: The kind of account that may hold it (MA-04, EN-03): a value of ``AccountKind``.
    kind: Mapped[str] = mapped_column(String(10), default="personal")
    #: The second-factor rule for its holders, as for clients.
    second_factor: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    #: The participation that it requires; empty: none.
    participation: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    created_at: Mapped[datetime]


class Assignment(Base):
    """A role group held by an account for a participant. Rows are never deleted, so that the
    history is known."""

    __tablename__ = "assignment"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    role_group_id: Mapped[int] = mapped_column(BigId, ForeignKey("role_group.id"), index=True)
    participant_id: Mapped[int] = mapped_column(BigId, ForeignKey("participant.id"), index=True)
    granted_at: Mapped[datetime]
    granted_by: Mapped[str] = mapped_column(String(320))
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(320))
    #: Start and end of validity; None: unlimited.
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None] = mapped_column(index=True)
    #: Who requested it in the registration system, and the request number.
    requested_by: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    request_number: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))

    role_group: Mapped[RoleGroup] = relationship(lazy="joined", innerjoin=True)
    participant: Mapped[Participant] = relationship(lazy="joined", innerjoin=True)

    @classmethod
    def is_effective(cls, now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
        """The condition for assignments in effect: not revoked, started and not expired."""
        return and_(
            cls.revoked_at.is_(None),
            or_(cls.valid_from.is_(None), cls.valid_from <= now),
            or_(cls.valid_until.is_(None), cls.valid_until > now),
        )


# At most one current row; also the index for an account's groups in tokens.
partial_index(
    "uq_assignment_active",
    Assignment.account_id,
    Assignment.role_group_id,
    Assignment.participant_id,
    unique=True,
    where=Assignment.revoked_at.is_(None),
)
