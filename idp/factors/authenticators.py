"""Second factors of an account: list, add, rename, prefer, remove and reset them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.db import table
from idp.factors import recovery_codes, security_question
from idp.factors.factor_refusals import LastRequiredFactor, TooManyFactors
from idp.messages.message_kinds import MailKind
from idp.mfa.assurance import FactorKind, is_strong, strongest_first
from idp.mfa.prompt_reasons import AccountChange
from idp.models import Account, Authenticator, BrowserSession
from idp.models.records import AnyAccount
from idp.policy import enrolment_steps as rules
from idp.policy.lockout import Budget
from idp.policy.names import printable
from idp.policy.phone_number import masked as masked_number
from idp.session import failed_attempts, sessions
from idp.transaction import UnitOfWork, spend_once
from service_base.prepared import Prepared

#: Limit on wrong codes for an account, over all sessions, pages and factors (N63).
WRONG = Budget(10, timedelta(minutes=15), timedelta(minutes=15))
#: Minutes between the start of an enrolment and its confirmation.
SETUP_MINUTES = 15
#: How long a verification permits changes of factors in its session (N66).
PROOF = timedelta(minutes=5)
#: How long a verification, including one at sign-in, permits sensitive changes by an operator.
FRESH = timedelta(minutes=15)
MAX_NAME = 60
_ARE_CONFIRMED = (
    Authenticator.account_id == bindparam("account"),
    Authenticator.removed_at.is_(None),
    Authenticator.confirmed_at.is_not(None),
)
_CONFIRMED = select(Authenticator).where(*_ARE_CONFIRMED)
_KINDS = Prepared(select(table(Authenticator).c.kind).where(*_ARE_CONFIRMED))
#: Factors of an account.
MOST = 20


def list_usable(work: UnitOfWork, account: AnyAccount) -> list[Authenticator]:
    """The confirmed factors that can be used in this environment: the preferred one first, then by
    strength."""
    rows = work.db.scalars(_CONFIRMED, {"account": account.id})
    usable = [row for row in rows if _is_usable(work, row.kind)]
    return sorted(usable, key=lambda r: (not r.is_preferred, strongest_first(r.kind), r.id))


def has_usable(work: UnitOfWork, account: AnyAccount) -> bool:
    """Whether there is one."""
    rows = work.run(_KINDS, {"account": account.id})
    return any(_is_usable(work, row.kind) for row in rows)


def _is_usable(work: UnitOfWork, kind: str) -> bool:
    return kind != FactorKind.SMS or work.ports.sms is not None


def acceptable(work: UnitOfWork, account: Account, *, needs_strong: bool) -> list[Authenticator]:
    """The factors to offer, in the order of ``list_usable``. If ``needs_strong`` and the account
    has no strong factor, it returns the others, so that the holder is not locked out."""
    rows = list_usable(work, account)
    strong = [row for row in rows if is_strong(row.kind)]
    return strong if needs_strong and strong else rows


def policy(work: UnitOfWork) -> rules.Policy:
    """The factor policy of this environment."""
    return rules.Policy(
        offers_texts=work.ports.sms is not None,
        weak_counts=work.settings.weak_factors_satisfy_mfa,
    )


def available_kinds(work: UnitOfWork) -> list[FactorKind]:
    """The kinds of factor that can be enrolled here."""
    return [kind for kind in FactorKind if kind is not FactorKind.SMS or work.ports.sms]


def is_full(work: UnitOfWork, account: Account) -> bool:
    """Whether the account has as many factors as it can have."""
    return len(list_usable(work, account)) >= MOST


def lock(work: UnitOfWork, account: Account) -> None:
    """Lock the account's factors until the transaction ends: concurrent requests add and remove
    them one after the other."""
    failed_attempts.lock_row(work, _key(account), account)


def require_room(work: UnitOfWork, account: Account) -> None:
    """Locks the account's factors. Raises TooManyFactors."""
    lock(work, account)
    if is_full(work, account):
        raise TooManyFactors(MOST)


def start_enrolment(
    work: UnitOfWork, account: Account, kind: FactorKind, *, name: str = "", destination: str = ""
) -> Authenticator:
    """Create an unconfirmed factor. An earlier unconfirmed one of the same kind is discarded;
    confirmed factors are not affected. Raises TooManyFactors."""
    require_room(work, account)
    work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.account_id == account.id,
            Authenticator.kind == kind,
            Authenticator.confirmed_at.is_(None),
            Authenticator.removed_at.is_(None),
        )
        .values(removed_at=work.now)
        .execution_options(synchronize_session=False)
    )
    row = Authenticator(
        public_id=work.token(16),
        account_id=account.id,
        kind=kind,
        name=clean_name(name),
        destination=destination,
        last_step=0,
        created_at=work.now,
    )
    work.db.add(row)
    return row


def pending(work: UnitOfWork, account: Account, kind: FactorKind) -> Authenticator | None:
    """The factor waiting for its first code, until the enrolment expires."""
    return work.db.scalar(
        select(Authenticator)
        .where(
            Authenticator.account_id == account.id,
            Authenticator.kind == kind,
            Authenticator.confirmed_at.is_(None),
            Authenticator.removed_at.is_(None),
            Authenticator.created_at > work.now - timedelta(minutes=SETUP_MINUTES),
        )
        .order_by(Authenticator.id.desc())
        .limit(1)
    )


