"""Sessions of people who signed in at the gateway."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registration.models.base import Base
from registration.models.directory import Person
from service_base.database import BigId, PrimaryKey


class Session(Base):
    """One sign-in of a person in one browser. The browser has a random token, the row its keyed
    digest."""

    __tablename__ = "session"

    id: Mapped[PrimaryKey]
    digest: Mapped[str] = mapped_column(String(60), unique=True)
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    #: The session at the gateway, and the account there (OpenID Connect ``sid`` and ``sub``).
    sid: Mapped[str] = mapped_column(String(80), index=True)
    subject: Mapped[str] = mapped_column(String(80), index=True)
    username: Mapped[str] = mapped_column(String(254))
    #: How the person proved who it is, and when.
    acr: Mapped[str] = mapped_column(String(80))
    authenticated_at: Mapped[datetime]
    #: Role groups of this application, as the gateway named them.
    role_groups: Mapped[list[str]] = mapped_column(JSON)
    #: Sealed; the hint of the sign-out at the gateway.
    id_token: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(String(40), default="")

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class SpentToken(Base):
    """A logout token that was received: it counts once (Back-Channel Logout 1.0, 2.6)."""

    __tablename__ = "spent_token"

    jti: Mapped[str] = mapped_column(String(120), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
