"""Changes of state, and what each of them ends, in one place (N58)."""

from __future__ import annotations

from idp.accounts import events, links, sessions
from idp.errors import Refused
from idp.messages import queue
from idp.models import Account, AccountState
from idp.transaction import Work

#: The mail that tells the holder, by new state.
NOTICES = {
    AccountState.LOCKED: "account_locked",
    AccountState.SUSPENDED: "account_suspended",
    AccountState.DEACTIVATED: "account_deactivated",
}


def change_state(work: Work, account: Account, state: AccountState, *, reason: str) -> None:
    """Move the account to ``state``. Every state but active ends sessions, grants and waiting
    links at once; deactivated is final. Raises Refused."""
    before = account.state
    if before == AccountState.DEACTIVATED:
        raise Refused("a deactivated account stays deactivated")
    if state == before:
        return
    account.state = state
    account.state_changed_at = work.now
    account.updated_at = work.now
    if state not in (AccountState.ACTIVE, AccountState.PENDING):
        sessions.end_all(work, account, f"account_{state}")
        links.end_all(work, account)
    events.record(work, "account.state", account=account, before=before, after=state, why=reason)
    if notice := NOTICES.get(state):
        queue.enqueue(work, notice, account)
