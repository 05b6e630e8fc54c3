"""The outbox worker: claims by lease, sends outside any transaction, retries, gives up aloud.

A message is sent at least once. A worker that is killed between the transfer and the note of it
leaves the row queued; when its lease is over another worker sends it again under the same
Message-ID.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import structlog
from sqlalchemy import or_, select, update

from idp.models import MessageState, OutboxMessage
from idp.transaction import Means, Work, committing

log = structlog.get_logger("gateway.outbox")
LEASE_SECONDS = 120
MAX_ATTEMPTS = 10
FIRST_RETRY_SECONDS = 30
LONGEST_RETRY_SECONDS = 3600


@dataclass(frozen=True)
class Claimed:
    """A message that this worker may send until its lease ends."""

    id: int
    message: EmailMessage


def deliver_due(means: Means, *, limit: int = 20) -> int:
    """Send what is due, at most ``limit`` messages; returns how many were tried. Needs an
    application context."""
    with committing(means.work()) as work:
        claimed = [Claimed(row.id, _compose(work, row)) for row in _claim(work, limit)]
    for item in claimed:
        fault = _send(means, item.message)
        with committing(means.work()) as work:
            _note(work, item.id, fault)
    return len(claimed)


def _claim(work: Work, limit: int) -> Sequence[OutboxMessage]:
    """Lease due rows. PostgreSQL skips rows that another worker is claiming; on SQLite the
    conditional UPDATE decides."""
    free = or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= work.now)
    due = (
        OutboxMessage.state == MessageState.QUEUED,
        OutboxMessage.next_attempt_at <= work.now,
        free,
    )
    candidates = work.db.scalars(
        select(OutboxMessage.id)
        .where(*due)
        .order_by(OutboxMessage.next_attempt_at, OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    lease = work.now + timedelta(seconds=LEASE_SECONDS)
    mine = []
    for pk in candidates:
        result = work.db.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id == pk, *due)
            .values(leased_until=lease, attempts=OutboxMessage.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if result.rowcount == 1:  # type: ignore[attr-defined]
            mine.append(pk)
    return work.db.scalars(select(OutboxMessage).where(OutboxMessage.id.in_(mine))).all()


def _compose(work: Work, row: OutboxMessage) -> EmailMessage:
    """The mail as it is transferred; the same Message-ID at each try."""
    body = json.loads(work.vault.unseal(row.body_sealed))
    message = EmailMessage()
    message["Message-ID"] = row.message_id
    message["Date"] = format_datetime(row.created_at)
    message["From"] = str(Address(work.settings.mail_from_name, addr_spec=work.settings.mail_from))
    message["To"] = row.recipient
    message["Subject"] = row.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body["text"])
    message.add_alternative(body["html"], subtype="html")
    return message


def _send(means: Means, message: EmailMessage) -> str | None:
    """Hand it over; the name of what went wrong, or None."""
    try:
        means.ports.mailer.send(message)
    except Exception as error:
        # Whatever a mail system can raise: the message stays, and the fault is kept by name.
        return type(error).__name__
    return None


def _note(work: Work, pk: int, fault: str | None) -> None:
    row = work.db.get_one(OutboxMessage, pk)
    row.leased_until = None
    if fault is None:
        row.state, row.sent_at, row.last_error = MessageState.SENT, work.now, None
        log.info("message_sent", id=pk, kind=row.kind, attempts=row.attempts)
        return
    row.last_error = fault
    if row.attempts >= MAX_ATTEMPTS:
        row.state = MessageState.DEAD
        log.error("message_dead", id=pk, kind=row.kind, attempts=row.attempts, error=fault)
        return
    wait = min(FIRST_RETRY_SECONDS * 2 ** (row.attempts - 1), LONGEST_RETRY_SECONDS)
    row.next_attempt_at = work.now + timedelta(seconds=wait)
    log.warning("message_retry", id=pk, kind=row.kind, attempts=row.attempts, error=fault)
