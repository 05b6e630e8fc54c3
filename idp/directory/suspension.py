"""Lift a suspension: the holder gets a notice and a replacement for a link that the suspension
invalidated."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.links import Purpose
from idp.directory import activation, lifecycle
from idp.directory.state_reasons import StateReason
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountState
from idp.transaction import UnitOfWork


def lift(work: UnitOfWork, account: Account, *, reason: StateReason) -> None:
    """Lift the suspension. The holder gets one mail: with an activation link, with a reset link if
    a new password is required, or with the message that access is restored. If a lock takes effect
    again, the mail says so. Raises Refused if the account is not suspended."""
    lifecycle.resume(work, account, reason=reason)
    if account.state == AccountState.PENDING:
        activation.invite(work, account)
    elif account.state == AccountState.RESET_REQUIRED:
        _mail_reset(work, account)
    elif account.state == AccountState.ACTIVE:
        queue.enqueue(work, MailKind.ACCOUNT_RESTORED, account)


def _mail_reset(work: UnitOfWork, account: Account) -> None:
    expires = work.after(days=work.settings.agent_reset_days)
    token = links.issue(work, account, Purpose.RESET, expires)
    queue.enqueue(
        work,
        MailKind.ACCOUNT_RESTORED_RESET,
        account,
        path=f"/recover/open?token={token}",
        expires_at=expires,
    )
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(Purpose.RESET))
