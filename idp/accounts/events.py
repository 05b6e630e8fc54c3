"""Writing the audit trail: one row in the transaction of the change."""

from __future__ import annotations

from typing import Any

from idp.models import Account, BrowserSession, Client, Event
from idp.transaction import Work


def record(
    work: Work,
    name: str,
    *,
    reason: str | None = None,
    account: Account | None = None,
    client: Client | None = None,
    session: BrowserSession | None = None,
    **data: Any,
) -> None:
    """Record a security event. With a ``reason`` it is a refusal.

    ``data`` must be JSON and must hold no secret: no password, code, token or link.
    """
    work.db.add(
        Event(
            at=work.now,
            name=name,
            outcome="refused" if reason else "ok",
            reason=reason,
            account_id=account.id if account else None,
            actor=work.origin.actor,
            client_id=client.client_id if client else None,
            session_id=session.public_id if session else None,
            ip=work.origin.ip,
            user_agent=work.origin.user_agent,
            request_id=work.origin.request_id,
            data=data,
        )
    )
