"""Second factors of an account: set up, checked, removed, reset."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import timedelta

from sqlalchemy import select, update

from idp.accounts import events, lockout, notices
from idp.mfa import recovery_codes, totp
from idp.models import Account, Authenticator, RecoveryCode
from idp.policy.lockout import Budget
from idp.policy.names import printable
from idp.transaction import Work, spend_once

#: Wrong codes of one account, whatever the session, the page and the factor (N63).
WRONG = Budget(10, timedelta(minutes=15), timedelta(minutes=15))
#: Between the QR code and the code that confirms it.
SETUP_MINUTES = 15
MAX_NAME = 60


def of(work: Work, account: Account) -> list[Authenticator]:
    """The account's authenticator apps that count, oldest first."""
    return list(
        work.db.scalars(
            select(Authenticator)
            .where(
                Authenticator.account_id == account.id,
                Authenticator.removed_at.is_(None),
                Authenticator.confirmed_at.is_not(None),
            )
            .order_by(Authenticator.id)
        )
    )


def begin(work: Work, account: Account, name: str) -> Authenticator:
    """A new app, to be confirmed; one that was begun before and not confirmed is forgotten. No
    factor that counts is touched."""
    work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.account_id == account.id,
            Authenticator.confirmed_at.is_(None),
            Authenticator.removed_at.is_(None),
        )
        .values(removed_at=work.now)
        .execution_options(synchronize_session=False)
    )
    random = urlsafe_b64decode(work.token(totp.SECRET_BYTES) + "==")
    name = name.strip()
    row = Authenticator(
        public_id=work.token(16),
        account_id=account.id,
        name=name if name and len(name) <= MAX_NAME and printable(name) else "",
        secret_sealed=work.vault.seal(totp.secret_of(random)),
        last_step=0,
        created_at=work.now,
    )
    work.db.add(row)
    return row


def begun(work: Work, account: Account) -> Authenticator | None:
    """The app that waits for its first code, while there is time."""
    return work.db.scalar(
        select(Authenticator)
        .where(
            Authenticator.account_id == account.id,
            Authenticator.confirmed_at.is_(None),
            Authenticator.removed_at.is_(None),
            Authenticator.created_at > work.now - timedelta(minutes=SETUP_MINUTES),
        )
        .order_by(Authenticator.id.desc())
        .limit(1)
    )


def secret(work: Work, row: Authenticator) -> str:
    """The secret in base32, for the page where the app is set up."""
    return work.vault.unseal(row.secret_sealed)


def confirm(work: Work, account: Account, row: Authenticator, typed: str) -> list[str] | None:
    """Make the app count. Returns new recovery codes when it is the first factor, an empty list
    when there were others; None for a wrong code."""
    step = _step(work, row, typed, totp.WINDOW_AT_SETUP)
    if not _settle(work, account, matched=step is not None) or step is None:
        return None
    first = not of(work, account)
    if not spend_once(work, row, Authenticator.confirmed_at, last_step=step):
        return None
    events.record(work, "factor.added", account=account, factor="totp", id=row.public_id)
    notices.send(work, "factor_added", account, factor=row.name)
    return make_recovery_codes(work, account) if first else []


def check(work: Work, account: Account, typed: str) -> str | None:
    """Which factor the code is of, ``otp`` or ``recovery``, now spent; None when it is wrong, was
    used before, or too many were wrong."""
    reason, found = _check(work, account, typed)
    events.record(work, "factor.checked", reason=reason, account=account, factor=found)
    return found if reason is None else None


def _check(work: Work, account: Account, typed: str) -> tuple[str | None, str | None]:
    """Compared first, then counted one after the other, then spent: of parallel guesses no more
    count than of serial ones."""
    steps = [(row, _step(work, row, typed, totp.WINDOW)) for row in of(work, account)]
    paper = _find_recovery_code(work, account, typed)
    matched = paper is not None or any(step is not None for _, step in steps)
    if not _settle(work, account, matched=matched):
        return "too_many_codes" if matched else "wrong_code", None
    for row, step in steps:
        if step is not None and _accept(work, row, step):
            return None, "otp"
    if paper is not None and _spend_recovery_code(work, account, paper):
        return None, "recovery"
    return "code_used", None


