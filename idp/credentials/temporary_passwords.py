"""Temporary passwords: issued by an operator, shown once, valid for one sign-in (CR-05, N71)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import passwords
from idp.credentials.hashing import PasswordHasher
from idp.errors import ServiceError
from idp.models import Account, TemporaryPassword
from idp.policy.temporary_password import generate
from idp.transaction import UnitOfWork, spend_once

#: A generated password can violate a rule by chance, for example contain part of the user name.
TRIES = 50


def new_password(work: UnitOfWork, account: Account) -> str:
    """A pronounceable password that meets the policy for this account."""
    for _ in range(TRIES):
        password = generate(work.ports.tokens.random_below)
        if not passwords.quick_violations(work, account, password):
            return password
    raise ServiceError("no generated password meets the policy")


def issue(work: UnitOfWork, account: Account, password_hash: str) -> datetime:
    """Store this hash as the account's temporary password and return its expiry. Earlier ones are
    invalidated."""
    invalidate_all(work, account)
    expires = work.after(seconds=work.settings.temporary_password_seconds)
    work.db.add(
        TemporaryPassword(
            account_id=account.id,
            password_hash=password_hash,
            issued_by=work.origin.actor or "system",
            created_at=work.now,
            expires_at=expires,
        )
    )
    events.record(
        work, AuditAction.TEMPORARY_PASSWORD_ISSUED, account=account, until=expires.isoformat()
    )
    return expires


def find_active(work: UnitOfWork, account: Account) -> TemporaryPassword | None:
    """The account's temporary password that is still valid, or None."""
    return work.db.scalar(
        select(TemporaryPassword)
        .where(
            TemporaryPassword.account_id == account.id,
            TemporaryPassword.used_at.is_(None),
            TemporaryPassword.superseded_at.is_(None),
            TemporaryPassword.expires_at > work.now,
        )
        .order_by(TemporaryPassword.id.desc())
        .limit(1)
    )


def latest(work: UnitOfWork, account: Account) -> TemporaryPassword | None:
    """The last temporary password issued, in whatever state."""
    return work.db.scalar(
        select(TemporaryPassword)
        .where(TemporaryPassword.account_id == account.id)
        .order_by(TemporaryPassword.id.desc())
        .limit(1)
    )


def spend(work: UnitOfWork, row: TemporaryPassword) -> bool:
    """Use it up at a sign-in; False if another sign-in used it first."""
    alive = (TemporaryPassword.superseded_at.is_(None), TemporaryPassword.expires_at > work.now)
    return spend_once(work, row, TemporaryPassword.used_at, *alive)


def is_still_valid(work: UnitOfWork, row_id: int | None) -> bool:
    """Whether the temporary password of this sign-in has not been superseded."""
    row = work.db.get(TemporaryPassword, row_id) if row_id is not None else None
    return row is not None and row.superseded_at is None


def matches(work: UnitOfWork, hasher: PasswordHasher, row_id: int | None, password: str) -> bool:
    """Whether ``password`` is the temporary password of this sign-in, entered again (CR-06), and it
    has not expired. Callers check ``is_still_valid`` first; ``complete`` checks it again. Always
    costs one hash comparison."""
    row = work.db.get(TemporaryPassword, row_id) if row_id is not None else None
    matched = hasher.verify(password, row.password_hash if row else None)
    return matched and row is not None and work.now < row.expires_at


def complete(work: UnitOfWork, row_id: int | None) -> bool:
    """Mark it as replaced by a new password; False if another request did so first."""
    ended = work.db.execute(
        update(TemporaryPassword)
        .where(TemporaryPassword.id == row_id, TemporaryPassword.superseded_at.is_(None))
        .values(superseded_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(ended.rowcount == 1)  # type: ignore[attr-defined]


def invalidate_all(work: UnitOfWork, account: Account) -> None:
    """Invalidate the temporary passwords that no new password has replaced."""
    work.db.execute(
        update(TemporaryPassword)
        .where(
            TemporaryPassword.account_id == account.id,
            TemporaryPassword.superseded_at.is_(None),
        )
        .values(superseded_at=work.now)
        .execution_options(synchronize_session=False)
    )