def confirm(
    work: UnitOfWork,
    account: Account,
    row: Authenticator,
    *,
    ceremony: str = "",
    **values: int,
) -> bool:
    """Confirm a pending factor; False if another request was first. ``ceremony`` says in the audit
    trail how it was created, if the holder did not set it up. Raises TooManyFactors: others may
    have been confirmed since it was started."""
    work.db.flush()
    require_room(work, account)
    alive = Authenticator.removed_at.is_(None)
    if not spend_once(work, row, Authenticator.confirmed_at, alive, **values):
        return False
    work.db.refresh(row)
    require_at_next_sign_in(work, account, AccountChange.FACTOR_CHANGE)
    how: dict[str, Any] = {"ceremony": ceremony} if ceremony else {}
    events.record(
        work,
        AuditAction.FACTOR_ADDED,
        account=account,
        factor=str(row.kind),
        id=row.public_id,
        **how,
    )
    notices.send(work, MailKind.FACTOR_ADDED, account, factor=row.name, what=str(row.kind))
    return True


def clean_name(name: str) -> str:
    """A valid name for a factor; empty if the input cannot be one."""
    name = name.strip()
    return name if name and len(name) <= MAX_NAME and printable(name) else ""


def find(work: UnitOfWork, account: Account, public_id: str) -> Authenticator | None:
    """One of the account's confirmed factors."""
    return next((row for row in list_usable(work, account) if row.public_id == public_id), None)


def rename(work: UnitOfWork, account: Account, row: Authenticator, name: str) -> None:
    """Rename the factor; the holder gets a notice."""
    row.name = clean_name(name)
    events.record(
        work, AuditAction.FACTOR_RENAMED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, MailKind.FACTOR_CHANGED, account, factor=row.name, what=str(row.kind))


def set_preferred(work: UnitOfWork, account: Account, row: Authenticator) -> None:
    """Offer this factor first."""
    for other in list_usable(work, account):
        other.is_preferred = other.id == row.id
    events.record(
        work, AuditAction.FACTOR_PREFERRED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, MailKind.FACTOR_CHANGED, account, factor=row.name, what=str(row.kind))


def is_required(work: UnitOfWork, account: Account, row: Authenticator) -> bool:
    """Whether the account would no longer meet the policy without this factor (MF-08)."""
    if work.settings.enrolment != "required":
        return False
    rest = {FactorKind(other.kind) for other in list_usable(work, account) if other.id != row.id}
    return not policy(work).is_enough(frozenset(rest))


def remove(work: UnitOfWork, account: Account, row: Authenticator) -> None:
    """Remove a factor; with the last one, the recovery codes are invalidated. Raises Refused if the
    policy requires it."""
    # Two concurrent requests must not remove the last two factors.
    lock(work, account)
    work.db.refresh(row)
    if row.removed_at is not None:
        return
    if is_required(work, account, row):
        raise LastRequiredFactor()
    row.removed_at = work.now
    work.db.flush()
    if not list_usable(work, account):
        recovery_codes.invalidate_all(work, account)
    require_at_next_sign_in(work, account, AccountChange.FACTOR_CHANGE)
    events.record(
        work, AuditAction.FACTOR_REMOVED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, MailKind.FACTOR_REMOVED, account, factor=row.name, what=str(row.kind))


def reset(work: UnitOfWork, account: Account) -> None:
    """Remove all factors and the security question, for a holder who lost the telephone. Enrolment
    starts again and needs a one-time secret."""
    lock(work, account)
    work.db.execute(
        update(Authenticator)
        .where(Authenticator.account_id == account.id, Authenticator.removed_at.is_(None))
        .values(removed_at=work.now)
    )
    recovery_codes.invalidate_all(work, account)
    security_question.remove(work, account)
    account.enrolled_at, account.enrolment_passed = None, ""
    account.creates_passkeys = False
    require_at_next_sign_in(work, account, AccountChange.FACTOR_CHANGE)
    failed_attempts.forget(work, _key(account))
    events.record(work, AuditAction.FACTORS_RESET, account=account)


def record_outcome(work: UnitOfWork, account: Account, *, matched: bool) -> bool:
    """Count an attempt with a code of any factor. The code is compared before the lock and counted
    under it, so that parallel guesses get no extra attempts (N63)."""
    return failed_attempts.record_code_outcome(work, _key(account), account, WRONG, matched=matched)


def require_at_next_sign_in(work: UnitOfWork, account: Account, why: AccountChange) -> None:
    """Require a second factor at the next sign-in, whatever its risk. ``why`` names the reason."""
    account.distrusted_at, account.distrusted_for = work.now, why


def is_recently_verified(work: UnitOfWork, session: BrowserSession) -> bool:
    """Whether a factor was verified in this session recently. An open session alone is not enough
    to change factors (N66)."""
    return session.proved_at is not None and work.now - session.proved_at < PROOF


def is_fresh(work: UnitOfWork, session: BrowserSession) -> bool:
    """Whether a second factor was verified recently in this session, including at its sign-in."""
    return session.factor_at is not None and work.now - session.factor_at < FRESH


def record_verification(work: UnitOfWork, session: BrowserSession, methods: tuple[str, ...]) -> str:
    """Record that a factor, or the password if there is none, was verified for a change. Returns
    the session's new cookie (N53)."""
    session.proved_at = work.now
    return sessions.step_up(work, session, methods)


def masked_destination(row: Authenticator, account: Account) -> str:
    """Where the factor's codes are sent, masked."""
    if row.kind == FactorKind.SMS:
        return masked_number(row.destination)
    if row.kind == FactorKind.EMAIL:
        local, _, host = account.person.email.partition("@")
        return f"{local[:1]}•••@{host}"
    return ""


def _key(account: Account) -> str:
    return f"factor:{account.id}"
