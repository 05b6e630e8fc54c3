"""Codes of second factors: from apps, by text message, by mail, and recovery codes."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import timedelta

from sqlalchemy import update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import one_time_codes, text_messages
from idp.credentials.one_time_codes import CodePurpose
from idp.errors import CodeNotSent, SendLimit
from idp.factors import authenticators, recovery_codes
from idp.factors.factor_refusals import FactorRefusal
from idp.messages import queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.mfa import totp
from idp.mfa.assurance import METHODS, RECOVERY, FactorKind
from idp.models import Account, Authenticator, OneTimeCode
from idp.policy.lockout import Budget
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

_MAIL_KINDS = {
    CodePurpose.FACTOR: MailKind.FACTOR_CODE,
    CodePurpose.SETUP: MailKind.SETUP_CODE,
    CodePurpose.ENROL: MailKind.ENROL_CODE,
}
_TEXT_KINDS = {
    CodePurpose.FACTOR: TextMessageKind.FACTOR_CODE,
    CodePurpose.SETUP: TextMessageKind.SETUP_CODE,
}
#: Limit on codes by mail for an account, high enough for several sign-ins in a row.
MAILS = Budget(20, timedelta(hours=1), timedelta(minutes=30))


def start_app_enrolment(work: UnitOfWork, account: Account, name: str) -> Authenticator:
    """Create an unconfirmed authenticator app with a new secret; its first code confirms it."""
    row = authenticators.start_enrolment(work, account, FactorKind.TOTP, name=name)
    random = urlsafe_b64decode(work.token(totp.SECRET_BYTES) + "==")
    row.secret_sealed = work.vault.encrypt(totp.secret_of(random))
    return row


def start_sent_code_enrolment(
    work: UnitOfWork, account: Account, kind: FactorKind, flow: str, *, number: str = ""
) -> Authenticator:
    """Create an unconfirmed factor that sends codes to a number or to the registered address, and
    send the first code. ``flow`` binds the code to this session or sign-in. Raises Refused if a
    limit is reached."""
    authenticators.require_room(work, account)
    _send(work, account, kind, number, CodePurpose.SETUP, flow)
    return authenticators.start_enrolment(work, account, kind, destination=number)


def secret(work: UnitOfWork, row: Authenticator) -> str:
    """The app's secret in base32, for the setup page."""
    return work.vault.decrypt(row.secret_sealed)


def confirm(work: UnitOfWork, account: Account, row: Authenticator, typed: str, flow: str) -> bool:
    """Confirm the pending factor; False for an incorrect code. Raises TooManyFactors."""
    if row.kind == FactorKind.TOTP:
        step = _step(work, row, typed, totp.WINDOW_AT_SETUP)
        if (
            not authenticators.record_outcome(work, account, matched=step is not None)
            or step is None
        ):
            return False
        return authenticators.confirm(work, account, row, last_step=step)
    sent = _matching(work, CodePurpose.SETUP, flow, typed, account)
    if not authenticators.record_outcome(work, account, matched=sent is not None) or sent is None:
        return False
    if sent.destination != row.destination or not one_time_codes.spend(work, sent):
        return False
    return authenticators.confirm(work, account, row)


def send(work: UnitOfWork, account: Account, row: Authenticator, flow: str) -> None:
    """Send a code for a sign-in or a change; an earlier code is invalidated. Raises Refused:
    ``wait`` if the last code was sent less than 30 seconds ago, or the name of a limit."""
    _send(work, account, FactorKind(row.kind), row.destination, CodePurpose.FACTOR, flow)


def _send(
    work: UnitOfWork,
    account: Account,
    kind: FactorKind,
    number: str,
    purpose: CodePurpose,
    flow: str,
) -> None:
    digest = one_time_codes.flow_digest(work, purpose, flow)
    if one_time_codes.resend_delay(work, purpose, digest, number):
        raise CodeNotSent(SendLimit.WAIT)

    def make() -> str:
        return one_time_codes.issue(work, account, purpose, digest, destination=number)

    if kind is FactorKind.SMS:
        text_messages.send(work, _TEXT_KINDS[purpose], account, number, make)
    elif failed_attempts.consume(work, f"mailed-code:{account.id}", account, MAILS):
        expires = work.after(seconds=one_time_codes.LIFETIME_SECONDS)
        queue.enqueue(work, _MAIL_KINDS[purpose], account, code=make(), expires_at=expires)
    else:
        raise CodeNotSent(SendLimit.MAILS_ACCOUNT)
    events.record(
        work, AuditAction.FACTOR_CODE_SENT, account=account, factor=str(kind), purpose=str(purpose)
    )


