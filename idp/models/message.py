"""The outbox: messages stored in the transaction of the change and sent later by the worker."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account


class MessageChannel(StrEnum):
    """How a message is sent: to people by mail or text message, to applications as a logout token
    or a security event."""

    MAIL = "mail"
    SMS = "sms"
    LOGOUT = "logout"
    #: A security event that the worker pushes, and one that the application polls or has paused.
    EVENT = "event"
    KEPT_EVENT = "kept_event"


#: The channels to people.
TO_PEOPLE = (MessageChannel.MAIL, MessageChannel.SMS)


class MessageState(StrEnum):
    """The delivery state of a message."""

    QUEUED = "queued"
    SENT = "sent"
    DEAD = "dead"


class OutboxMessage(Base):
    """One message to one recipient. The body is encrypted because it may contain a link."""

    __tablename__ = "outbox_message"

    id: Mapped[PrimaryKey]
    #: The same for all attempts, so that a receiver detects duplicates.
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    channel: Mapped[MessageChannel] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(Account.id), index=True)
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(300))
    #: Encrypted JSON: {"text": ..., "html": ...}.
    body_sealed: Mapped[str] = mapped_column(Text)
    state: Mapped[MessageState] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))
    #: The request that left it (W3C Trace Context); None if none did.
    traceparent: Mapped[str | None] = mapped_column(String(55))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_outbox_message_state_next_attempt_at", "state", "next_attempt_at"),)


_IS_KEPT = OutboxMessage.channel == MessageChannel.KEPT_EVENT
#: Serves applications that poll.
partial_index(
    "ix_outbox_message_recipient_kept",
    OutboxMessage.recipient,
    OutboxMessage.id,
    where=_IS_KEPT,
)
