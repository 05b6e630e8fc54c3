"""Recovery codes: generated, shown once, valid once (N65)."""

from __future__ import annotations

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.messages.message_kinds import MailKind
from idp.mfa import recovery_code as codes
from idp.models import Account, RecoveryCode
from idp.transaction import UnitOfWork, spend_once


def generate(work: UnitOfWork, account: Account) -> list[str]:
    """Generate ten codes, to be shown only now; earlier ones are invalidated."""
    invalidate_all(work, account)
    made = codes.generate(work.ports.tokens.random_below)
    for code in made:
        digest = work.vault.digest(f"recovery:{account.id}", code.replace("-", ""))
        work.db.add(RecoveryCode(account_id=account.id, digest=digest, created_at=work.now))
    events.record(work, AuditAction.RECOVERY_CODES_MADE, account=account)
    notices.send(work, MailKind.RECOVERY_CODES_MADE, account)
    return made


def count_unused(work: UnitOfWork, account: Account) -> int:
    """The number of unused codes."""
    rows = select(RecoveryCode.id).where(
        RecoveryCode.account_id == account.id,
        RecoveryCode.used_at.is_(None),
        RecoveryCode.superseded_at.is_(None),
    )
    return len(work.db.scalars(rows).all())


def find(work: UnitOfWork, account: Account, typed: str) -> RecoveryCode | None:
    """The unused code of the account that matches the input, or None."""
    code = codes.typed_code(typed)
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


def spend(work: UnitOfWork, account: Account, row: RecoveryCode) -> bool:
    """Use up the code; False if another request used it first. The holder gets a notice."""
    if not spend_once(work, row, RecoveryCode.used_at, RecoveryCode.superseded_at.is_(None)):
        return False
    notices.send(work, MailKind.RECOVERY_CODE_USED, account, left=count_unused(work, account))
    return True


def invalidate_all(work: UnitOfWork, account: Account) -> None:
    """Invalidate all unused codes."""
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
