"""Activation of a pending account by a mailed link (manual 6.5, procedure K)."""

from __future__ import annotations

from idp.accounts import events, lifecycle, links
from idp.accounts.credentials import broken_rules, store
from idp.accounts.hashing import PasswordHasher
from idp.accounts.links import Problem, Purpose
from idp.errors import Refused
from idp.messages import queue
from idp.models import Account, AccountState, Link
from idp.policy.password import Rule
from idp.transaction import Work


def invite(work: Work, account: Account) -> str:
    """Mail an activation link, ending earlier ones. Returns the link's path (for the demo's
    seed and the tests; the mail carries it to the person). Raises Refused unless pending."""
    if account.state != AccountState.PENDING:
        raise Refused(f"{account.username} is {account.state}, not pending")
    expires = work.after(days=work.settings.activation_days)
    token = links.issue(work, account, Purpose.ACTIVATE, expires)
    path = f"/activate?token={token}"
    queue.enqueue(work, "account_created", account, path=path, expires_at=expires)
    events.record(work, "link.sent", account=account, purpose=str(Purpose.ACTIVATE))
    return path


def owner_of(work: Work, purpose: Purpose, token: str) -> tuple[Link, Account] | Problem:
    """The live link and its account, or the problem. An account that can no longer use it
    (deactivated, already active) answers like a link that has ended."""
    link = links.look_up(work, purpose, token)
    if isinstance(link, Problem):
        return link
    account = work.db.get_one(Account, link.account_id)
    wanted = AccountState.PENDING if purpose is Purpose.ACTIVATE else AccountState.ACTIVE
    return (link, account) if account.state == wanted else Problem.SUPERSEDED


def finish(
    work: Work, hasher: PasswordHasher, link: Link, account: Account, password: str
) -> tuple[Rule, ...] | Problem:
    """Set the first password and activate, spending the link in the same transaction.

    Returns the broken rules (the link stays usable), ``Problem.USED`` when another request was
    first, or an empty tuple."""
    broken = broken_rules(work, hasher, account, password)
    if broken:
        return broken
    hashed = hasher.hash(password)
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, door="activation")
    account.activated_at = work.now
    lifecycle.change_state(work, account, AccountState.ACTIVE, reason="activated")
    events.record(work, "link.spent", account=account, purpose=str(Purpose.ACTIVATE))
    queue.enqueue(work, "activation_finished", account)
    return ()
