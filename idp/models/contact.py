"""Contacts of participants."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Person


class Contact(Base):
    """A contact of a participant. Rows are never deleted, so that the history is known."""

    __tablename__ = "contact"

    id: Mapped[PrimaryKey]
    participant_id: Mapped[int] = mapped_column(BigId, ForeignKey("participant.id"))
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    function: Mapped[str] = mapped_column(String(30))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


# At most one current row.
partial_index(
    "uq_contact_running",
    Contact.participant_id,
    Contact.person_id,
    Contact.function,
    unique=True,
    where=Contact.ended_at.is_(None),
)
