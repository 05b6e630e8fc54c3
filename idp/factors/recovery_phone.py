"""The recovery telephone: a code verifies the number before it is used (SP-03)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices, one_time_codes, text_messages
from idp.credentials.one_time_codes import CodePurpose
from idp.directory import account_search
from idp.errors import CodeNotSent, SendLimit
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import Account
from idp.policy.phone_number import masked
from idp.transaction import UnitOfWork


def send_code(work: UnitOfWork, account: Account, flow: str, number: str) -> None:
    """Send a code to verify an E.164 number; ``flow`` identifies the session or sign-in. Raises
    Refused if a limit is reached or the last code was sent just now."""
    digest = one_time_codes.flow_digest(work, CodePurpose.PHONE, flow)
    if one_time_codes.resend_delay(work, CodePurpose.PHONE, digest, number):
        raise CodeNotSent(SendLimit.WAIT)

    def make() -> str:
        return one_time_codes.issue(work, account, CodePurpose.PHONE, digest, destination=number)

    text_messages.send(work, TextMessageKind.PHONE_CODE, account, number, make)
    events.record(work, AuditAction.PHONE_CODE_SENT, account=account)


def confirm(work: UnitOfWork, account: Account, flow: str, code: str) -> bool:
    """Store the number that this flow's code was sent to; False for an incorrect code."""
    digest = one_time_codes.flow_digest(work, CodePurpose.PHONE, flow)
    row = one_time_codes.redeem(work, CodePurpose.PHONE, digest, code)
    if row is None or row.account_id != account.id:
        return False
    _set(work, account, row.destination)
    return True


def remove(work: UnitOfWork, account: Account) -> None:
    """Remove the number."""
    if account.recovery_phone:
        _set(work, account, None)


def _set(work: UnitOfWork, account: Account, number: str | None) -> None:
    account.recovery_phone = number
    account.updated_at = work.now
    # Codes already sent went to the previous number.
    one_time_codes.invalidate_all(work, account)
    account_search.index_account(work, account)
    events.record(work, AuditAction.PHONE_CHANGED, account=account, set=bool(number))
    notices.send(work, MailKind.RECOVERY_PHONE_CHANGED, account, number=masked(number or ""))