def send_enrolment_code(work: UnitOfWork, account: Account, flow: str) -> None:
    """Send a code to the registered address before an enrolment that started with a password only.
    Raises Refused."""
    _send(work, account, FactorKind.EMAIL, "", CodePurpose.ENROL, flow)


def check_enrolment_code(work: UnitOfWork, account: Account, typed: str, flow: str) -> bool:
    """Whether the code sent by mail is correct; uses it up."""
    sent = _matching(work, CodePurpose.ENROL, flow, typed, account)
    counts = authenticators.record_outcome(work, account, matched=sent is not None)
    done = counts and sent is not None and one_time_codes.spend(work, sent)
    reason = None if done else FactorRefusal.WRONG_CODE
    events.record(work, AuditAction.ENROLMENT_PROVED, reason=reason, account=account)
    return done


def check(work: UnitOfWork, account: Account, typed: str, flow: str) -> tuple[str, ...] | None:
    """Use up the code and return what it proves, as ``amr`` values; None if it is incorrect, was
    already used, or the account is out of attempts. Codes of every factor are accepted, whichever
    one the page asked for."""
    reason, kind, methods = _check(work, account, typed, flow)
    events.record(work, AuditAction.FACTOR_CHECKED, reason=reason, account=account, factor=kind)
    return methods if reason is None else None


def _check(
    work: UnitOfWork, account: Account, typed: str, flow: str
) -> tuple[FactorRefusal | None, str | None, tuple[str, ...]]:
    rows = authenticators.list_usable(work, account)
    apps = [row for row in rows if row.kind == FactorKind.TOTP]
    steps = [(row, _step(work, row, typed, totp.WINDOW)) for row in apps]
    paper = recovery_codes.find(work, account, typed)
    sent = _matching(work, CodePurpose.FACTOR, flow, typed, account)
    matched = paper is not None or sent is not None or any(step for _, step in steps)
    if not authenticators.record_outcome(work, account, matched=matched):
        return FactorRefusal.TOO_MANY_CODES if matched else FactorRefusal.WRONG_CODE, None, ()
    for row, step in steps:
        if step is not None and _accept(work, row, step):
            return None, str(row.kind), METHODS[FactorKind.TOTP]
    if paper is not None and recovery_codes.spend(work, account, paper):
        return None, "recovery", RECOVERY
    if sent is not None:
        kind = FactorKind.SMS if sent.destination else FactorKind.EMAIL
        own = [r for r in rows if r.kind == kind and r.destination == sent.destination]
        # The number was removed in the meantime.
        if own and one_time_codes.spend(work, sent):
            own[0].last_used_at = work.now
            return None, str(kind), METHODS[kind]
    return FactorRefusal.CODE_USED, None, ()


def _matching(
    work: UnitOfWork, purpose: CodePurpose, flow: str, typed: str, account: Account
) -> OneTimeCode | None:
    """The active code of this flow if it matches; counts the attempt."""
    row = one_time_codes.latest(work, purpose, one_time_codes.flow_digest(work, purpose, flow))
    if row is None or row.account_id != account.id or totp.typed_code(typed) is None:
        return None
    return (
        row
        if one_time_codes.count_attempt(work, row) and one_time_codes.matches(work, row, typed)
        else None
    )


def _step(work: UnitOfWork, row: Authenticator, typed: str, window: int) -> int | None:
    code = totp.typed_code(typed)
    if code is None:
        return None
    drift = totp.drift(row.last_step, row.last_used_at or row.confirmed_at)
    return totp.matching_step(
        secret(work, row), code, work.now, after=row.last_step, window=window, drift=drift
    )


def _accept(work: UnitOfWork, row: Authenticator, step: int) -> bool:
    """Of concurrent uses of a code, exactly one is accepted (N64)."""
    accepted = work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.id == row.id,
            Authenticator.last_step < step,
            Authenticator.removed_at.is_(None),
        )
        .values(last_step=step, last_used_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(accepted.rowcount == 1)  # type: ignore[attr-defined]
