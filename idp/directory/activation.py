"""Activation of a pending account by a mailed link (manual 6.5, procedure K)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, notices
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.credentials.passwords import find_violations, store
from idp.directory import contacts, lifecycle
from idp.errors import Invalid, Refused
from idp.messages import queue
from idp.models import Account, AccountState, Link
from idp.policy.password import Rule
from idp.transaction import UnitOfWork

#: A link that nobody opened is brought to mind this many days before its end.
REMINDER_DAYS = (14, 3)


def invite(work: UnitOfWork, account: Account) -> str:
    """Mail an activation link, ending earlier ones. Returns the link's path (for the demo's
    seed and the tests; the mail carries it to the person). Raises Refused unless pending."""
    return _send(work, account, "account_created", work.after(days=work.settings.activation_days))


def resend(work: UnitOfWork, account: Account) -> None:
    """Mail a new link with the end of the last one, which ends. Raises Refused unless there is
    one that has not expired: after that only a temporary password helps (AC-03)."""
    link = pending_link(work, account)
    if link is None or link.expires_at <= work.now:
        raise Refused("the activation link has expired or was ended: issue a temporary password")
    _send(work, account, "account_created", link.expires_at)


def pending_link(work: UnitOfWork, account: Account) -> Link | None:
    """The last activation link of the account that nobody used or ended, expired or not."""
    return work.db.scalar(
        select(Link)
        .where(
            Link.account_id == account.id,
            Link.purpose == Purpose.ACTIVATE,
            Link.used_at.is_(None),
            Link.superseded_at.is_(None),
        )
        .order_by(Link.id.desc())
        .limit(1)
    )


def send_next_reminder(work: UnitOfWork) -> bool:
    """Remind one holder whose link ends soon; False when nobody is left. The mail has a link of
    its own with the same end, since the first one is not known any more."""
    for count, days in enumerate(REMINDER_DAYS):
        row = work.db.execute(
            select(Link, Account)
            .join(Account, Account.id == Link.account_id)
            .where(
                Link.purpose == Purpose.ACTIVATE,
                Link.used_at.is_(None),
                Link.superseded_at.is_(None),
                Link.expires_at > work.now,
                Link.expires_at <= work.after(days=days),
                Link.reminders <= count,
                Account.state == AccountState.PENDING,
            )
            .order_by(Link.expires_at)
            .limit(1)
        ).first()
        if row is not None:
            link, account = row
            try:
                with work.db.begin_nested():
                    _send(work, account, "activation_reminder", link.expires_at)
                    contacts.notify_activation_reminder(work, account, link.expires_at)
            except Invalid:
                # Nobody behind this one waits for the address to be mended; the link stays.
                link.reminders = count + 1
                events.record(
                    work, AuditAction.REMINDER_FAILED, reason="bad_address", account=account
                )
            return True
    return False


def _send(work: UnitOfWork, account: Account, kind: str, expires: datetime) -> str:
    """A link that ends at ``expires``; reminders whose day has passed count as sent."""
    if account.state != AccountState.PENDING:
        raise Refused(f"{account.username} is {account.state}, not pending")
    reminders = sum(1 for days in REMINDER_DAYS if expires <= work.after(days=days))
    token = links.issue(work, account, Purpose.ACTIVATE, expires, reminders=reminders)
    path = f"/activate?token={token}"
    queue.enqueue(work, kind, account, path=path, expires_at=expires)
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(Purpose.ACTIVATE))
    return path


def complete(
    work: UnitOfWork, hasher: PasswordHasher, link: Link, account: Account, password: str
) -> tuple[Rule, ...] | Problem:
    """Set the first password and activate, spending the link in the same transaction.

    Returns the broken rules (the link stays usable), ``Problem.USED`` when another request was
    first, or an empty tuple."""
    broken = find_violations(work, hasher, account, password)
    if broken:
        return broken
    hashed = hasher.hash(password)
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, source="activation")
    lifecycle.change_state(work, account, AccountState.ACTIVE, reason="activated")
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.ACTIVATE))
    notices.send(work, "activation_finished", account)
    return ()
