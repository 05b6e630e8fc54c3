"""Signing in: one attempt, what has to be done before it counts, and the session it ends in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices, temporary_passwords
from idp.credentials.hashing import PasswordHasher
from idp.credentials.passwords import store, verify_and_prepare
from idp.directory import accounts, role_groups
from idp.factors import authenticators, enrolment, passkeys
from idp.factors.passkeys import Ceremony, Fault
from idp.mfa.assurance import METHODS, FactorKind, acr_of, passkey_methods
from idp.mfa.decision import DUE, Prompt, Rule, strictest
from idp.models import (
    Account,
    AccountState,
    Authenticator,
    BrowserSession,
    Client,
    Interaction,
    TemporaryPassword,
)
from idp.policy.addresses import address_of
from idp.policy.agents import describe_agent
from idp.policy.lockout import Budget
from idp.policy.scopes import ACR_MFA, ACR_PHR, satisfies
from idp.policy.session_rules import may_sign_in
from idp.recovery import self_service
from idp.session import browsers, failed_attempts, sessions
from idp.signin import risk_assessment
from idp.transaction import UnitOfWork

ONCE_AN_HOUR = Budget(1, timedelta(hours=1), timedelta(hours=1))


class Change(StrEnum):
    """Why a new password has to be chosen before the sign-in counts."""

    TEMPORARY = "temporary"
    RENEWAL = "renewal"


@dataclass(frozen=True)
class Accepted:
    """A password was right. ``change`` says that a new one comes first."""

    account: Account
    change: Change | None = None
    temporary_password_id: int | None = None


def attempt(
    work: UnitOfWork,
    hasher: PasswordHasher,
    *,
    typed: str,
    password: str,
    cookie: str,
    client: Client | None = None,
) -> Accepted | None:
    """Try a user name and a password; None for every refusal, the reason in the trail only. One
    hash is computed and one counter settled in every case (N47, N49). ``cookie`` is that of the
    browser's recognition."""
    account = accounts.find_for_sign_in(work, typed)
    waiting = None
    if account is not None and account.state == AccountState.RESET_REQUIRED:
        waiting = temporary_passwords.living(work, account)
    matched = hasher.verify(password, _stored(account, waiting))
    reason = _reason(work, account, waiting, matched=matched)
    if is_denied(work):
        reason = reason or "network_denied"
    known = browsers.known(work, account, cookie)
    key = failed_attempts.key_of(work, account, typed, known)
    fresh = _fresh_hash(work, hasher, account, password, key) if reason is None else None
    if not failed_attempts.record_outcome(work, key, account, matched=reason is None):
        reason = reason or "throttled"
    elif waiting is not None and not temporary_passwords.spend(work, waiting):
        reason = "temporary_password_used"
    if reason is not None or account is None:
        events.record(
            work,
            AuditAction.SIGNIN_REFUSED,
            reason=reason,
            account=account,
            client=client,
            proved=False,
        )
        return None
    if waiting is not None:
        events.record(work, AuditAction.TEMPORARY_PASSWORD_USED, account=account)
        return Accepted(account, Change.TEMPORARY, waiting.id)
    account.password_hash = fresh or account.password_hash
    return Accepted(account, Change.RENEWAL if is_renewal_due(work, account) else None)


def attempt_by_passkey(
    work: UnitOfWork, browser: str, answer: str, *, client: Client | None = None
) -> tuple[Account, tuple[str, ...]] | Fault:
    """Try a passkey alone; ``browser`` is what ties the challenge to this browser. Returns whose
    it is and what it proves, or what its holder may know of a refusal. A lock of
    wrong passwords does not hold: nobody elsewhere can shut a passkey out (N51)."""
    found = passkeys.verify(work, Ceremony.ALONE, browser, answer, None)
    account = None if isinstance(found, Fault) else found[0]
    reason = f"{found}_passkey" if isinstance(found, Fault) else None
    if account is not None and not may_sign_in(account.state_at(work.now)):
        reason = f"account_{account.state_at(work.now)}"
    if is_denied(work):
        reason = reason or "network_denied"
    if reason is not None:
        events.record(
            work,
            AuditAction.SIGNIN_REFUSED,
            reason=reason,
            account=account,
            client=client,
            proved=False,
        )
        return found if isinstance(found, Fault) else Fault.WRONG
    return found


def is_denied(work: UnitOfWork) -> bool:
    """Whether the operator keeps the network out: refused in the words of a wrong password."""
    return address_of(work.origin.ip) in work.ports.denied


def _stored(account: Account | None, waiting: TemporaryPassword | None) -> str | None:
    """The only hash that counts: a temporary password's where a reset is due (N71)."""
    if account is None:
        return None
    if account.state == AccountState.RESET_REQUIRED:
        return waiting.password_hash if waiting else None
    return account.password_hash


