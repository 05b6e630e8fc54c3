"""Forgot password and unlock, by oneself (RS; procedures E and K).

The page only takes down what was typed; the worker finds out whether an account fits and sends
what helps. So neither the answer nor its time tells who exists (N48).
"""

from __future__ import annotations

from dataclasses import replace as with_changes
from datetime import timedelta
from enum import StrEnum

import structlog
from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, notices, one_time_codes, text_messages
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.credentials.passwords import broken_rules, store, verify_and_prepare
from idp.directory import accounts, lifecycle
from idp.errors import Refused
from idp.factors import authenticators, security_question
from idp.messages import queue
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    BrowserSession,
    Link,
    RecoveryRequest,
    SecurityAnswer,
)
from idp.policy.names import MAX_NAME
from idp.session import browsers, failed_attempts
from idp.session import sessions as browser_sessions
from idp.transaction import UnitOfWork, spend_once

log = structlog.get_logger("gateway.recovery")
#: Between a code that was right and the password that it allows.
CODE_RESET_SECONDS = 900
HOUR = timedelta(hours=1)


class Goal(StrEnum):
    """What somebody who cannot sign in wants."""

    RESET = "reset"
    UNLOCK = "unlock"


class Channel(StrEnum):
    """How the token reaches the holder."""

    MAIL = "mail"
    SMS = "sms"


def ask(work: UnitOfWork, goal: Goal, channel: Channel, typed: str) -> str:
    """Take down a request, whoever it is for; returns the secret of its flow, for the browser
    that asked."""
    flow = work.token(24)
    work.db.add(
        RecoveryRequest(
            goal=goal,
            channel=channel,
            typed_sealed=work.vault.encrypt(typed[:MAX_NAME]),
            flow=one_time_codes.flow_digest(work, CodePurpose(goal), flow),
            ip=work.origin.ip,
            user_agent=work.origin.user_agent,
            request_id=work.origin.request_id,
            created_at=work.now,
        )
    )
    return flow


def process_next(work: UnitOfWork) -> bool:
    """Answer the request that waits longest; False when none waits."""
    waiting = (
        select(RecoveryRequest)
        .where(RecoveryRequest.processed_at.is_(None))
        .order_by(RecoveryRequest.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = work.db.scalar(waiting)
    if row is None:
        return False
    if spend_once(work, row, RecoveryRequest.processed_at):
        work.origin = with_changes(
            work.origin, ip=row.ip, user_agent=row.user_agent, request_id=row.request_id
        )
        account = accounts.find_for_sign_in(work, work.vault.decrypt(row.typed_sealed))
        try:
            with work.db.begin_nested():
                refusal = _answer(work, row, account)
        except Exception as error:
            # Whatever is wrong with this account: those who wait behind it are answered.
            log.error("recovery_failed", request=row.id, error=type(error).__name__)
            refusal = "failed"
        events.record(
            work,
            AuditAction(f"{row.goal}.requested"),
            reason=refusal,
            account=account,
            # Anybody can ask in somebody's name; what is not sent is sampled.
            proved=refusal is None,
            channel=row.channel,
        )
    return True


def _answer(work: UnitOfWork, row: RecoveryRequest, account: Account | None) -> str | None:
    """Send what helps, or return why not. An account that was never activated has nothing to
    recover (RS-07); one that an operator closed is told whom to call."""
    if account is None:
        return "unknown_account"
    if account.state == AccountState.DEACTIVATED:
        return "account_deactivated"
    if not failed_attempts.consume(
        work, f"recovery:{account.id}", account, failed_attempts.SENDING
    ):
        return "too_many_requests"
    if account.activated_at is None:
        queue.enqueue(work, "not_activated", account)
        return f"account_{account.state}"
    if account.state not in links.STATES[Purpose.RESET]:
        queue.enqueue(work, "recovery_not_possible", account, state=str(account.state))
        return f"account_{account.state}"
    # Where a new password is due, unlocking alone would lead nowhere.
    needs_reset = account.state == AccountState.RESET_REQUIRED
    goal = Goal.RESET if needs_reset else Goal(row.goal)
    if row.channel == Channel.SMS and goal == row.goal and account.recovery_phone:
        number = account.recovery_phone

        def make() -> str:
            purpose = CodePurpose(goal)
            return one_time_codes.issue(work, account, purpose, row.flow, destination=number)

        try:
            text_messages.send(work, f"sms_{goal}_code", account, number, make)
        except Refused as refusal:
            return refusal.detail
    else:
        _send_link(work, account, goal)
    return None


def _send_link(work: UnitOfWork, account: Account, goal: Goal) -> None:
    """Mail the link of a reset or of an unlock to the registered address."""
    purpose, kind, page = {
        Goal.RESET: (Purpose.RESET, "password_reset_link", "/recover/open"),
        Goal.UNLOCK: (Purpose.UNLOCK, "unlock_link", "/recover/unlock/open"),
    }[goal]
    expires = work.after(seconds=work.settings.reset_seconds)
    token = links.issue(work, account, purpose, expires, asks_question=goal is Goal.RESET)
    queue.enqueue(work, kind, account, path=f"{page}?token={token}", expires_at=expires)
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(purpose))


def redeem_code(work: UnitOfWork, goal: Goal, flow: str, code: str) -> str | Account | None:
    """A right code of an unlock unlocks and gives the account; one of a reset gives a token for
    the page where the new password is chosen. None for a code that is not right."""
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
    authenticators.distrust(work, account, "unlock")
    events.record(work, AuditAction.ACCOUNT_UNLOCKED, account=account)
    queue.enqueue(work, "account_unlocked", account)


def finish_unlock(work: UnitOfWork, link: Link, account: Account) -> bool:
    """Spend an unlock link; False when another request was first."""
    if not links.spend(work, link):
        return False
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.UNLOCK))
    unlock(work, account)
    return True


