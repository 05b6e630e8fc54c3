"""Second factors of an account: which there are, added, renamed, preferred, removed, reset."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.errors import Refused
from idp.factors import recovery_codes, security_question
from idp.mfa.assurance import FactorKind, is_strong, strongest_first
from idp.models import Account, Authenticator, BrowserSession
from idp.policy import enrolment_steps as rules
from idp.policy.lockout import Budget
from idp.policy.names import printable
from idp.policy.phone_number import masked as masked_number
from idp.session import failed_attempts, sessions
from idp.transaction import UnitOfWork, spend_once

#: Wrong codes of one account, whatever the session, the page and the factor (N63).
WRONG = Budget(10, timedelta(minutes=15), timedelta(minutes=15))
#: Between the beginning of a set-up and the code that confirms it.
SETUP_MINUTES = 15
#: How long a proof allows changes of factors in its session (N66).
PROOF = timedelta(minutes=5)
#: How long a proof, at the sign-in or later, allows an operator's changes that reach far.
FRESH = timedelta(minutes=15)
MAX_NAME = 60


def list_usable(work: UnitOfWork, account: Account) -> list[Authenticator]:
    """The factors that count and can be used here: the preferred one first, then the stronger."""
    rows = work.db.scalars(
        select(Authenticator).where(
            Authenticator.account_id == account.id,
            Authenticator.removed_at.is_(None),
            Authenticator.confirmed_at.is_not(None),
        )
    )
    texts = work.ports.sms is not None
    usable = [row for row in rows if row.kind != FactorKind.SMS or texts]
    return sorted(usable, key=lambda r: (not r.is_preferred, strongest_first(r.kind), r.id))


def acceptable(work: UnitOfWork, account: Account, *, needs_strong: bool) -> list[Authenticator]:
    """The factors to offer, in the order of ``list_usable``. If ``needs_strong`` and the account
    has no strong factor, it returns the others, so that the holder is not locked out."""
    rows = list_usable(work, account)
    strong = [row for row in rows if is_strong(row.kind)]
    return strong if needs_strong and strong else rows


def policy(work: UnitOfWork) -> rules.Policy:
    """What this environment demands of factors."""
    return rules.Policy(
        offers_texts=work.ports.sms is not None,
        weak_counts=work.settings.weak_factors_satisfy_mfa,
    )


def available_kinds(work: UnitOfWork) -> list[FactorKind]:
    """The kinds that can be set up here."""
    return [kind for kind in FactorKind if kind is not FactorKind.SMS or work.ports.sms]


def start_enrolment(
    work: UnitOfWork, account: Account, kind: FactorKind, *, name: str = "", destination: str = ""
) -> Authenticator:
    """A new factor, to be confirmed; one of its kind that was begun before and not confirmed is
    forgotten. No factor that counts is touched."""
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
    """The factor that waits for its first code, while there is time."""
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


def confirm(work: UnitOfWork, account: Account, row: Authenticator, **values: int) -> bool:
    """Make a begun factor count; False when another request was first."""
    work.db.flush()
    alive = Authenticator.removed_at.is_(None)
    if not spend_once(work, row, Authenticator.confirmed_at, alive, **values):
        return False
    work.db.refresh(row)
    require_at_next_sign_in(work, account, "factor_change")
    events.record(
        work, AuditAction.FACTOR_ADDED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, "factor_added", account, factor=row.name, what=str(row.kind))
    return True


def clean_name(name: str) -> str:
    """A name for a factor; what cannot be one is left empty."""
    name = name.strip()
    return name if name and len(name) <= MAX_NAME and printable(name) else ""


def find(work: UnitOfWork, account: Account, public_id: str) -> Authenticator | None:
    """One of the account's own factors that count."""
    return next((row for row in list_usable(work, account) if row.public_id == public_id), None)


def rename(work: UnitOfWork, account: Account, row: Authenticator, name: str) -> None:
    """Another name; the holder hears of it."""
    row.name = clean_name(name)
    events.record(
        work, AuditAction.FACTOR_RENAMED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, "factor_changed", account, factor=row.name, what=str(row.kind))


