"""What the holder does with a mailed link or a code: reset the password, unlock the account, or say
"this was not me" (RS-01 to RS-09; procedures E and K)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, one_time_codes
from idp.credentials.credential_refusals import EntryFault
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.credentials.passwords import PasswordSource, find_violations, store
from idp.directory import lifecycle
from idp.directory.state_reasons import StateReason
from idp.factors import authenticators, security_question
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.mfa.prompt_reasons import AccountChange
from idp.models import Account, Link, SecurityAnswer
from idp.recovery import password_replacement
from idp.recovery.recovery_requests import Goal
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

#: Seconds between a right code and the end of the page where the new password is chosen.
CODE_RESET_SECONDS = 900


def redeem_code(work: UnitOfWork, goal: Goal, flow: str, code: str) -> str | Account | None:
    """Check the code of a text message. To unlock: unlocks, and returns the account. To reset:
    returns a token for the page where the new password is chosen. None for a wrong code."""
    purpose = CodePurpose(goal)
    row = one_time_codes.redeem(
        work, purpose, one_time_codes.flow_digest(work, purpose, flow), code
    )
    account = work.db.get(Account, row.account_id) if row is not None else None
    if account is None or account.state not in links.STATES[Purpose(goal)]:
        return None
    if goal is Goal.RESET:
        expires = work.after(seconds=CODE_RESET_SECONDS)
        return links.issue(work, account, Purpose.RESET, expires, asks_question=True)
    unlock(work, account)
    return account


def unlock(work: UnitOfWork, account: Account) -> None:
    """Forget the failures; the password stays as it is (RS-08, Z-07)."""
    failed_attempts.clear(work, account)
    authenticators.require_at_next_sign_in(work, account, AccountChange.UNLOCK)
    events.record(work, AuditAction.ACCOUNT_UNLOCKED, account=account)
    queue.enqueue(work, MailKind.ACCOUNT_UNLOCKED, account)


def finish_unlock(work: UnitOfWork, link: Link, account: Account) -> bool:
    """Spend an unlock link; False when another request was first."""
    if not links.spend(work, link):
        return False
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.UNLOCK))
    unlock(work, account)
    return True


def disown(work: UnitOfWork, link: Link, account: Account) -> str | None:
    """The holder says "this was not me": all sessions end, the password no longer counts, and a
    reset starts in this browser. Returns its token; None when another request was first."""
    if not links.spend(work, link):
        return None
    events.record(work, AuditAction.ACCOUNT_DISOWNED, account=account)
    lifecycle.require_reset(work, account, reason=StateReason.DISOWNED)
    expires = work.after(seconds=work.settings.reset_seconds)
    return links.issue(work, account, Purpose.RESET, expires, asks_question=True)


def asks_question(work: UnitOfWork, link: Link, account: Account) -> SecurityAnswer | None:
    """The question that has to be answered beside this link, if any (Z-02)."""
    return security_question.find(work, account) if link.asks_question else None


def reset_password(
    work: UnitOfWork,
    hasher: PasswordHasher,
    link: Link,
    account: Account,
    password: str,
    *,
    answer: str,
) -> tuple[str, ...] | Problem:
    """Set the new password and spend the link. Every session ends, and nobody is signed in (N66).
    Returns what ``activation.complete`` returns, or ``("answer",)`` when the security question is
    asked and the answer is not right. All hashing is done before anything is written."""
    asked = asks_question(work, link, account)
    is_right = asked is None or security_question.matches(hasher, asked, answer)
    broken = find_violations(work, hasher, account, password) if is_right else ()
    hashed = hasher.hash(password) if is_right and not broken else ""
    if asked is not None and not security_question.record_outcome(work, account, matched=is_right):
        return (EntryFault.ANSWER,)
    if broken:
        return broken
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, source=PasswordSource.RESET_LINK)
    password_replacement.on_password_changed(work, account)
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.RESET))
    return ()
