"""Security notices to the holder, each with a link to report "this was not me"."""

from __future__ import annotations

from typing import Any

from idp.credentials import links
from idp.credentials.links import Purpose
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account
from idp.transaction import UnitOfWork

#: Long enough for a holder who reads the notice after a holiday.
DISOWN_DAYS = 7


def send(work: UnitOfWork, kind: MailKind, account: Account, **data: Any) -> None:
    """Mail a notice. Its link ends all sessions and starts a password reset."""
    token = links.issue(work, account, Purpose.DISOWN, work.after(days=DISOWN_DAYS))
    queue.enqueue(work, kind, account, disown_path=f"/recover/not-me?token={token}", **data)
