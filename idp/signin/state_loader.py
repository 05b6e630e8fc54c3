"""Makes the state of a sign-in from what is stored. Nothing else reads the stage."""

from __future__ import annotations

from idp import client_records
from idp.credentials import temporary_passwords
from idp.factors import enrolment
from idp.mfa.prompt_reasons import NoPromptReason
from idp.models import Account, AccountState, Interaction
from idp.models.records import AnyClient, OpenSession
from idp.policy.session_rules import may_sign_in
from idp.policy.signin_state import (
    STAGE_COLUMNS,
    Answers,
    Authenticated,
    ChangeReason,
    ClientView,
    EnrolmentRequired,
    Evidence,
    InProgress,
    PasswordChangeRequired,
    Progress,
    Proved,
    SecondFactorDecision,
    SecondFactorRequired,
    SessionView,
    SignInState,
    Stage,
    Started,
    is_legal,
)
from idp.session import concurrent_ends, interactions
from idp.signin import assurance_levels
from idp.signin.transitions import security_stamp
from idp.transaction import UnitOfWork
from service_base import logs

log = logs.Logger("gateway.signin")


def load(
    work: UnitOfWork,
    found: Interaction | None,
    session: OpenSession | None,
    client: AnyClient | None = None,
    *,
    browser_cookie: str = "",
    demands_level: bool = False,
    has_others: bool = False,
) -> SignInState:
    """The state of a sign-in, for ``oidc.interaction.decide``. ``demands_level``: the request asks
    for a level, so it matters how far the session can rise. ``has_others``: accounts are signed in
    in this browser, and none of them is active."""
    progress = _seen_from(session, progress_of(work, found), found)
    if client is None:
        return SignInState(progress=progress, session=_session_view(work, session))
    level = assurance_levels.demanded(work, client, session, browser_cookie)
    reachable = None
    if session is not None and (level or demands_level):
        reachable = assurance_levels.reachable(work, session)
    return SignInState(
        progress=progress,
        session=_session_view(work, session, client, reachable),
        has_others=has_others,
        client=ClientView(client.trusted, level, tuple(client.account_kinds)),
        answers=_answers(work, found, session, client),
    )


def progress_of(work: UnitOfWork, found: Interaction | None) -> Progress:
    """How far the sign-in has come. A row that is not legal, or whose account has changed since,
    counts as ``Started``."""
    if found is None or found.stage == Stage.STARTED:
        return Started()
    try:
        return _read(work, found)
    except (ValueError, TypeError, AttributeError) as error:
        log.error("illegal_sign_in_state", interaction=found.id, error=type(error).__name__)
        return Started()


def _read(work: UnitOfWork, found: Interaction) -> Progress:
    """The progress as it is stored. Raises ValueError for a row that is not legal."""
    values = {name: getattr(found, name) for name in (*STAGE_COLUMNS, "temporary_password_id")}
    if found.account_id is None or not is_legal(found.stage, values):
        raise ValueError(found.stage)
    if found.stage == Stage.AUTHENTICATED:
        return Authenticated(found.account_id, *_proved(found))
    account = work.db.get_one(Account, found.account_id)
    concurrent_ends.rely_on(work, account)
    if found.security_stamp != security_stamp(account):
        return Started()
    if found.stage == Stage.PASSWORD_CHANGE:
        return _password_change(work, found, account)
    if not may_sign_in(account.effective_state(work.now)):
        return Started()
    if found.stage == Stage.SECOND_FACTOR:
        return SecondFactorRequired(account.id, *_proved(found))
    if enrolment.is_incomplete(work, account):
        return EnrolmentRequired(account.id, *_proved(found))
    return Proved(account.id, *_proved(found))


def account_of(work: UnitOfWork, progress: InProgress) -> Account:
    """The account of a sign-in that is in progress."""
    return work.db.get_one(Account, progress.account_id)


def account_in_progress(work: UnitOfWork, found: Interaction | None) -> Account | None:
    """Whose sign-in this is, after the first factor and before the session."""
    progress = progress_of(work, found)
    if isinstance(progress, Started | Authenticated):
        return None
    return account_of(work, progress)


def _seen_from(
    session: OpenSession | None, progress: Progress, found: Interaction | None
) -> Progress:
    """What the browser's session means for the sign-in."""
    if session is None or found is None or isinstance(progress, Started | PasswordChangeRequired):
        return progress
    is_same_person = progress.account_id == session.account_id
    if isinstance(progress, Authenticated):
        # Another person has signed in since, in another tab.
        return progress if is_same_person else Started()
    # The same person has signed in since in another tab: whether that session is enough is
    # decided as for any request.
    has_signed_in = is_same_person and session.auth_time >= found.created_at
    return Started() if has_signed_in else progress


def _password_change(work: UnitOfWork, found: Interaction, account: Account) -> Progress:
    reason = ChangeReason(found.change_reason or "")
    if reason is ChangeReason.RENEWAL:
        is_current = account.state == AccountState.ACTIVE
    else:
        is_current = (
            account.state == AccountState.RESET_REQUIRED
            and temporary_passwords.is_still_valid(work, found.temporary_password_id)
        )
    if not is_current:
        return Started()
    return PasswordChangeRequired(account.id, reason, found.temporary_password_id)


def _proved(found: Interaction) -> tuple[Evidence, SecondFactorDecision]:
    stored = found.second_factor or {}
    decision = SecondFactorDecision(
        reasons=tuple(stored.get("reasons", ())),
        needs_strong=bool(stored.get("needs_strong")),
        no_prompt=tuple(NoPromptReason(name) for name in stored.get("no_prompt", ())),
    )
    return Evidence(tuple(found.proved or ()), found.has_secret), decision


def _session_view(
    work: UnitOfWork,
    session: OpenSession | None,
    client: AnyClient | None = None,
    reachable: str | None = None,
) -> SessionView | None:
    """The session, with the subject that the client knows."""
    if session is None:
        return None
    account = session.account
    subject = account.subject
    if client is not None:
        subject = client_records.subject_for(work, client, subject)
    return SessionView(
        subject, account.kind, session.auth_time, session.acr, reachable_acr=reachable
    )


def _answers(
    work: UnitOfWork, found: Interaction | None, session: OpenSession | None, client: AnyClient
) -> Answers:
    """The answers count for the person who gave them; a denial counts in any case."""
    remembered: frozenset[str] = frozenset()
    if session is not None and not client.trusted:
        consent = interactions.consent_of(work, session.account_id, client)
        remembered = frozenset(consent.scopes if consent else ())
    if found is None:
        return Answers(remembered_scopes=remembered)
    is_own = session is not None and found.answered_by_id == session.account_id
    return Answers(
        account_chosen=is_own and found.account_chosen_at is not None,
        consented=is_own and found.consented_at is not None,
        denied=found.denied_at is not None,
        remembered_scopes=remembered,
    )