def _fresh_hash(
    work: UnitOfWork, hasher: PasswordHasher, account: Account | None, password: str, key: str
) -> str | None:
    """A hash by the present settings where the stored one is outdated. Made before anything is
    written, so that no lock waits for it; and not during a lock, whose time tells nothing."""
    if account is None or account.state != AccountState.ACTIVE or not account.password_hash:
        return None
    if not hasher.is_outdated(account.password_hash) or failed_attempts.is_locked(work, key):
        return None
    return hasher.hash(password)


def _reason(
    work: UnitOfWork, account: Account | None, waiting: TemporaryPassword | None, *, matched: bool
) -> str | None:
    if account is None:
        return "unknown_account"
    state = account.state_at(work.now)
    if waiting is None and state == AccountState.RESET_REQUIRED:
        return "account_reset_required"
    if not matched:
        return "wrong_password" if account.password_hash or waiting else "no_password"
    # A temporary password is a way out of some states, not out of this one.
    if state == AccountState.DEACTIVATED or (waiting is None and not may_sign_in(state)):
        return f"account_{state}"
    return None


def is_renewal_due(work: UnitOfWork, account: Account) -> bool:
    """Whether the password is older than the settings allow (PW-12; off by default)."""
    days = work.settings.password_max_age_days
    changed = account.password_changed_at
    return bool(days and changed and work.now >= changed + timedelta(days=days))


def hold(found: Interaction, accepted: Accepted) -> None:
    """Keep with the sign-in that its person must choose a new password first."""
    found.change_account_id = accepted.account.id
    found.change_reason = accepted.change
    found.temporary_password_id = accepted.temporary_password_id


def held(work: UnitOfWork, found: Interaction | None) -> Account | None:
    """Who must choose a new password in this sign-in, while that still makes sense."""
    if found is None or found.change_account_id is None:
        return None
    account = work.db.get_one(Account, found.change_account_id)
    wanted = {
        Change.TEMPORARY: AccountState.RESET_REQUIRED,
        Change.RENEWAL: AccountState.ACTIVE,
    }[Change(found.change_reason or "")]
    if account.state != wanted:
        return None
    if wanted == AccountState.ACTIVE or temporary_passwords.stands(
        work, found.temporary_password_id
    ):
        return account
    return None


def change_password(
    work: UnitOfWork,
    hasher: PasswordHasher,
    found: Interaction,
    account: Account,
    *,
    old: str,
    new: str,
    cookie: str,
) -> tuple[str, ...]:
    """Replace the password of somebody whom ``hold`` holds. Returns the broken rules, or
    ``("current",)`` when the old one, entered again, is not right (CR-06, L.05)."""
    is_temporary = found.change_reason == Change.TEMPORARY

    def verify() -> bool:
        if is_temporary:
            return temporary_passwords.is_good(work, hasher, found.temporary_password_id, old)
        return hasher.verify(old, account.password_hash)

    key = failed_attempts.key_of(work, account, "", browsers.known(work, account, cookie))
    outcome = verify_and_prepare(work, hasher, account, key, verify, new)
    if not isinstance(outcome, str):
        return outcome
    if is_temporary and not temporary_passwords.finish(work, found.temporary_password_id):
        return ("current",)
    store(work, account, outcome, source=str(found.change_reason))
    self_service.password_was_replaced(work, account)
    found.change_account_id = found.change_reason = found.temporary_password_id = None
    return ()


def begin_second_step(
    work: UnitOfWork,
    found: Interaction,
    account: Account,
    methods: Sequence[str],
    *,
    cookie: str,
    remember: bool,
    has_secret: bool = False,
) -> None:
    """Keep with the sign-in that its first proof was right, and decide whether a second factor is
    asked for. ``has_secret``: a one-time secret that was sent to the holder was part of it."""
    found.signing_in_id = account.id
    found.proved_stamp = _stamp(account)
    found.remember = remember
    found.proved = list(methods)
    found.has_secret = has_secret
    by_passkey = acr_of(methods, weak_counts=False) == ACR_PHR
    known = browsers.known(work, account, cookie)
    judged = risk_assessment.judge(
        work, account, known, cookie, client=found.client, by_passkey=by_passkey
    )
    asked = judged.decision if isinstance(judged.decision, Prompt) else None
    # Factors that are there are proved before others are set up beside them.
    owed = enrolment.is_owed(work, account)
    wanted = asked is not None or (owed and not by_passkey)
    found.owes_factor = wanted and bool(authenticators.of(work, account))
    found.prompt = {
        "reasons": [*(["enrolment"] if owed else []), *(asked.reasons if asked else ())],
        "needs_strong": bool(asked and asked.needs_strong),
    }
    if judged.risk is not None and "stolen_device" in judged.risk.hits:
        notices.send(work, "browser_suspect", account, at=work.now, ip=work.origin.ip or "")


