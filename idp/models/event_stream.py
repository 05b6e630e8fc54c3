"""Streams of security events (Shared Signals Framework 1.0)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey
from idp.models.client import Client
from idp.policy.event_types import DeliveryMethod, EventType, StreamStatus


class EventStream(Base):
    """How one client receives security events. The events wait in the outbox."""

    __tablename__ = "event_stream"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"), unique=True)
    method: Mapped[DeliveryMethod] = mapped_column(String(30))
    #: The ``Authorization`` header of pushes, encrypted; empty: none.
    authorization_sealed: Mapped[str] = mapped_column(Text)
    #: The types that the receiver requested, known or not; empty: all.
    events_requested: Mapped[list[str]]
    description: Mapped[str] = mapped_column(String(200))
    status: Mapped[StreamStatus] = mapped_column(String(10))
    status_reason: Mapped[str] = mapped_column(String(200))
    #: When the receiver last requested a verification event.
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    client: Mapped[Client] = relationship(lazy="joined", innerjoin=True)

    @property
    def events_delivered(self) -> list[EventType]:
        """The types of its events."""
        wanted = self.events_requested
        return [each for each in EventType if not wanted or each in wanted]

    @property
    def is_pushed(self) -> bool:
        """Whether the worker sends its events now."""
        return self.method == DeliveryMethod.PUSH and self.status == StreamStatus.ENABLED
