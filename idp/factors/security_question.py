"""The security question: chosen from a short list, its answer hashed, asked during recovery."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.credentials.hashing import PasswordHasher
from idp.factors.factor_refusals import FactorRefusal
from idp.messages.message_kinds import MailKind
from idp.mfa import question_pool as rules
from idp.mfa.question_pool import Fault
from idp.models import Account, SecurityAnswer
from idp.policy.lockout import Budget
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

#: Limit on wrong answers for an account: low, because answers can be guessed.
WRONG = Budget(5, timedelta(hours=1), timedelta(hours=1))


def find(work: UnitOfWork, account: Account) -> SecurityAnswer | None:
    """The chosen question, or None."""
    return work.db.scalar(select(SecurityAnswer).where(SecurityAnswer.account_id == account.id))


def short_list(work: UnitOfWork, account: Account, *, days_ago: int = 0) -> tuple[str, ...]:
    """A random short list that stays the same for a person for a day (MF-05)."""
    day = (work.now - timedelta(days=days_ago)).date().isoformat()
    return rules.short_list(work.vault.digest("questions", f"{account.id}:{day}"))


def set_answer(
    work: UnitOfWork,
    hasher: PasswordHasher,
    account: Account,
    name: str,
    answer: str,
    *,
    words: str,
) -> Fault | None:
    """Store question and answer; ``words`` is the text of the question. Returns a fault of the
    answer. Choosing a question that was not offered counts as a fault."""
    lists = (*short_list(work, account), *short_list(work, account, days_ago=1))
    if name not in lists:
        return Fault.IN_QUESTION
    fault = rules.fault(answer, question=words, username=account.username)
    if fault is None and hasher.verify(answer, account.password_hash):
        fault = Fault.PASSWORD
    if fault is not None:
        return fault
    hashed = hasher.hash(rules.normalised(answer))
    remove(work, account)
    work.db.add(
        SecurityAnswer(account_id=account.id, question=name, answer_hash=hashed, set_at=work.now)
    )
    events.record(work, AuditAction.QUESTION_SET, account=account)
    notices.send(work, MailKind.QUESTION_CHANGED, account)
    return None


def remove(work: UnitOfWork, account: Account) -> None:
    """Remove question and answer."""
    work.db.execute(delete(SecurityAnswer).where(SecurityAnswer.account_id == account.id))


def matches(hasher: PasswordHasher, row: SecurityAnswer, answer: str) -> bool:
    """Whether the answer is correct. Costs one hash; counts no attempt."""
    return hasher.verify(rules.normalised(answer), row.answer_hash)


def record_outcome(work: UnitOfWork, account: Account, *, matched: bool) -> bool:
    """Count the result of ``matches``. After too many wrong answers, a correct one is refused
    too."""
    key = f"question:{account.id}"
    counts = failed_attempts.record_code_outcome(work, key, account, WRONG, matched=matched)
    reason = None if counts else FactorRefusal.WRONG_ANSWER
    events.record(work, AuditAction.QUESTION_ANSWERED, reason=reason, account=account)
    return counts