def pending(work: UnitOfWork, found: Interaction | None) -> Account | None:
    """Who is signing in here but is not in yet, while the first proof still stands: a new
    password or another state since then ends it."""
    if found is None or found.signing_in_id is None:
        return None
    account = work.db.get_one(Account, found.signing_in_id)
    stands = may_sign_in(account.state_at(work.now)) and found.proved_stamp == _stamp(account)
    return account if stands else None


def join(found: Interaction, session: BrowserSession) -> None:
    """The same person has signed in in another tab of this browser since this sign-in began: what
    it still owes was done there. Whether the session is enough is decided as for any request."""
    if found.signing_in_id == session.account_id and session.auth_time >= found.created_at:
        found.signing_in_id = None


def owing(work: UnitOfWork, found: Interaction | None) -> Account | None:
    """Who owes a second factor in this sign-in."""
    account = pending(work, found)
    return account if found is not None and found.owes_factor else None


def enrolling(work: UnitOfWork, found: Interaction | None) -> Account | None:
    """Who has to set something up in this sign-in before it counts."""
    account = pending(work, found)
    if account is None or found is None or found.owes_factor:
        return None
    return account if enrolment.is_owed(work, account) else None


def is_proved(found: Interaction) -> bool:
    """Whether more than a password was shown here: a factor, or a one-time secret."""
    return found.has_secret or bool(set(found.proved or ()) - {"pwd"})


def note_proof(found: Interaction, methods: Sequence[str]) -> None:
    """A second factor was proved, or set up and confirmed, in this sign-in."""
    found.proved = [*(found.proved or ()), *methods]
    found.owes_factor = False


def _stamp(account: Account) -> str:
    """Another one after each change of the password or the state; no clock is compared."""
    changed = account.password_changed_at
    return f"{changed.isoformat() if changed else ''}/{account.state_changed_at.isoformat()}"


def tell_of_failure(work: UnitOfWork, account: Account) -> None:
    """The password was right and the second factor was not: the holder should hear of it; once
    an hour is enough."""
    if failed_attempts.consume(work, f"factor-mail:{account.id}", account, ONCE_AN_HOUR):
        notices.send(work, "factor_failed", account, at=work.now, ip=work.origin.ip or "")


def demanded_level(
    work: UnitOfWork, client: Client, session: BrowserSession | None, cookie: str
) -> str | None:
    """The level that the client demands: the registered one, and what the rules for second factors
    mean for a session that exists already without one, such as a role that came since."""
    if session is None or satisfies(session.acr, ACR_MFA):
        return client.minimum_acr
    rules = [client.second_factor]
    if authenticators.of(work, session.account):
        rules += [work.settings.second_factor, *role_groups.prompt_rules(work, session.account)]
    rule = strictest(rules)
    asks = rule is Rule.ALWAYS
    if rule is Rule.EVERY_30_DAYS:
        known = browsers.known(work, session.account, cookie)
        proved_at = known.proved_at if known is not None else None
        asks = proved_at is None or work.now - proved_at >= DUE
    if not asks or satisfies(client.minimum_acr, ACR_MFA):
        return client.minimum_acr
    return ACR_MFA


def reachable(work: UnitOfWork, session: BrowserSession) -> str:
    """The level to which the session can rise with the factors of its account."""
    best = session.acr
    for row in authenticators.of(work, session.account):
        level = acr_of([*session.amr, *methods_of(row)], weak_counts=_weak_counts(work))
        best = level if satisfies(level, best) else best
    return best


def methods_of(row: Authenticator) -> tuple[str, ...]:
    """What proving this factor adds, as values of ``amr``."""
    if row.kind == FactorKind.PASSKEY:
        return passkey_methods(is_synced=row.is_synced)
    return METHODS[FactorKind(row.kind)]


def _weak_counts(work: UnitOfWork) -> bool:
    return work.settings.weak_factors_satisfy_mfa


@dataclass(frozen=True)
class Entered:
    """A session, with the new values of the browser's two cookies."""

    session: BrowserSession
    cookie: str
    browser_cookie: str


def enter(
    work: UnitOfWork,
    account: Account,
    *,
    methods: Sequence[str],
    cookie: str,
    previous: BrowserSession | None,
    remember: bool = False,
    client: Client | None = None,
) -> Entered:
    """Start the session of somebody who has just proved who they are; the holder gets a mail when
    the browser is new. From now on the sign-in is part of the person's history."""
    session, session_cookie = sessions.start(work, account, methods=methods, previous=previous)
    browser_cookie, is_news = browsers.note(
        work, account, cookie, remember=remember, with_factor=bool(set(methods) - {"pwd"})
    )
    risk_assessment.note(work, account)
    events.record(
        work,
        AuditAction.SIGNIN_SUCCEEDED,
        account=account,
        session=session,
        client=client,
        amr=session.amr,
        new_browser=is_news,
    )
    if is_news:
        notices.send(
            work,
            "signin_from_new_browser",
            account,
            at=work.now,
            ip=work.origin.ip or "",
            agent=describe_agent(work.origin.user_agent),
        )
    return Entered(session, session_cookie, browser_cookie)
