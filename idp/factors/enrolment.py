"""Enrolment: the setup steps that an account must complete before it can open applications
(AC-04)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.factors import authenticators, security_question
from idp.messages.message_kinds import MailKind
from idp.mfa.assurance import FactorKind
from idp.models import Account
from idp.policy.enrolment_steps import PASSED_BY_HAND, State, Step, next_step
from idp.transaction import UnitOfWork


def is_incomplete(work: UnitOfWork, account: Account) -> bool:
    """Whether steps remain, or a required factor is missing again. False if enrolment is
    optional."""
    if work.settings.enrolment != "required":
        return False
    return account.enrolled_at is None or not authenticators.policy(work).is_enough(
        _kinds(work, account)
    )


def current_step(work: UnitOfWork, account: Account, *, is_proved: bool) -> Step:
    """The next step. ``is_proved``: a factor or a one-time secret sent to the holder was used in
    this sign-in; a password alone does not permit enrolment."""
    state = State(
        is_proved=is_proved,
        kinds=_kinds(work, account),
        has_question=security_question.find(work, account) is not None,
        passed=_passed(account),
    )
    return next_step(authenticators.policy(work), state)


def _kinds(work: UnitOfWork, account: Account) -> frozenset[FactorKind]:
    return frozenset(FactorKind(row.kind) for row in authenticators.list_usable(work, account))


def _passed(account: Account) -> frozenset[str]:
    return frozenset(filter(None, account.enrolment_passed.split(",")))


def mark_done(account: Account, done: Step) -> None:
    """Mark a step as done."""
    if done in PASSED_BY_HAND:
        account.enrolment_passed = ",".join(sorted({*_passed(account), done}))


def complete(work: UnitOfWork, account: Account, *, is_proved: bool) -> bool:
    """Complete enrolment if no step remains; otherwise returns False."""
    if current_step(work, account, is_proved=is_proved) is not Step.FINISH:
        return False
    account.enrolled_at, account.enrolment_passed = work.now, ""
    account.updated_at = work.now
    events.record(work, AuditAction.ENROLMENT_FINISHED, account=account)
    return True


def announce(work: UnitOfWork, account: Account) -> None:
    """Tell the holder once that the account is active: when the first enrolment is whole, or with
    the first sign-in where none is required."""
    if account.ready_at is None and not is_incomplete(work, account):
        account.ready_at = work.now
        notices.send(work, MailKind.ACTIVATION_FINISHED, account)
