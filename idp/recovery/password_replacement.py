"""A new password in settings, and what follows every change of a password."""

from __future__ import annotations

from datetime import timedelta

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, notices, one_time_codes
from idp.credentials.credential_refusals import PasswordRefusal
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.credentials.passwords import PasswordSource, store, verify_and_hash
from idp.directory import lifecycle
from idp.directory.state_reasons import StateReason
from idp.factors import authenticators
from idp.messages.message_kinds import MailKind
from idp.mfa.prompt_reasons import AccountChange
from idp.models import Account, AccountKind, AccountState, BrowserSession
from idp.session import browsers, failed_attempts, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

HOUR = timedelta(hours=1)


def on_password_changed(
    work: UnitOfWork,
    account: Account,
    *,
    keep: BrowserSession | None = None,
    are_programs_kept: bool = False,
) -> None:
    """Complete a change of password. The account becomes active and unlocked, and the holder gets a
    notice. Other sessions end, browsers are forgotten, and pending links and codes end. ``keep`` is
    the session in which the change was made, if any. With ``are_programs_kept`` the tokens of
    programs stay valid."""
    if account.state == AccountState.RESET_REQUIRED:
        lifecycle.change_state(
            work, account, AccountState.ACTIVE, reason=StateReason.PASSWORD_REPLACED
        )
    sessions.end_all(
        work, account, EndReason.PASSWORD_CHANGED, but=keep, are_programs_kept=are_programs_kept
    )
    browsers.forget_all(work, account)
    failed_attempts.clear(work, account)
    authenticators.require_at_next_sign_in(work, account, AccountChange.NEW_PASSWORD)
    links.invalidate_all(work, account, Purpose.RESET)
    one_time_codes.invalidate_all(work, account, CodePurpose.RESET)
    notices.send(work, MailKind.PASSWORD_CHANGED, account)


def change_password(
    work: UnitOfWork,
    hasher: PasswordHasher,
    session: BrowserSession,
    *,
    current: str,
    new: str,
    overlap: timedelta = timedelta(0),
) -> tuple[str, ...] | str:
    """Change the password in settings. Returns a new cookie for the session, or the broken rules;
    ``("current",)`` when the current password is wrong (SP-02). During ``overlap`` the programs of
    a machine account may also use the old password."""
    account = session.account
    former = account.password_hash if account.kind == AccountKind.MACHINE and overlap else None
    outcome = verify_and_hash(
        work,
        hasher,
        account,
        _key(session),
        lambda: hasher.verify(current, account.password_hash),
        new,
    )
    if not isinstance(outcome, str):
        return outcome
    store(work, account, outcome, source=PasswordSource.SETTINGS)
    if former is not None:
        account.former_password_hash = former
        account.former_password_until = work.now + overlap
        events.record(work, AuditAction.PASSWORD_OVERLAP, account=account, hours=overlap // HOUR)
    on_password_changed(work, account, keep=session, are_programs_kept=former is not None)
    return sessions.renew(work, session)


def verify_password(
    work: UnitOfWork, hasher: PasswordHasher, session: BrowserSession, password: str
) -> bool:
    """Whether the person who is signed in knows the password. A wrong one counts as a failed
    attempt of this session (SP-02)."""
    account = session.account
    matched = hasher.verify(password, account.password_hash)
    if failed_attempts.record_outcome(work, _key(session), account, matched=matched):
        return True
    events.record(
        work,
        AuditAction.PASSWORD_CONFIRMED,
        account=account,
        session=session,
        reason=PasswordRefusal.WRONG_CURRENT,
    )
    return False


def _key(session: BrowserSession) -> str:
    """The key under which failed attempts of a signed-in browser count."""
    return f"session:{session.account_id}:{session.id}"
