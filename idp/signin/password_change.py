"""A new password before the sign-in counts: after a temporary one, or when it is too old."""

from __future__ import annotations

from datetime import timedelta

from idp.credentials import temporary_passwords
from idp.credentials.hashing import PasswordHasher
from idp.credentials.passwords import PasswordSource, store, verify_and_hash
from idp.models import Account
from idp.policy.signin_state import ChangeReason, PasswordChangeRequired
from idp.recovery import password_replacement
from idp.session import browsers, failed_attempts
from idp.transaction import UnitOfWork

#: By the reason for the change; a reason without a source is found at import.
SOURCES = {reason: PasswordSource(reason) for reason in ChangeReason}


def is_renewal_due(work: UnitOfWork, account: Account) -> bool:
    """Whether the password is older than the settings allow (PW-12; off by default)."""
    days = work.settings.password_max_age_days
    changed = account.password_changed_at
    return bool(days and changed and work.now >= changed + timedelta(days=days))


def change_password(
    work: UnitOfWork,
    hasher: PasswordHasher,
    required: PasswordChangeRequired,
    *,
    old: str,
    new: str,
    cookie: str,
) -> tuple[str, ...]:
    """Replace the password of a person who has to. Returns the broken rules, or ``("current",)``
    when the old password, entered again, is not right (CR-06, L.05)."""
    account = work.db.get_one(Account, required.account_id)
    temporary_id = required.temporary_password_id
    is_temporary = required.reason is ChangeReason.TEMPORARY

    def verify() -> bool:
        if is_temporary:
            return temporary_passwords.matches(work, hasher, temporary_id, old)
        return hasher.verify(old, account.password_hash)

    remembered = browsers.remembered_id(work, account, cookie)
    key = failed_attempts.key_of(work, account, "", remembered)
    outcome = verify_and_hash(work, hasher, account, key, verify, new)
    if not isinstance(outcome, str):
        return outcome
    if is_temporary and not temporary_passwords.complete(work, temporary_id):
        return ("current",)
    store(work, account, outcome, source=SOURCES[required.reason])
    password_replacement.on_password_changed(work, account)
    return ()
