"""Passwords of accounts. Every new password passes the password policy."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sqlalchemy import delete, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials.credential_refusals import EntryFault, PasswordRefusal
from idp.credentials.hashing import PasswordHasher
from idp.models import Account, PasswordHistory
from idp.policy.data import shipped
from idp.policy.password import Owner, Policy, Rule, violations
from idp.session import failed_attempts
from idp.transaction import UnitOfWork


def policy(work: UnitOfWork) -> Policy:
    """The configured password policy."""
    return Policy(
        min_length=work.settings.password_min_length,
        require_special=work.settings.password_require_special,
        history=work.settings.password_history,
        refuse_common=work.settings.password_refuse_common,
    )


class PasswordSource(StrEnum):
    """Where a password was set."""

    ACTIVATION = "activation"
    SETTINGS = "settings"
    RESET_LINK = "reset_link"
    #: At sign-in: instead of a temporary password, or of one that was too old.
    TEMPORARY = "temporary"
    RENEWAL = "renewal"


def owner(account: Account) -> Owner:
    """The personal data that the account's password must not contain."""
    person = account.person
    return Owner(
        username=account.username,
        email=person.email,
        names=(person.given_name, person.middle_name, person.family_name, person.preferred_name),
    )


def change(
    work: UnitOfWork,
    hasher: PasswordHasher,
    account: Account,
    password: str,
    *,
    source: PasswordSource,
) -> tuple[Rule, ...]:
    """Set a new password, or return the violated rules and change nothing (PW-13). ``source`` says
    where it was set, for the audit trail."""
    broken = find_violations(work, hasher, account, password)
    if not broken:
        store(work, account, hasher.hash(password), source=source)
    return broken


def find_violations(
    work: UnitOfWork, hasher: PasswordHasher, account: Account, password: str
) -> tuple[Rule, ...]:
    """The rules that a new password violates. The history is checked only if all other rules are
    met, because each comparison costs one bcrypt hash."""
    broken = quick_violations(work, account, password)
    if not broken and _is_reused(work, hasher, account, password, policy(work).history):
        broken = (Rule.REUSED,)
    return broken


def verify_and_hash(
    work: UnitOfWork,
    hasher: PasswordHasher,
    account: Account,
    key: str,
    verify: Callable[[], bool],
    new: str,
) -> tuple[str, ...] | str:
    """Verify the current password, then return the hash of the new one. Returns the violated rules
    if there are any, or ``("current",)`` if ``verify`` fails or the attempts counted under ``key``
    are used up. Hashing is completed before any write, so that no lock is held while hashing."""
    proved = verify() and not failed_attempts.is_locked(work, key)
    broken = find_violations(work, hasher, account, new) if proved else ()
    hashed = hasher.hash(new) if proved and not broken else ""
    if not failed_attempts.record_outcome(work, key, account, matched=proved):
        events.record(
            work,
            AuditAction.PASSWORD_CONFIRMED,
            account=account,
            reason=PasswordRefusal.WRONG_CURRENT,
        )
        return (EntryFault.CURRENT,)
    return broken or hashed


def quick_violations(work: UnitOfWork, account: Account, password: str) -> tuple[Rule, ...]:
    """The violated rules that need no hash comparison."""
    return violations(password, owner(account), policy(work), shipped())


def store(
    work: UnitOfWork, account: Account, password_hash: str, *, source: PasswordSource
) -> None:
    """Store the hash of a password that meets the policy. A caller authorized by a one-time secret
    must hash first, so that no lock is held while hashing. It must then spend the secret before
    this call, so that only one request succeeds (N68)."""
    account.password_hash = password_hash
    account.former_password_hash = account.former_password_until = None
    account.password_changed_at = work.now
    account.updated_at = work.now
    account.renewal_reminders = 0
    work.db.add(
        PasswordHistory(
            account_id=account.id, password_hash=account.password_hash, created_at=work.now
        )
    )
    _trim_history(work, account, policy(work).history)
    events.record(work, AuditAction.PASSWORD_SET, account=account, source=str(source))


def _is_reused(
    work: UnitOfWork, hasher: PasswordHasher, account: Account, password: str, depth: int
) -> bool:
    hashes = work.db.scalars(
        select(PasswordHistory.password_hash)
        .where(PasswordHistory.account_id == account.id)
        .order_by(PasswordHistory.id.desc())
        .limit(depth)
    ).all()
    return any(hasher.verify(password, stored) for stored in hashes)


def _trim_history(work: UnitOfWork, account: Account, depth: int) -> None:
    work.db.flush()
    kept = (
        select(PasswordHistory.id)
        .where(PasswordHistory.account_id == account.id)
        .order_by(PasswordHistory.id.desc())
        .limit(depth)
    )
    work.db.execute(
        delete(PasswordHistory).where(
            PasswordHistory.account_id == account.id, PasswordHistory.id.not_in(kept)
        )
    )
