"""Whether a second factor is required after the first one, and why or why not."""

from __future__ import annotations

from datetime import timedelta

from idp.credentials import notices
from idp.factors import authenticators, enrolment
from idp.messages.message_kinds import MailKind
from idp.mfa.assurance import acr_of
from idp.mfa.decision import NoPrompt, Prompt
from idp.mfa.prompt_reasons import AccountChange, NoPromptReason, PromptReason
from idp.models import Account, Client, Interaction
from idp.policy.lockout import Budget
from idp.policy.scopes import ACR_PHR
from idp.policy.session_rules import may_sign_in
from idp.policy.signin_state import Evidence, SecondFactorDecision
from idp.session import browsers, failed_attempts
from idp.signin import risk_assessment, transitions
from idp.transaction import UnitOfWork

ONCE_AN_HOUR = Budget(1, timedelta(hours=1), timedelta(hours=1))


def accept_first_factor(
    work: UnitOfWork,
    found: Interaction,
    account: Account,
    evidence: Evidence,
    *,
    cookie: str,
    remember: bool,
    must_prove: bool = False,
) -> SecondFactorDecision:
    """The first factor was right: decide whether a second one is required, and store both with the
    sign-in. With ``must_prove`` it is, whatever the risk: after a reset (Z-06)."""
    decision = decide(work, account, evidence, client=found.client, cookie=cookie)
    if must_prove and not decision.is_required:
        decision = SecondFactorDecision(reasons=(AccountChange.NEW_PASSWORD,))
    transitions.accept_first_factor(found, account, evidence, decision, remember=remember)
    return decision


def is_provable(work: UnitOfWork, account: Account) -> bool:
    """Whether the account may sign in and has a factor that can be proved."""
    may = may_sign_in(account.effective_state(work.now))
    return may and authenticators.has_usable(work, account)


def decide(
    work: UnitOfWork, account: Account, evidence: Evidence, *, client: Client | None, cookie: str
) -> SecondFactorDecision:
    """Whether a second factor is required. The audit event ``signin.assessed`` has the answer and
    its reasons."""
    by_passkey = acr_of(evidence.methods, weak_counts=False) == ACR_PHR
    browser = browsers.recognise(work, account, cookie)
    assessment = risk_assessment.evaluate(
        work, account, browser, client=client, by_passkey=by_passkey
    )
    prompt = assessment.decision
    # Factors that exist are proved before others are set up beside them.
    is_enrolment_owed = enrolment.is_incomplete(work, account)
    no_prompt: tuple[NoPromptReason, ...] = ()
    if isinstance(prompt, NoPrompt) and (by_passkey or not is_enrolment_owed):
        no_prompt = prompt.reasons
    elif not authenticators.has_usable(work, account):
        no_prompt = (NoPromptReason.NO_FACTOR_SET_UP,)
    risk_assessment.record(work, account, client, assessment, no_prompt)
    if assessment.risk is not None and PromptReason.STOLEN_DEVICE in assessment.risk.hits:
        browsers.end_copied(work, account, cookie)
        notices.send(work, MailKind.BROWSER_SUSPECT, account, at=work.now, ip=work.origin.ip or "")
    asked = prompt if isinstance(prompt, Prompt) else None
    return SecondFactorDecision(
        reasons=(
            *([PromptReason.ENROLMENT] if is_enrolment_owed else []),
            *(asked.reasons if asked else ()),
        ),
        needs_strong=bool(asked and asked.needs_strong),
        no_prompt=no_prompt,
    )


def notify_of_failure(work: UnitOfWork, account: Account) -> None:
    """The password was right and the second factor was not: the holder gets a mail, at most one an
    hour."""
    if failed_attempts.consume(work, f"factor-mail:{account.id}", account, ONCE_AN_HOUR):
        notices.send(work, MailKind.FACTOR_FAILED, account, at=work.now, ip=work.origin.ip or "")