def set_preferred(work: UnitOfWork, account: Account, row: Authenticator) -> None:
    """Offer this one first from now on."""
    for other in list_usable(work, account):
        other.is_preferred = other.id == row.id
    events.record(
        work, AuditAction.FACTOR_PREFERRED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, "factor_changed", account, factor=row.name, what=str(row.kind))


def is_required(work: UnitOfWork, account: Account, row: Authenticator) -> bool:
    """Whether what is required would be missing without this one (MF-08)."""
    if work.settings.enrolment != "required":
        return False
    rest = {FactorKind(other.kind) for other in list_usable(work, account) if other.id != row.id}
    return not policy(work).is_enough(frozenset(rest))


def remove(work: UnitOfWork, account: Account, row: Authenticator) -> None:
    """Remove one; with the last one the recovery codes end. Raises Refused when it is needed."""
    # One after the other: two requests must not remove the last two at the same time.
    failed_attempts.lock_row(work, _key(account), account)
    work.db.refresh(row)
    if row.removed_at is not None:
        return
    if is_required(work, account, row):
        raise Refused("the last required factor cannot go")
    row.removed_at = work.now
    work.db.flush()
    if not list_usable(work, account):
        recovery_codes.invalidate_all(work, account)
    require_at_next_sign_in(work, account, "factor_change")
    events.record(
        work, AuditAction.FACTOR_REMOVED, account=account, factor=str(row.kind), id=row.public_id
    )
    notices.send(work, "factor_removed", account, factor=row.name, what=str(row.kind))


def reset(work: UnitOfWork, account: Account) -> None:
    """Remove all and the security question too: an operator helps somebody whose telephone is
    gone. Enrolment begins anew, from a one-time secret."""
    work.db.execute(
        update(Authenticator)
        .where(Authenticator.account_id == account.id, Authenticator.removed_at.is_(None))
        .values(removed_at=work.now)
    )
    recovery_codes.invalidate_all(work, account)
    security_question.remove(work, account)
    account.enrolled_at, account.enrolment_passed = None, ""
    require_at_next_sign_in(work, account, "factor_change")
    failed_attempts.forget(work, _key(account))
    events.record(work, AuditAction.FACTORS_RESET, account=account)


def record_outcome(work: UnitOfWork, account: Account, *, matched: bool) -> bool:
    """Count one code of any factor: compared first, then counted one after the other, so that of
    parallel guesses no more count than of serial ones (N63)."""
    return failed_attempts.record_code_outcome(work, _key(account), account, WRONG, matched=matched)


def require_at_next_sign_in(work: UnitOfWork, account: Account, why: str) -> None:
    """The next sign-in is asked for a factor, whatever it looks like; ``why`` names a reason."""
    account.distrusted_at, account.distrusted_for = work.now, why


def is_recently_verified(work: UnitOfWork, session: BrowserSession) -> bool:
    """Whether a factor was proved in this session just now: an open session alone, or one that
    was opened long ago, changes no factor (N66)."""
    return session.proved_at is not None and work.now - session.proved_at < PROOF


def is_fresh(work: UnitOfWork, session: BrowserSession) -> bool:
    """Whether a second factor was proved in this session, also at its sign-in, a moment ago."""
    return session.factor_at is not None and work.now - session.factor_at < FRESH


def record_verification(work: UnitOfWork, session: BrowserSession, methods: tuple[str, ...]) -> str:
    """A factor, or the password where there is none, was proved to change something. Returns the
    session's new cookie (N53)."""
    session.proved_at = work.now
    return sessions.step_up(work, session, methods)


def masked_destination(row: Authenticator, account: Account) -> str:
    """Where its codes go, as far as a page may say."""
    if row.kind == FactorKind.SMS:
        return masked_number(row.destination)
    if row.kind == FactorKind.EMAIL:
        local, _, host = account.person.email.partition("@")
        return f"{local[:1]}•••@{host}"
    return ""


def _key(account: Account) -> str:
    return f"factor:{account.id}"
