"""Read the outbox: the state of messages for the console, and their text for the demo."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select

from idp.models import TO_PEOPLE, MessageChannel, MessageState, OutboxMessage
from idp.transaction import UnitOfWork

_LINK = re.compile(r"^https?://\S+$", re.MULTILINE)


@dataclass(frozen=True)
class OutboxEntry:
    """A message with its decrypted body."""

    id: int
    channel: str
    kind: str
    recipient: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        """The URLs that stand alone on a line of the text: the buttons of the HTML part."""
        return _LINK.findall(self.text)


def recent(work: UnitOfWork, limit: int = 50) -> list[OutboxEntry]:
    """The messages to people, newest first."""
    query = _to_people().order_by(OutboxMessage.id.desc()).limit(limit)
    return [_opened(work, row) for row in work.db.scalars(query)]


def overdue_seconds(work: UnitOfWork) -> int:
    """For how many seconds the oldest message that the worker sends has been due; 0 if none is."""
    due = select(func.min(OutboxMessage.next_attempt_at)).where(
        OutboxMessage.state == MessageState.QUEUED,
        # Its receiver fetches it.
        OutboxMessage.channel != MessageChannel.KEPT_EVENT,
    )
    oldest = work.db.scalar(due)
    return max(0, int((work.now - oldest).total_seconds())) if oldest is not None else 0


def account_messages(work: UnitOfWork, account_id: int, limit: int = 10) -> list[OutboxMessage]:
    """The last messages to an account's holder, in whatever state."""
    return list(
        work.db.scalars(
            _to_people()
            .where(OutboxMessage.account_id == account_id)
            .order_by(OutboxMessage.id.desc())
            .limit(limit)
        )
    )


def _to_people() -> Select[OutboxMessage]:
    return select(OutboxMessage).where(OutboxMessage.channel.in_(TO_PEOPLE))


def _opened(work: UnitOfWork, row: OutboxMessage) -> OutboxEntry:
    body = json.loads(work.vault.decrypt(row.body_sealed))
    return OutboxEntry(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        recipient=row.recipient,
        subject=row.subject,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        sent_at=row.sent_at,
        text=body["text"],
        html=body["html"],
    )
