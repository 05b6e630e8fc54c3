"""Activate a pending account with a mailed link (manual 6.5, procedure K)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.credential_refusals import NotSent
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.credentials.passwords import PasswordSource, find_violations, store
from idp.directory import contacts, lifecycle
from idp.directory.directory_refusals import ActivationExpired, NotPending
from idp.directory.state_reasons import StateReason
from idp.errors import Invalid
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountState, Link
from idp.policy.password import Rule
from idp.transaction import UnitOfWork

#: The holder of an unopened link gets a reminder this many days before it expires.
REMINDER_DAYS = (14, 3)


def invite(work: UnitOfWork, account: Account, *, is_new: bool = False) -> str:
    """Mail an activation link and invalidate earlier ones, which a new account does not have.
    Returns the path of the link, for the demo and the tests. Raises Refused unless the account is
    pending."""
    expires = work.after(days=work.settings.activation_days)
    return _send(work, account, MailKind.ACCOUNT_CREATED, expires, is_first=is_new)


def resend(work: UnitOfWork, account: Account) -> None:
    """Mail a new link with the expiry of the last one, which is invalidated. Raises Refused unless
    there is an unexpired link: after expiry only a temporary password helps (AC-03)."""
    link = pending_link(work, account)
    if link is None or link.expires_at <= work.now:
        raise ActivationExpired()
    _send(work, account, MailKind.ACCOUNT_CREATED, link.expires_at)


def pending_link(work: UnitOfWork, account: Account) -> Link | None:
    """The account's last activation link that was not used or invalidated, expired or not."""
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
    """Remind one holder whose link expires soon; False if no reminder is due. The mail has a new
    link with the same expiry, because the first token is not stored."""
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
                    _send(work, account, MailKind.ACTIVATION_REMINDER, link.expires_at)
                    contacts.notify_activation_reminder(work, account, link.expires_at)
            except Invalid:
                # An address that cannot receive mail must not delay other reminders; the link stays
                # valid.
                link.reminders = count + 1
                events.record(
                    work, AuditAction.REMINDER_FAILED, reason=NotSent.BAD_ADDRESS, account=account
                )
            return True
    return False


def _send(
    work: UnitOfWork,
    account: Account,
    kind: MailKind,
    expires: datetime,
    *,
    is_first: bool = False,
) -> str:
    """Mail a link that expires at ``expires``. Reminders due before now count as sent."""
    if account.state != AccountState.PENDING:
        raise NotPending(account.username, account.state)
    reminders = sum(1 for days in REMINDER_DAYS if expires <= work.after(days=days))
    token = links.issue(
        work, account, Purpose.ACTIVATE, expires, reminders=reminders, is_first=is_first
    )
    path = f"/activate?token={token}"
    queue.enqueue(work, kind, account, path=path, expires_at=expires)
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(Purpose.ACTIVATE))
    return path


def complete(
    work: UnitOfWork, hasher: PasswordHasher, link: Link, account: Account, password: str
) -> tuple[Rule, ...] | Problem:
    """Set the first password, activate the account and use up the link, in one transaction. The
    mail that the account is active follows at the end of enrolment (``factors.enrolment``).

    Returns the violated rules (the link stays valid), ``Problem.USED`` if another request was
    first, or an empty tuple on success.
    """
    broken = find_violations(work, hasher, account, password)
    if broken:
        return broken
    hashed = hasher.hash(password)
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, source=PasswordSource.ACTIVATION)
    lifecycle.change_state(work, account, AccountState.ACTIVE, reason=StateReason.ACTIVATED)
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.ACTIVATE))
    return ()
