"""The first factor of a sign-in: a password, or a passkey alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import temporary_passwords
from idp.credentials.hashing import PasswordHasher
from idp.directory import accounts
from idp.factors import passkeys
from idp.factors.passkeys import Ceremony, Fault
from idp.models import Account, AccountState, Client, TemporaryPassword
from idp.policy.addresses import address_of
from idp.policy.session_rules import may_sign_in
from idp.policy.signin_state import ChangeReason
from idp.session import browsers, failed_attempts
from idp.signin.password_change import is_renewal_due
from idp.signin.signin_refusals import OF_PASSKEY, OF_STATE, SignInRefusal
from idp.transaction import UnitOfWork


@dataclass(frozen=True)
class PasswordAccepted:
    """The password was right. ``change`` is the reason why a new one must be chosen first."""

    account: Account
    change: ChangeReason | None = None
    temporary_password_id: int | None = None


@dataclass(frozen=True)
class Attempt:
    """A user name that was entered, and what it counts under."""

    account: Account | None
    key: str


@dataclass(frozen=True)
class Held:
    """The password or passkey was right, but the account is locked or suspended. ``until`` is the
    end of a lock-out; None if only Customer Relations can help."""

    reason: SignInRefusal
    until: datetime | None = None


#: The refusals that a page reveals after a right password or passkey (docs/decisions/0040).
REVEALED = frozenset(
    (SignInRefusal.ACCOUNT_LOCKED, SignInRefusal.ACCOUNT_SUSPENDED, SignInRefusal.THROTTLED)
)


def find_attempt(work: UnitOfWork, typed: str, cookie: str) -> Attempt:
    """The account of a user name, and the key under which this attempt counts. ``cookie`` is the
    cookie that recognises the browser."""
    account = accounts.find_for_sign_in(work, typed)
    remembered = browsers.remembered_id(work, account, cookie)
    return Attempt(account, failed_attempts.key_of(work, account, typed, remembered))


def authenticate_password(
    work: UnitOfWork,
    hasher: PasswordHasher,
    attempt: Attempt,
    *,
    password: str,
    client: Client | None = None,
) -> PasswordAccepted | Held | None:
    """Check a user name and a password. Returns None for a refusal; only the audit trail has the
    reason. The right password of a locked or suspended account gives ``Held``. During a lock-out
    only the first attempts do, so that it still stops guessing. Every call computes one hash and
    records one outcome, so that the time reveals nothing (N47, N49)."""
    account, key = attempt.account, attempt.key
    waiting = None
    if account is not None and account.state == AccountState.RESET_REQUIRED:
        waiting = temporary_passwords.find_active(work, account)
    matched = hasher.verify(password, _stored(account, waiting))
    reason = _reason(work, account, waiting, matched=matched)
    if is_denied(work):
        reason = reason or SignInRefusal.NETWORK_DENIED
    fresh = _fresh_hash(work, hasher, account, password, key) if reason is None else None
    if not failed_attempts.record_outcome(work, key, account, matched=reason is None):
        reason = reason or SignInRefusal.THROTTLED
    elif waiting is not None and not temporary_passwords.spend(work, waiting):
        reason = SignInRefusal.TEMPORARY_PASSWORD_USED
    if reason is not None or account is None:
        _record_refusal(work, reason, account, client, method="password")
        return _held(work, reason, key)
    if waiting is not None:
        events.record(work, AuditAction.TEMPORARY_PASSWORD_USED, account=account)
        return PasswordAccepted(account, ChangeReason.TEMPORARY, waiting.id)
    if fresh is not None:
        account.password_hash = fresh
    return PasswordAccepted(
        account, ChangeReason.RENEWAL if is_renewal_due(work, account) else None
    )


def _held(work: UnitOfWork, reason: SignInRefusal | None, key: str) -> Held | None:
    """What the person may be told; None for nothing."""
    if reason not in REVEALED or is_denied(work):
        return None
    try:
        until = failed_attempts.locked_until(work, key)
    except failed_attempts.TooManyAttempts:
        return None
    return Held(reason, until)


def authenticate_passkey(
    work: UnitOfWork, browser: str, answer: str, *, client: Client | None = None
) -> tuple[Account, tuple[str, ...]] | Held | Fault:
    """Check a passkey without a password; ``browser`` binds the challenge to this browser. Returns
    its account and the methods that it proves (``amr``). A right passkey of a locked or suspended
    account gives ``Held``, any other refusal the fault that the page may show. A lock-out after
    wrong passwords does not apply: guesses cannot lock out a passkey (N51)."""
    found = passkeys.verify(work, Ceremony.ALONE, browser, answer, None)
    account = None if isinstance(found, Fault) else found[0]
    reason = OF_PASSKEY[found] if isinstance(found, Fault) else None
    if account is not None and not may_sign_in(account.effective_state(work.now)):
        reason = OF_STATE[account.effective_state(work.now)]
    if is_denied(work):
        reason = reason or SignInRefusal.NETWORK_DENIED
    if reason is not None:
        _record_refusal(work, reason, account, client, method="passkey")
        if isinstance(found, Fault):
            return found
        return Held(reason) if reason in REVEALED and not is_denied(work) else Fault.WRONG
    return found


def _record_refusal(
    work: UnitOfWork,
    reason: SignInRefusal | None,
    account: Account | None,
    client: Client | None,
    *,
    method: str,
) -> None:
    """Some reasons are the same for a password and a passkey; ``method`` says which it was."""
    events.record(
        work,
        AuditAction.SIGNIN_REFUSED,
        reason=reason,
        account=account,
        client=client,
        proved=False,
        method=method,
    )


def is_denied(work: UnitOfWork) -> bool:
    """Whether the operator blocks the network. The answer is the same as for a wrong password."""
    return address_of(work.origin.ip) in work.ports.denied_networks


def _stored(account: Account | None, waiting: TemporaryPassword | None) -> str | None:
    """The only hash that counts: that of the temporary password where a reset is required (N71)."""
    if account is None:
        return None
    if account.state == AccountState.RESET_REQUIRED:
        return waiting.password_hash if waiting else None
    return account.password_hash


def _fresh_hash(
    work: UnitOfWork, hasher: PasswordHasher, account: Account | None, password: str, key: str
) -> str | None:
    """A new hash if the stored one uses older settings, else None. It is computed before anything
    is written, so that no row lock waits for it. During a lock-out none is computed: right and
    wrong passwords must take the same time."""
    if account is None or account.state != AccountState.ACTIVE or not account.password_hash:
        return None
    if not hasher.is_outdated(account.password_hash) or failed_attempts.is_locked(work, key):
        return None
    return hasher.hash(password)


def _reason(
    work: UnitOfWork, account: Account | None, waiting: TemporaryPassword | None, *, matched: bool
) -> SignInRefusal | None:
    if account is None:
        return SignInRefusal.UNKNOWN_ACCOUNT
    state = account.effective_state(work.now)
    if waiting is None and state == AccountState.RESET_REQUIRED:
        return SignInRefusal.ACCOUNT_RESET_REQUIRED
    if not matched:
        return (
            SignInRefusal.WRONG_PASSWORD
            if account.password_hash or waiting
            else SignInRefusal.NO_PASSWORD
        )
    # A temporary password reopens some states, but not this one.
    if state == AccountState.DEACTIVATED or (waiting is None and not may_sign_in(state)):
        return OF_STATE[state]
    return None
