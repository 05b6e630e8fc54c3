"""Signing in: one attempt, what has to be done before it counts, and the session it ends in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from idp.accounts import (
    browsers,
    directory,
    events,
    factors,
    lockout,
    notices,
    recovery,
    sessions,
    temporary,
)
from idp.accounts.credentials import prove_and_prepare, store
from idp.accounts.hashing import PasswordHasher
from idp.models import (
    Account,
    AccountState,
    BrowserSession,
    Client,
    Interaction,
    TemporaryPassword,
)
from idp.policy.agents import describe_agent
from idp.policy.lockout import Budget
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD
from idp.policy.session import may_sign_in
from idp.transaction import Work

#: RFC 8176: password and one-time password, more than one factor.
MFA_AMR = ["pwd", "otp", "mfa"]
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
    work: Work,
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
    account = directory.find_for_sign_in(work, typed)
    waiting = None
    if account is not None and account.state == AccountState.RESET_REQUIRED:
        waiting = temporary.living(work, account)
    matched = hasher.verify(password, _stored(account, waiting))
    reason = _reason(account, waiting, matched=matched)
    known = browsers.known(work, account, cookie)
    key = lockout.key_of(work, account, typed, known)
    fresh = _fresh_hash(work, hasher, account, password, key) if reason is None else None
    if not lockout.settle(work, key, account, matched=reason is None):
        reason = reason or "throttled"
    elif waiting is not None and not temporary.spend(work, waiting):
        reason = "temporary_password_used"
    if reason is not None or account is None:
        events.record(work, "signin.refused", reason=reason, account=account, client=client)
        return None
    if waiting is not None:
        events.record(work, "temporary_password.used", account=account)
        return Accepted(account, Change.TEMPORARY, waiting.id)
    account.password_hash = fresh or account.password_hash
    return Accepted(account, Change.RENEWAL if is_renewal_due(work, account) else None)


def _stored(account: Account | None, waiting: TemporaryPassword | None) -> str | None:
    """The only hash that counts: a temporary password's where a reset is due (N71)."""
    if account is None:
        return None
    if account.state == AccountState.RESET_REQUIRED:
        return waiting.password_hash if waiting else None
    return account.password_hash


def _fresh_hash(
    work: Work, hasher: PasswordHasher, account: Account | None, password: str, key: str
) -> str | None:
    """A hash by the present settings where the stored one is outdated. Made before anything is
    written, so that no lock waits for it; and not during a lock, whose time tells nothing."""
    if account is None or account.state != AccountState.ACTIVE or not account.password_hash:
        return None
    if not hasher.is_outdated(account.password_hash) or lockout.is_locked(work, key):
        return None
    return hasher.hash(password)


def _reason(
    account: Account | None, waiting: TemporaryPassword | None, *, matched: bool
) -> str | None:
    if account is None:
        return "unknown_account"
    if waiting is None and account.state == AccountState.RESET_REQUIRED:
        return "account_reset_required"
    if not matched:
        return "wrong_password" if account.password_hash or waiting else "no_password"
    if waiting is None and not may_sign_in(account.state):
        return f"account_{account.state}"
    return None


def is_renewal_due(work: Work, account: Account) -> bool:
    """Whether the password is older than the settings allow (PW-12; off by default)."""
    days = work.settings.password_max_age_days
    changed = account.password_changed_at
    return bool(days and changed and work.now >= changed + timedelta(days=days))


def hold(found: Interaction, accepted: Accepted) -> None:
    """Keep with the sign-in that its person must choose a new password first."""
    found.change_account_id = accepted.account.id
    found.change_reason = accepted.change
    found.temporary_password_id = accepted.temporary_password_id


def held(work: Work, found: Interaction | None) -> Account | None:
    """Who must choose a new password in this sign-in, while that still makes sense."""
    if found is None or found.change_account_id is None:
        return None
    account = work.db.get_one(Account, found.change_account_id)
    wanted = {
        Change.TEMPORARY: AccountState.RESET_REQUIRED,
        Change.RENEWAL: AccountState.ACTIVE,
    }[Change(found.change_reason or "")]
    return account if account.state == wanted else None


def change_password(
    work: Work,
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
            return temporary.is_good(work, hasher, found.temporary_password_id, old)
        return hasher.verify(old, account.password_hash)

    key = lockout.key_of(work, account, "", browsers.known(work, account, cookie))
    outcome = prove_and_prepare(work, hasher, account, key, verify, new)
    if not isinstance(outcome, str):
        return outcome
    if is_temporary and not temporary.finish(work, found.temporary_password_id):
        return ("current",)
    store(work, account, outcome, door=str(found.change_reason))
    recovery.password_was_replaced(work, account)
    found.change_account_id = found.change_reason = found.temporary_password_id = None
    return ()


def owes_factor(work: Work, account: Account, cookie: str) -> bool:
    """Whether a second factor is asked for: of whoever has one, except in a browser that the
    holder wanted remembered."""
    if not factors.of(work, account):
        return False
    return not browsers.is_remembered(work, browsers.known(work, account, cookie))


def owe(found: Interaction, account: Account, *, remember: bool) -> None:
    """Keep with the sign-in who still has to prove a second factor."""
    found.factor_account_id = account.id
    found.proved_stamp = _stamp(account)
    found.remember = remember


def owing(work: Work, found: Interaction | None) -> Account | None:
    """Who owes a second factor in this sign-in, while the proof of the password still stands: a
    new password or another state since then ends it."""
    if found is None or found.factor_account_id is None:
        return None
    account = work.db.get_one(Account, found.factor_account_id)
    stands = may_sign_in(account.state) and found.proved_stamp == _stamp(account)
    return account if stands and factors.of(work, account) else None


def _stamp(account: Account) -> str:
    """Another one after each change of the password or the state; no clock is compared."""
    changed = account.password_changed_at
    return f"{changed.isoformat() if changed else ''}/{account.state_changed_at.isoformat()}"


def prove(work: Work, account: Account, typed: str, *, tell: bool) -> bool:
    """Check a second factor. ``tell``: the password was just right, so that the holder should
    hear of a wrong code; once an hour is enough."""
    if factors.check(work, account, typed) is not None:
        return True
    if tell and lockout.use_up(work, f"factor-mail:{account.id}", account, ONCE_AN_HOUR):
        notices.send(work, "factor_failed", account, at=work.now, ip=work.origin.ip or "")
    return False


@dataclass(frozen=True)
class Entered:
    """A session, with the new values of the browser's two cookies."""

    session: BrowserSession
    cookie: str
    browser_cookie: str


def enter(
    work: Work,
    account: Account,
    *,
    cookie: str,
    previous: BrowserSession | None,
    remember: bool = False,
    client: Client | None = None,
    with_factor: bool = False,
) -> Entered:
    """Start the session of somebody who has just proved who they are; the holder gets a mail when
    the browser is new."""
    amr, acr = (MFA_AMR, ACR_MFA) if with_factor else (["pwd"], ACR_PASSWORD)
    session, session_cookie = sessions.start(work, account, amr=amr, acr=acr, previous=previous)
    browser_cookie, is_news = browsers.note(work, account, cookie, remember=remember)
    events.record(
        work,
        "signin.succeeded",
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