def disown(work: UnitOfWork, link: Link, account: Account) -> str | None:
    """The holder says "this was not me": everything ends, the password no longer counts, and a
    reset starts in this browser. Returns its token; None when another request was first."""
    if not links.spend(work, link):
        return None
    events.record(work, AuditAction.ACCOUNT_DISOWNED, account=account)
    lifecycle.require_reset(work, account, reason="disowned")
    expires = work.after(seconds=work.settings.reset_seconds)
    return links.issue(work, account, Purpose.RESET, expires, asks_question=True)


def asks_question(work: UnitOfWork, link: Link, account: Account) -> SecurityAnswer | None:
    """The question that has to be answered beside this link, if any (Z-02)."""
    return security_question.of(work, account) if link.asks_question else None


def finish(
    work: UnitOfWork,
    hasher: PasswordHasher,
    link: Link,
    account: Account,
    password: str,
    *,
    answer: str,
) -> tuple[str, ...] | Problem:
    """Set the new password and spend the link; every session ends and nobody is signed in (N66).
    Returns as ``activation.finish`` does; ``("answer",)`` when the answer to the security question
    is asked for and not right. All hashing is done before anything is written."""
    asked = asks_question(work, link, account)
    is_right = asked is None or security_question.compare(hasher, asked, answer)
    broken = broken_rules(work, hasher, account, password) if is_right else ()
    hashed = hasher.hash(password) if is_right and not broken else ""
    if asked is not None and not security_question.record_outcome(work, account, matched=is_right):
        return ("answer",)
    if broken:
        return broken
    if not links.spend(work, link):
        return Problem.USED
    store(work, account, hashed, source="reset_link")
    password_was_replaced(work, account)
    events.record(work, AuditAction.LINK_SPENT, account=account, purpose=str(Purpose.RESET))
    return ()


def password_was_replaced(
    work: UnitOfWork,
    account: Account,
    *,
    keep: BrowserSession | None = None,
    are_programs_kept: bool = False,
) -> None:
    """What every replacement entails: the account is active and unlocked, other sessions end,
    browsers are forgotten, waiting secrets end, a notice goes out. ``keep`` is the session in
    which the change was made, if any; with ``are_programs_kept`` tokens of programs go on."""
    if account.state == AccountState.RESET_REQUIRED:
        lifecycle.change_state(work, account, AccountState.ACTIVE, reason="password_replaced")
    browser_sessions.end_all(
        work, account, "password_changed", but=keep, are_programs_kept=are_programs_kept
    )
    browsers.forget_all(work, account)
    failed_attempts.clear(work, account)
    authenticators.distrust(work, account, "new_password")
    links.end_all(work, account, Purpose.RESET)
    one_time_codes.end_all(work, account, CodePurpose.RESET)
    notices.send(work, "password_changed", account)


def change(
    work: UnitOfWork,
    hasher: PasswordHasher,
    session: BrowserSession,
    *,
    current: str,
    new: str,
    overlap: timedelta = timedelta(0),
) -> tuple[str, ...] | str:
    """Change the password in settings. Returns a new cookie for the session, or the broken
    rules; ``("current",)`` when the current password is wrong (SP-02). For an ``overlap`` programs
    of a machine account may use the old one too, so that none has to stop."""
    account = session.account
    former = account.password_hash if account.kind == AccountKind.MACHINE and overlap else None
    outcome = verify_and_prepare(
        work,
        hasher,
        account,
        _key(session),
        lambda: hasher.verify(current, account.password_hash),
        new,
    )
    if not isinstance(outcome, str):
        return outcome
    store(work, account, outcome, source="settings")
    if former is not None:
        account.former_password_hash = former
        account.former_password_until = work.now + overlap
        events.record(work, AuditAction.PASSWORD_OVERLAP, account=account, hours=overlap // HOUR)
    password_was_replaced(work, account, keep=session, are_programs_kept=former is not None)
    return browser_sessions.renew(work, session)


def confirm(
    work: UnitOfWork, hasher: PasswordHasher, session: BrowserSession, password: str
) -> bool:
    """Whether the person at a signed-in browser knows the password; a wrong one counts towards
    a lock of this session's guesses (SP-02)."""
    account = session.account
    matched = hasher.verify(password, account.password_hash)
    if failed_attempts.record_outcome(work, _key(session), account, matched=matched):
        return True
    events.record(
        work,
        AuditAction.PASSWORD_CONFIRMED,
        account=account,
        session=session,
        reason="wrong_current",
    )
    return False


def _key(session: BrowserSession) -> str:
    """Under which the guesses of a signed-in browser count."""
    return f"session:{session.account_id}:{session.id}"
