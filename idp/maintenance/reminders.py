"""Scheduled mails: password renewal, expiring activation links and keys, unused machine
accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import exists, or_, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials.credential_refusals import NotSent
from idp.directory import activation
from idp.errors import Invalid
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountKind, AccountState, MachineKey, RegisteredNetwork
from idp.transaction import UnitOfWork

#: Days before the password must be renewed.
RENEWAL_DAYS = (14, 3)
#: Days before a key expires.
KEY_DAYS = (14, 3)


def send_next(work: UnitOfWork) -> bool:
    """Queue one reminder that is due; False if none is. Each reminder is sent once. If the address
    is invalid, an event is recorded and nothing is raised."""
    return (
        activation.send_next_reminder(work)
        or _remind_of_renewal(work)
        or _remind_of_key(work)
        or _remind_of_dormancy(work)
    )


def _remind_of_renewal(work: UnitOfWork) -> bool:
    max_age = work.settings.password_max_age_days
    if not max_age:
        return False
    life = timedelta(days=max_age)
    for count, days in enumerate(RENEWAL_DAYS):
        account = work.db.scalar(
            select(Account)
            .where(
                Account.state == AccountState.ACTIVE,
                Account.renewal_reminders <= count,
                Account.password_changed_at <= work.now - life + timedelta(days=days),
                Account.password_changed_at > work.now - life,
            )
            .order_by(Account.password_changed_at)
            .limit(1)
        )
        if account is not None and account.password_changed_at is not None:
            due = account.password_changed_at + life
            account.renewal_reminders = sum(1 for d in RENEWAL_DAYS if due <= work.after(days=d))
            _mail(work, MailKind.RENEWAL_REMINDER, account, expires_at=due)
            return True
    return False


def _remind_of_key(work: UnitOfWork) -> bool:
    """Notify the custodian 14 and 3 days before a key expires."""
    for count, days in enumerate(KEY_DAYS):
        row = work.db.scalar(
            select(MachineKey)
            .join(Account, Account.id == MachineKey.account_id)
            .where(
                MachineKey.revoked_at.is_(None),
                MachineKey.reminders <= count,
                MachineKey.expires_at > work.now,
                MachineKey.expires_at <= work.after(days=days),
                Account.state == AccountState.ACTIVE,
            )
            .order_by(MachineKey.expires_at)
            .limit(1)
        )
        if row is not None:
            row.reminders = sum(1 for d in KEY_DAYS if row.expires_at <= work.after(days=d))
            account = work.db.get_one(Account, row.account_id)
            _mail(
                work, MailKind.MACHINE_KEY_ENDS, account, label=row.label, expires_at=row.expires_at
            )
            return True
    return False


def _remind_of_dormancy(work: UnitOfWork) -> bool:
    """Notify the custodian of a machine account that has not been used for a long time."""
    days = work.settings.machine_dormant_days
    if not days:
        return False
    since = work.after(days=-days)
    used = exists().where(
        RegisteredNetwork.account_id == Account.id, RegisteredNetwork.last_used_at > since
    )
    account = work.db.scalar(
        select(Account)
        .where(
            Account.kind == AccountKind.MACHINE,
            Account.state == AccountState.ACTIVE,
            Account.activated_at <= since,
            or_(Account.dormancy_notice_at.is_(None), Account.dormancy_notice_at <= since),
            ~used,
        )
        .order_by(Account.id)
        .limit(1)
    )
    if account is None:
        return False
    account.dormancy_notice_at = work.now
    _mail(work, MailKind.MACHINE_DORMANT, account, days=days)
    return True


def _mail(work: UnitOfWork, kind: MailKind, account: Account, **values: Any) -> None:
    try:
        queue.enqueue(work, kind, account, **values)
    except Invalid:
        # An address that cannot receive mail must not delay other reminders.
        events.record(
            work, AuditAction.REMINDER_FAILED, reason=NotSent.BAD_ADDRESS, account=account
        )
