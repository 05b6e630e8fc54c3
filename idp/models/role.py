"""Participants and role groups."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey, partial_index


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
