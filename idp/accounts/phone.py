"""The recovery telephone: proved by a code before it counts (SP-03)."""

from __future__ import annotations

from idp.accounts import codes, events, lockout, notices, search
from idp.accounts.codes import CodePurpose
from idp.errors import Refused
from idp.messages import queue
from idp.models import Account, BrowserSession
from idp.policy.phone import masked
from idp.transaction import Work


def send_code(work: Work, session: BrowserSession, number: str) -> None:
    """Send a code to an E.164 number that is to become the recovery telephone. Raises Refused
    when too many were sent."""
    account = session.account
    if not lockout.use_up(work, f"phone:{account.id}", account, lockout.SENDING):
        raise Refused("too many codes were sent within the hour")
    flow = codes.flow_digest(work, CodePurpose.PHONE, session.public_id)
    code = codes.issue(work, account, CodePurpose.PHONE, flow, destination=number)
    queue.enqueue_sms(work, "sms_phone_code", account, number, code=code)
    events.record(work, "phone.code_sent", account=account, session=session)


def confirm(work: Work, session: BrowserSession, code: str) -> bool:
    """Make the number to which this session's code went the account's; False for a wrong code."""
    account = session.account
    flow = codes.flow_digest(work, CodePurpose.PHONE, session.public_id)
    row = codes.redeem(work, CodePurpose.PHONE, flow, code)
    if row is None or row.account_id != account.id:
        return False
    _set(work, account, row.destination)
    return True


def remove(work: Work, account: Account) -> None:
    """Forget the number."""
    if account.recovery_phone:
        _set(work, account, None)


def _set(work: Work, account: Account, number: str | None) -> None:
    account.recovery_phone = number
    account.updated_at = work.now
    # Codes under way went to the earlier number.
    codes.end_all(work, account)
    search.index(work, account)
    events.record(work, "phone.changed", account=account, set=bool(number))
    notices.send(work, "recovery_phone_changed", account, number=masked(number or ""))
