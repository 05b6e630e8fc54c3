"""Mails that are due by the calendar: renewal of passwords, activation links that end."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from idp.accounts import activation, events
from idp.errors import Invalid
from idp.messages import queue
from idp.models import Account, AccountState
from idp.transaction import Work

#: Days before a password is to be renewed.
RENEWAL_DAYS = (14, 3)


def send_next(work: Work) -> bool:
    """Send one mail that is due; False when none is. Each reminder goes out once."""
    return activation.remind_next(work) or _remind_of_renewal(work)


def _remind_of_renewal(work: Work) -> bool:
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
            try:
                queue.enqueue(work, "renewal_reminder", account, expires_at=due)
            except Invalid:
                # Nobody behind this one waits for the address to be mended.
                events.record(work, "reminder.failed", reason="bad_address", account=account)
            return True
    return False
