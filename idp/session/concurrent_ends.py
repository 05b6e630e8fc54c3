"""A request acts for an account, and often in a session. Before its changes are committed, both
must be as it read them: at the same time, the help desk may have reset the account, or the person
may have ended the session from elsewhere. What the request stored, such as a passkey, would stay.

A transaction that takes something away from an account changes its state, or ends its sessions,
first. So it waits for such a request and then removes what the request stored, or the request sees
the change and stores nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from idp.models import Account, BrowserSession
from idp.transaction import ChangedMeanwhile, UnitOfWork
from service_base.prepared import Prepared

_ACCOUNT = Prepared(
    select(Account.state, Account.state_changed_at)
    .where(Account.id == bindparam("account"))
    .with_for_update(read=True)
)
_ACCOUNT_AND_SESSION = Prepared(
    select(Account.state, Account.state_changed_at, BrowserSession.ended_at)
    .join(BrowserSession, BrowserSession.account_id == Account.id)
    .where(Account.id == bindparam("account"), BrowserSession.id == bindparam("session"))
    .with_for_update(read=True)
)


def rely_on(work: UnitOfWork, account: Account, session: BrowserSession | None = None) -> None:
    """The unit of work acts for this account, in this session if there is one."""
    known = work.relied_on.get(account.id)
    if known is None or session is not None:
        work.relied_on[account.id] = (account, session)


def check(work: UnitOfWork) -> None:
    """Raises ChangedMeanwhile if another transaction changed the state of an account or ended a
    session that this one relied on. Until this one ends, others wait to do so."""
    if work.relied_on:
        work.db.flush()
    for account, session in work.relied_on.values():
        expected: tuple[Any, ...] = (account.state, account.state_changed_at)
        if session is None:
            found = work.run(_ACCOUNT, {"account": account.id}).one()
        else:
            keys = {"account": account.id, "session": session.id}
            found = work.run(_ACCOUNT_AND_SESSION, keys).one()
            expected += (session.ended_at,)
        if tuple(found) != expected:
            raise ChangedMeanwhile(f"account {account.id}")
