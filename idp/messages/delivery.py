"""The outbox worker: leases a message, sends it outside any transaction, retries, and finally moves
it to the dead-letter queue.

Delivery is at least once. If a worker is killed between the transfer and its record, the lease
expires and another worker sends the message again with the same Message-ID.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from sqlalchemy import case, or_, select, update

from idp import metrics
from idp.errors import ConfigurationError
from idp.messages.message_kinds import CODES, LINKS, MessageKind
from idp.models import Account, MessageChannel, MessageState, OutboxMessage
from idp.transaction import Runtime, UnitOfWork, committing
from service_base import logs, tracing

#: Sends a message of one channel; raises if the attempt can be repeated.
Sender = Callable[[Runtime, OutboxMessage], None]
#: Of these channels, an application that does not respond gets nothing for a while.
TO_APPLICATIONS = (MessageChannel.LOGOUT, MessageChannel.EVENT)
log = logs.Logger("gateway.outbox")
LEASE_SECONDS = 120
MAX_ATTEMPTS = 10
FIRST_RETRY_SECONDS = 30
LONGEST_RETRY_SECONDS = 3600


def deliver_due(
    runtime: Runtime,
    senders: Mapping[MessageChannel, Sender] | None = None,
    *,
    kinds: Collection[MessageKind] = (),
    limit: int = 20,
    lease_seconds: int = LEASE_SECONDS,
) -> int:
    """Send the messages due on these channels (default: mail and text message) and of these kinds
    (default: all), codes and links first, at most ``limit``. Returns the number of attempts.

    Each message is leased right before its own transfer, so that slow transfers do not use up the
    leases of later ones.
    """
    senders = senders or TO_PEOPLE
    tried = 0
    while tried < limit:
        with committing(runtime.work()) as work:
            row = _claim(work, senders, lease_seconds, kinds)
        if row is None:
            break
        _deliver(runtime, senders[MessageChannel(row.channel)], row)
        tried += 1
    return tried


def _deliver(runtime: Runtime, sender: Sender, row: OutboxMessage) -> None:
    """One attempt, for the request that left the message."""
    about: dict[str, str | int] = {"message.kind": row.kind, "message.attempt": row.attempts}
    with tracing.working(f"deliver {row.channel}", row.traceparent, about) as ids:
        fault = _send(runtime, sender, row)
        if fault is not None:
            tracing.failed(fault)
        with committing(runtime.work()) as work:
            if (subject := _subject(work, row)) is not None:
                ids.concerns(subject)
            _record_outcome(work, row.id, row.attempts, fault)


def _subject(work: UnitOfWork, row: OutboxMessage) -> str | None:
    """The account of the message, for the log."""
    if row.account_id is None:
        return None
    return work.db.scalar(select(Account.subject).where(Account.id == row.account_id))


def _claim(
    work: UnitOfWork,
    channels: Collection[MessageChannel],
    lease_seconds: int,
    kinds: Collection[MessageKind] = (),
) -> OutboxMessage | None:
    """Lease the message that is due longest, codes before links before all others. Returns a
    detached copy, or None. PostgreSQL skips rows locked by another worker; on SQLite the
    conditional UPDATE decides."""
    due = (
        *([OutboxMessage.kind.in_(list(kinds))] if kinds else []),
        OutboxMessage.channel.in_(list(channels)),
        OutboxMessage.state == MessageState.QUEUED,
        OutboxMessage.next_attempt_at <= work.now,
        or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= work.now),
    )
    first = (
        select(OutboxMessage.id)
        .where(*due)
        .order_by(
            case((OutboxMessage.kind.in_(CODES), 0), (OutboxMessage.kind.in_(LINKS), 1), else_=2),
            OutboxMessage.next_attempt_at,
            OutboxMessage.id,
        )
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    lease = work.now + timedelta(seconds=lease_seconds)
    while (pk := work.db.scalar(first)) is not None:
        result = work.db.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id == pk, *due)
            .values(leased_until=lease, attempts=OutboxMessage.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if result.rowcount == 1:  # type: ignore[attr-defined]
            row = work.db.get_one(OutboxMessage, pk, populate_existing=True)
            work.db.expunge(row)
            return row
    return None


def _compose(runtime: Runtime, row: OutboxMessage) -> EmailMessage:
    """The mail to transfer; the Message-ID is the same at each attempt."""
    body = json.loads(runtime.vault.decrypt(row.body_sealed))
    sender = Address(runtime.settings.mail_from_name, addr_spec=runtime.settings.mail_from)
    message = EmailMessage()
    message["Message-ID"] = row.message_id
    message["Date"] = format_datetime(row.created_at)
    message["From"] = str(sender)
    message["To"] = row.recipient
    message["Subject"] = row.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body["text"])
    message.add_alternative(body["html"], subtype="html")
    return message


def _send(runtime: Runtime, sender: Sender, row: OutboxMessage) -> str | None:
    """Send it; returns the name of the error, or None."""
    try:
        sender(runtime, row)
    except Exception as error:
        # Any error of a mail system, or a row that cannot be decrypted, delays only this message.
        # Only the name and code of the error are stored, because its text could contain a link.
        return f"{type(error).__name__} {_code(error)}".strip()
    return None


def _code(error: Exception) -> str:
    """The SMTP or HTTP status, if there is one."""
    answer = getattr(error, "response", None)
    return str(getattr(error, "smtp_code", None) or getattr(answer, "status_code", None) or "")


def send_mail(runtime: Runtime, row: OutboxMessage) -> None:
    """Transfer a mail. Raises the errors of the mailer."""
    runtime.ports.mailer.send(_compose(runtime, row))


def send_sms(runtime: Runtime, row: OutboxMessage) -> None:
    """Send a text message. Raises ConfigurationError if no sender is configured any more."""
    if runtime.ports.sms is None:
        raise ConfigurationError("no SMS gateway is configured")
    body = json.loads(runtime.vault.decrypt(row.body_sealed))
    runtime.ports.sms.send(row.recipient, body["text"].strip())


TO_PEOPLE: Mapping[MessageChannel, Sender] = {
    MessageChannel.MAIL: send_mail,
    MessageChannel.SMS: send_sms,
}


def _record_outcome(work: UnitOfWork, pk: int, attempt: int, fault: str | None) -> None:
    """Record the result of an attempt. A success is always recorded; a failure only while this
    worker holds the lease."""
    row = work.db.get_one(OutboxMessage, pk, populate_existing=True, with_for_update=True)
    if fault is None:
        row.state, row.sent_at, row.last_error = MessageState.SENT, work.now, None
        row.leased_until = None
        metrics.MESSAGES.add(str(row.channel), "sent")
        log.info("message_sent", id=pk, kind=row.kind, attempts=attempt)
        return
    if row.state != MessageState.QUEUED or row.attempts != attempt:
        log.warning("message_taken_over", id=pk, kind=row.kind, attempts=attempt, error=fault)
        return
    row.leased_until, row.last_error = None, fault
    if attempt >= MAX_ATTEMPTS:
        row.state = MessageState.DEAD
        metrics.MESSAGES.add(str(row.channel), "dead")
        log.error("message_dead", id=pk, kind=row.kind, attempts=attempt, error=fault)
        return
    wait = min(FIRST_RETRY_SECONDS * 2 ** (attempt - 1), LONGEST_RETRY_SECONDS)
    row.next_attempt_at = work.now + timedelta(seconds=wait)
    if row.channel in TO_APPLICATIONS and not _is_rejection(fault):
        _postpone(work, row)
    metrics.MESSAGES.add(str(row.channel), "retry")
    log.warning("message_retry", id=pk, kind=row.kind, attempts=attempt, error=fault)


def _is_rejection(fault: str) -> bool:
    """Whether the server answered and rejected this message: it may accept others."""
    return fault.startswith("HTTPError 4") and fault not in ("HTTPError 408", "HTTPError 429")


def _postpone(work: UnitOfWork, failed: OutboxMessage) -> None:
    """Postpone other tokens of the channel for the same application, so that an unresponsive one
    costs one timeout, not one for each token. The next attempt starts with another token."""
    until = failed.next_attempt_at - timedelta(seconds=1)
    work.db.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.state == MessageState.QUEUED,
            OutboxMessage.channel == failed.channel,
            OutboxMessage.recipient == failed.recipient,
            OutboxMessage.id != failed.id,
            OutboxMessage.next_attempt_at < until,
            # Another worker has the lease and records the result.
            or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= work.now),
        )
        .values(next_attempt_at=until)
        .execution_options(synchronize_session=False)
    )
