"""Forgot password: a reset link by mail. Neither answers nor timing tell who exists (N48)."""

from __future__ import annotations

from idp.accounts import directory, events, links, sessions
from idp.accounts.credentials import broken_rules, replace, store
from idp.accounts.hashing import PasswordHasher
from idp.accounts.links import Problem, Purpose
from idp.messages import queue
from idp.models import Account, AccountState, BrowserSession, Link
from idp.policy.password import Rule
from idp.transaction import Work

RESET_SECONDS = 3600


def request(work: Work, typed: str) -> None:
    """Take a request for whatever name was typed. Only an active account gets a reset link; a
    pending one is told by mail how to go on. Everyone else gets nothing, and the caller shows
    the same page in each case."""
    account = directory.find_for_sign_in(work, typed)
    if account is None:
        events.record(work, "reset.requested", reason="unknown_account")
    elif account.state == AccountState.ACTIVE:
        expires = work.after(seconds=RESET_SECONDS)
        token = links.issue(work, account, Purpose.RESET, expires)
        path = f"/recover/open?token={token}"
        queue.enqueue(work, "password_reset_link", account, path=path, expires_at=expires)
        events.record(work, "link.sent", account=account, purpose=str(Purpose.RESET))
    else:
        if account.state == AccountState.PENDING:
            queue.enqueue(work, "not_activated", account)
        events.record(work, "reset.requested", account=account, reason=f"account_{account.state}")


def finish(
    work: Work, hasher: PasswordHasher, link: Link, account: Account, password: str
) -> tuple[Rule, ...] | Problem:
    """Set the new password and spend the link; every session ends and nobody is signed in (N66).
    Returns as ``activation.finish`` does."""
    broken = broken_rules(work, hasher, account, password)
    if broken:
        return broken
    hashed = hasher.hash(password)
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, door="reset_link")
    password_was_replaced(work, account)
    events.record(work, "link.spent", account=account, purpose=str(Purpose.RESET))
    return ()


def password_was_replaced(
    work: Work, account: Account, *, keep: BrowserSession | None = None
) -> None:
    """What every replacement entails: other sessions end, waiting reset links end, a notice
    goes out. ``keep`` is the session in which the change was made, if any."""
    sessions.end_all(work, account, "password_changed", but=keep)
    links.end_all(work, account, Purpose.RESET)
    queue.enqueue(work, "password_changed", account)


def change(
    work: Work,
    hasher: PasswordHasher,
    session: BrowserSession,
    *,
    current: str,
    new: str,
) -> tuple[str, ...] | str:
    """Change the password in settings. Returns a new cookie for the session, or the broken
    rules; ``("current",)`` when the current password is wrong (SP-02)."""
    account = session.account
    if not hasher.verify(current, account.password_hash):
        events.record(
            work, "password.set", account=account, session=session, reason="wrong_current"
        )
        return ("current",)
    broken = replace(work, hasher, account, new, door="settings")
    if broken:
        return broken
    password_was_replaced(work, account, keep=session)
    return sessions.renew(work, session)