def _settle(work: Work, account: Account, *, matched: bool) -> bool:
    return lockout.settle_code(work, _key(account), account, WRONG, matched=matched)


def _step(work: Work, row: Authenticator, typed: str, window: int) -> int | None:
    code = totp.typed_code(typed)
    if code is None:
        return None
    return totp.matching_step(secret(work, row), code, work.now, after=row.last_step, window=window)


def _accept(work: Work, row: Authenticator, step: int) -> bool:
    """Of any number of simultaneous uses of a code exactly one is accepted (N64)."""
    accepted = work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.id == row.id,
            Authenticator.last_step < step,
            Authenticator.removed_at.is_(None),
        )
        .values(last_step=step, last_used_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(accepted.rowcount == 1)  # type: ignore[attr-defined]


def make_recovery_codes(work: Work, account: Account) -> list[str]:
    """Ten new ones, shown this once; the earlier ones end."""
    _end_recovery_codes(work, account)
    codes = recovery_codes.generate(work.ports.tokens.below)
    for code in codes:
        digest = work.vault.digest(f"recovery:{account.id}", code.replace("-", ""))
        work.db.add(RecoveryCode(account_id=account.id, digest=digest, created_at=work.now))
    events.record(work, "recovery_codes.made", account=account)
    notices.send(work, "recovery_codes_made", account)
    return codes


def recovery_codes_left(work: Work, account: Account) -> int:
    """How many were not used yet."""
    return len(_recovery_codes(work, account))


def _recovery_codes(work: Work, account: Account) -> list[RecoveryCode]:
    return list(
        work.db.scalars(
            select(RecoveryCode).where(
                RecoveryCode.account_id == account.id,
                RecoveryCode.used_at.is_(None),
                RecoveryCode.superseded_at.is_(None),
            )
        )
    )


def _find_recovery_code(work: Work, account: Account, typed: str) -> RecoveryCode | None:
    """The unused code that was typed, if it is one of the account's."""
    code = recovery_codes.typed_code(typed)
    if code is None:
        return None
    return work.db.scalar(
        select(RecoveryCode).where(
            RecoveryCode.account_id == account.id,
            RecoveryCode.digest.in_(work.vault.digests(f"recovery:{account.id}", code)),
            RecoveryCode.used_at.is_(None),
            RecoveryCode.superseded_at.is_(None),
        )
    )


def _spend_recovery_code(work: Work, account: Account, row: RecoveryCode) -> bool:
    if not spend_once(work, row, RecoveryCode.used_at, RecoveryCode.superseded_at.is_(None)):
        return False
    notices.send(work, "recovery_code_used", account, left=recovery_codes_left(work, account))
    return True


def _end_recovery_codes(work: Work, account: Account) -> None:
    work.db.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account.id,
            RecoveryCode.used_at.is_(None),
            RecoveryCode.superseded_at.is_(None),
        )
        .values(superseded_at=work.now)
        .execution_options(synchronize_session=False)
    )


def remove(work: Work, account: Account, public_id: str) -> bool:
    """Remove one of the account's own apps; with the last one its recovery codes end. False when
    there is none of this name."""
    rows = of(work, account)
    found = [row for row in rows if row.public_id == public_id]
    if not found:
        return False
    found[0].removed_at = work.now
    if len(rows) == 1:
        _end_recovery_codes(work, account)
    events.record(work, "factor.removed", account=account, factor="totp", id=public_id)
    notices.send(work, "factor_removed", account, factor=found[0].name)
    return True


def reset(work: Work, account: Account) -> None:
    """Remove all: an operator helps somebody whose telephone is gone."""
    for row in of(work, account):
        row.removed_at = work.now
    _end_recovery_codes(work, account)
    lockout.forget(work, _key(account))
    events.record(work, "factors.reset", account=account)


def _key(account: Account) -> str:
    return f"factor:{account.id}"
