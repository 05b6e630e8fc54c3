"""Notices to the holder, each with a way to say "this was not me"."""

from __future__ import annotations

from typing import Any

from idp.credentials import links
from idp.credentials.links import Purpose
from idp.messages import queue
from idp.models import Account
from idp.transaction import UnitOfWork

#: As long as a notice may lie unread over a holiday.
DISOWN_DAYS = 7


def send(work: UnitOfWork, kind: str, account: Account, **data: Any) -> None:
    """Mail a notice whose link ends everything that is going on and starts a reset."""
    token = links.issue(work, account, Purpose.DISOWN, work.after(days=DISOWN_DAYS))
    queue.enqueue(work, kind, account, disown_path=f"/recover/not-me?token={token}", **data)
