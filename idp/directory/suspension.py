"""The end of a suspension, by whichever door: the holder is told, and gets back the link that it
ended."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.links import Purpose
from idp.directory import activation, lifecycle
from idp.messages import queue
from idp.models import Account, AccountState
from idp.transaction import UnitOfWork


def lift(work: UnitOfWork, account: Account, *, reason: str) -> None:
    """Take the suspension off. One mail tells the holder: with an activation link, a link to a new
    password where the account needs one, or that everything is as before; a lock that lies under
    the suspension has a mail of its own. Raises Refused when there is no suspension."""
    lifecycle.resume(work, account, reason=reason)
    if account.state == AccountState.PENDING:
        activation.invite(work, account)
    elif account.state == AccountState.RESET_REQUIRED:
        _mail_reset(work, account)
    elif account.state == AccountState.ACTIVE:
        queue.enqueue(work, "account_restored", account)


def _mail_reset(work: UnitOfWork, account: Account) -> None:
    expires = work.after(days=work.settings.agent_reset_days)
    token = links.issue(work, account, Purpose.RESET, expires)
    queue.enqueue(
        work,
        "account_restored_reset",
        account,
        path=f"/recover/open?token={token}",
        expires_at=expires,
    )
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(Purpose.RESET))
