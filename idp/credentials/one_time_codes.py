"""Six-digit codes by SMS or mail: valid for ten minutes and five attempts, bound to the flow that
requested them."""

from __future__ import annotations

import math
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials.credential_refusals import CodeRefusal
from idp.mfa.totp import DIGITS, typed_code
from idp.models import Account, OneTimeCode
from idp.policy.lockout import Budget
from idp.session import failed_attempts
from idp.transaction import CLOCK_SECONDS, UnitOfWork, spend_once

LIFETIME_SECONDS = 600
#: Seconds before a second, third and any further code of one purpose can be sent.
RESEND_AFTER = (30, 60, 120)
MAX_ATTEMPTS = 5
#: Limit on wrong codes for an account, over all flows and codes (N63).
WRONG = Budget(15, timedelta(hours=1), timedelta(minutes=15))


class CodePurpose(StrEnum):
    """The purpose of a code. A code is invalid for any other purpose (N68)."""

    RESET = "reset"
    UNLOCK = "unlock"
    PHONE = "phone"
    CALLER = "caller"
    #: For a sign-in or a change of verification methods.
    FACTOR = "factor"
    #: Verifies a new number or address.
    SETUP = "setup"
    #: Before enrolment, if the account was opened with a password only.
    ENROL = "enrol"


def flow_digest(work: UnitOfWork, purpose: CodePurpose, flow: str) -> str:
    """The stored form of a flow's secret."""
    return work.vault.digest(f"flow:{purpose}", flow)


def issue(
    work: UnitOfWork, account: Account, purpose: CodePurpose, flow: str, *, destination: str = ""
) -> str:
    """Issue a new code for the flow with this digest; earlier codes of the same purpose are
    invalidated."""
    invalidate_all(work, account, purpose)
    code = f"{work.ports.tokens.random_below(10**DIGITS):0{DIGITS}}"
    work.db.add(
        OneTimeCode(
            purpose=purpose,
            account_id=account.id,
            flow=flow,
            digest=work.vault.digest(f"code:{purpose}", f"{flow}:{code}"),
            destination=destination,
            created_at=work.now,
            expires_at=work.after(seconds=LIFETIME_SECONDS),
        )
    )
    return code


def redeem(work: UnitOfWork, purpose: CodePurpose, flow: str, code: str) -> OneTimeCode | None:
    """Use up ``code`` and return its row, or None if it is not valid. Failures are recorded. The
    attempt is counted before the comparison, so that parallel guesses get no extra attempts."""
    row = latest(work, purpose, flow)
    account = work.db.get(Account, row.account_id) if row is not None else None
    reason = _refusal(work, row, account, code)
    events.record(
        work, AuditAction.CODE_REDEEMED, reason=reason, account=account, purpose=str(purpose)
    )
    return row if reason is None else None


def latest(work: UnitOfWork, purpose: CodePurpose, flow: str) -> OneTimeCode | None:
    """The last code issued for the flow with this digest, in whatever state."""
    return work.db.scalar(
        select(OneTimeCode)
        .where(OneTimeCode.flow == flow, OneTimeCode.purpose == purpose)
        .order_by(OneTimeCode.id.desc())
        .limit(1)
    )


def _refusal(
    work: UnitOfWork, row: OneTimeCode | None, account: Account | None, code: str
) -> CodeRefusal | None:
    if row is None or account is None:
        return CodeRefusal.UNKNOWN_FLOW
    key = f"code:{account.id}"
    if failed_attempts.is_locked(work, key):
        return CodeRefusal.TOO_MANY_CODES
    if not count_attempt(work, row):
        return CodeRefusal.CODE_OVER
    if not matches(work, row, code):
        failed_attempts.consume(work, key, account, WRONG)
        return CodeRefusal.WRONG_CODE
    return None if spend(work, row) else CodeRefusal.CODE_OVER


def _active(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    # What expires later than a code can was issued by a clock that was ahead (N92).
    latest = work.after(seconds=LIFETIME_SECONDS + CLOCK_SECONDS)
    return (
        OneTimeCode.superseded_at.is_(None),
        OneTimeCode.expires_at > work.now,
        OneTimeCode.expires_at <= latest,
    )


def count_attempt(work: UnitOfWork, row: OneTimeCode) -> bool:
    """Count one attempt; False if the code is used, superseded, expired or out of attempts."""
    counted = work.db.execute(
        update(OneTimeCode)
        .where(
            OneTimeCode.id == row.id,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.attempts < MAX_ATTEMPTS,
            *_active(work),
        )
        .values(attempts=OneTimeCode.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return bool(counted.rowcount == 1)  # type: ignore[attr-defined]


def matches(work: UnitOfWork, row: OneTimeCode, typed: str) -> bool:
    """Whether the digits are those of the code. Spaces and dashes are ignored."""
    code = typed_code(typed)
    purpose = f"code:{row.purpose}"
    return code is not None and work.vault.matches(purpose, f"{row.flow}:{code}", row.digest)


def spend(work: UnitOfWork, row: OneTimeCode) -> bool:
    """Use up the code; False if another request used it first."""
    return spend_once(work, row, OneTimeCode.used_at, *_active(work))


def resend_delay(work: UnitOfWork, purpose: CodePurpose, flow: str, destination: str) -> int:
    """The seconds until another code can be sent to this destination in the flow with this digest:
    30 after the first, 60 after the second, 120 after each further code within an hour."""
    sent = work.db.scalars(
        select(OneTimeCode.created_at)
        .where(
            OneTimeCode.flow == flow,
            OneTimeCode.purpose == purpose,
            OneTimeCode.destination == destination,
            OneTimeCode.created_at > work.now - timedelta(hours=1),
        )
        .order_by(OneTimeCode.id.desc())
        .limit(len(RESEND_AFTER))
    ).all()
    if not sent:
        return 0
    free = sent[0] + timedelta(seconds=RESEND_AFTER[len(sent) - 1])
    return max(0, math.ceil((free - work.now).total_seconds()))


def invalidate_all(work: UnitOfWork, account: Account, purpose: CodePurpose | None = None) -> None:
    """Invalidate the account's unused codes, of one purpose or of all."""
    where = [
        OneTimeCode.account_id == account.id,
        OneTimeCode.used_at.is_(None),
        OneTimeCode.superseded_at.is_(None),
    ]
    if purpose is not None:
        where.append(OneTimeCode.purpose == purpose)
    work.db.execute(
        update(OneTimeCode)
        .where(*where)
        .values(superseded_at=work.now)
        .execution_options(synchronize_session=False)
    )
