"""Six digits by SMS or mail: ten minutes, five tries, bound to the flow that asked for them."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import select, update

from idp.accounts import events, lockout
from idp.models import Account, OneTimeCode
from idp.policy.lockout import Budget
from idp.transaction import Work, spend_once

DIGITS = 6
SECONDS = 600
MAX_ATTEMPTS = 5
#: Wrong codes of one account over all flows and all codes (N63).
WRONG = Budget(15, timedelta(hours=1), timedelta(minutes=15))


class CodePurpose(StrEnum):
    """What a code is good for; one of another purpose is unknown (N68)."""

    RESET = "reset"
    UNLOCK = "unlock"
    PHONE = "phone"
    CALLER = "caller"


def flow_digest(work: Work, purpose: CodePurpose, flow: str) -> str:
    """The form in which the secret of a flow is stored."""
    return work.vault.digest(f"flow:{purpose}", flow)


def issue(
    work: Work, account: Account, purpose: CodePurpose, flow: str, *, destination: str = ""
) -> str:
    """A new code for the flow with this digest; earlier ones of the same purpose end."""
    end_all(work, account, purpose)
    code = f"{work.ports.tokens.below(10**DIGITS):0{DIGITS}}"
    work.db.add(
        OneTimeCode(
            purpose=purpose,
            account_id=account.id,
            flow=flow,
            digest=work.vault.digest(f"code:{purpose}", f"{flow}:{code}"),
            destination=destination,
            created_at=work.now,
            expires_at=work.after(seconds=SECONDS),
        )
    )
    return code


def redeem(work: Work, purpose: CodePurpose, flow: str, code: str) -> OneTimeCode | None:
    """The spent row when ``code`` is right; None for whatever is wrong, always recorded. A try is
    counted before it is compared, so that parallel guesses are no more than serial ones."""
    row = work.db.scalar(
        select(OneTimeCode)
        .where(OneTimeCode.flow == flow, OneTimeCode.purpose == purpose)
        .order_by(OneTimeCode.id.desc())
        .limit(1)
    )
    account = work.db.get(Account, row.account_id) if row is not None else None
    reason = _refusal(work, row, account, purpose, code)
    events.record(work, "code.redeemed", reason=reason, account=account, purpose=str(purpose))
    return row if reason is None else None


def _refusal(
    work: Work, row: OneTimeCode | None, account: Account | None, purpose: CodePurpose, code: str
) -> str | None:
    if row is None or account is None:
        return "unknown_flow"
    key = f"code:{account.id}"
    if lockout.is_locked(work, key):
        return "too_many_codes"
    alive = (OneTimeCode.superseded_at.is_(None), OneTimeCode.expires_at > work.now)
    counted = work.db.execute(
        update(OneTimeCode)
        .where(
            OneTimeCode.id == row.id,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.attempts < MAX_ATTEMPTS,
            *alive,
        )
        .values(attempts=OneTimeCode.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    if counted.rowcount != 1:  # type: ignore[attr-defined]
        return "code_over"
    typed = "".join(code.split())
    if not work.vault.matches(f"code:{purpose}", f"{row.flow}:{typed}", row.digest):
        lockout.use_up(work, key, account, WRONG)
        return "wrong_code"
    return None if spend_once(work, row, OneTimeCode.used_at, *alive) else "code_over"


def end_all(work: Work, account: Account, purpose: CodePurpose | None = None) -> None:
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
