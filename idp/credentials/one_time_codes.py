"""Six digits by SMS or mail: ten minutes, five tries, bound to the flow that asked for them."""

from __future__ import annotations

import math
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.mfa.totp import DIGITS, typed_code
from idp.models import Account, OneTimeCode
from idp.policy.lockout import Budget
from idp.session import failed_attempts
from idp.transaction import UnitOfWork, spend_once

LIFETIME_SECONDS = 600
#: Seconds before a second, third and further code of one purpose.
RESEND_AFTER = (30, 60, 120)
MAX_ATTEMPTS = 5
#: Wrong codes of one account over all flows and all codes (N63).
WRONG = Budget(15, timedelta(hours=1), timedelta(minutes=15))


class CodePurpose(StrEnum):
    """What a code is good for; one of another purpose is unknown (N68)."""

    RESET = "reset"
    UNLOCK = "unlock"
    PHONE = "phone"
    CALLER = "caller"
    #: Of a sign-in, or before a change of factors.
    FACTOR = "factor"
    #: Proves a new number or address.
    SETUP = "setup"
    #: Before enrolment by a password alone.
    ENROL = "enrol"


def flow_digest(work: UnitOfWork, purpose: CodePurpose, flow: str) -> str:
    """The form in which the secret of a flow is stored."""
    return work.vault.digest(f"flow:{purpose}", flow)


def issue(
    work: UnitOfWork, account: Account, purpose: CodePurpose, flow: str, *, destination: str = ""
) -> str:
    """A new code for the flow with this digest; earlier ones of the same purpose end."""
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
    """The spent row when ``code`` is right; None for whatever is wrong, always recorded. A try is
    counted before it is compared, so that parallel guesses are no more than serial ones."""
    row = latest(work, purpose, flow)
    account = work.db.get(Account, row.account_id) if row is not None else None
    reason = _refusal(work, row, account, code)
    events.record(
        work, AuditAction.CODE_REDEEMED, reason=reason, account=account, purpose=str(purpose)
    )
    return row if reason is None else None


def latest(work: UnitOfWork, purpose: CodePurpose, flow: str) -> OneTimeCode | None:
    """The last code that was made for the flow with this digest, good or not."""
    return work.db.scalar(
        select(OneTimeCode)
        .where(OneTimeCode.flow == flow, OneTimeCode.purpose == purpose)
        .order_by(OneTimeCode.id.desc())
        .limit(1)
    )


def _refusal(
    work: UnitOfWork, row: OneTimeCode | None, account: Account | None, code: str
) -> str | None:
    if row is None or account is None:
        return "unknown_flow"
    key = f"code:{account.id}"
    if failed_attempts.is_locked(work, key):
        return "too_many_codes"
    if not count_attempt(work, row):
        return "code_over"
    if not matches(work, row, code):
        failed_attempts.consume(work, key, account, WRONG)
        return "wrong_code"
    return None if spend(work, row) else "code_over"


def _active(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return (OneTimeCode.superseded_at.is_(None), OneTimeCode.expires_at > work.now)


def count_attempt(work: UnitOfWork, row: OneTimeCode) -> bool:
    """Count one try of a code; False when it is over: used, replaced, late or tried out."""
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
    """Whether these digits are the code's; spaces and dashes between them do not matter."""
    code = typed_code(typed)
    purpose = f"code:{row.purpose}"
    return code is not None and work.vault.matches(purpose, f"{row.flow}:{code}", row.digest)


def spend(work: UnitOfWork, row: OneTimeCode) -> bool:
    """Use it up; False when another request was first."""
    return spend_once(work, row, OneTimeCode.used_at, *_active(work))


def resend_delay(work: UnitOfWork, purpose: CodePurpose, flow: str, destination: str) -> int:
    """How long until another code can be sent there in the flow with this digest: half a minute
    after the first, a minute after the second, two after each further one within the hour."""
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
    """End the account's unspent codes, of one purpose or of all."""
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
