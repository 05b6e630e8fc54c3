"""The worker sends mails. Each is leased, sent outside any transaction and marked as sent; after a
failure it is sent again later, with the same Message-ID, and after ten attempts no more."""

from __future__ import annotations

from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from sqlalchemy import or_, select, update

from registration.models import Notice
from registration.transaction import Runtime, UnitOfWork
from service_base import logs

log = logs.Logger("registration.notices")
LEASE_SECONDS = 120
MAX_ATTEMPTS = 10
FIRST_RETRY_SECONDS = 30
LONGEST_RETRY_SECONDS = 3600


def deliver_due(runtime: Runtime, *, limit: int = 20) -> int:
    """Send the mails that are due, at most ``limit``; returns how many were tried."""
    tried = 0
    while tried < limit:
        with runtime.work() as work:
            claimed = _claim(work)
        if claimed is None:
            break
        tried += 1
        notice_id, attempt, message = claimed
        fault = _send(runtime, message)
        with runtime.work() as work:
            _record(work, notice_id, attempt, fault)
    return tried


def _claim(work: UnitOfWork) -> tuple[int, int, EmailMessage] | None:
    due = (
        Notice.state == "queued",
        Notice.next_attempt_at <= work.now,
        or_(Notice.leased_until.is_(None), Notice.leased_until <= work.now),
    )
    first = (
        select(Notice.id)
        .where(*due)
        .order_by(Notice.next_attempt_at, Notice.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    while (notice_id := work.db.scalar(first)) is not None:
        leased = work.db.execute(
            update(Notice)
            .where(Notice.id == notice_id, *due)
            .values(leased_until=work.after(LEASE_SECONDS), attempts=Notice.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if leased.rowcount == 1:  # type: ignore[attr-defined]
            notice = work.db.get_one(Notice, notice_id, populate_existing=True)
            return notice.id, notice.attempts, _message(work, notice)
    return None


def _message(work: UnitOfWork, notice: Notice) -> EmailMessage:
    settings = work.settings
    message = EmailMessage()
    message["Message-ID"] = notice.message_id
    message["Date"] = format_datetime(notice.created_at)
    message["From"] = str(Address(settings.mail_from_name, addr_spec=settings.mail_from))
    message["To"] = notice.recipient
    message["Subject"] = notice.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.body)
    message["Content-Language"] = notice.language
    return message


def _send(runtime: Runtime, message: EmailMessage) -> str:
    """The name of the fault; empty if there was none. Any fault of a mail system delays only this
    mail."""
    try:
        runtime.ports.mailer.send(message)
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip()
    return ""


def _record(work: UnitOfWork, notice_id: int, attempt: int, fault: str) -> None:
    notice = work.db.get_one(Notice, notice_id, with_for_update=True)
    if not fault:
        notice.state, notice.sent_at, notice.last_error = "sent", work.now, ""
        notice.leased_until = None
        log.info("notice_sent", id=notice_id, kind=notice.kind, attempts=attempt)
        return
    if notice.state != "queued" or notice.attempts != attempt:
        return
    notice.leased_until, notice.last_error = None, fault
    if attempt >= MAX_ATTEMPTS:
        notice.state = "dead"
        log.error("notice_dead", id=notice_id, kind=notice.kind, error=fault)
        return
    wait = min(FIRST_RETRY_SECONDS * 2 ** (attempt - 1), LONGEST_RETRY_SECONDS)
    notice.next_attempt_at = work.now + timedelta(seconds=wait)
    log.warning("notice_retry", id=notice_id, attempts=attempt, error=fault)
