"""Verification of a caller: matching facts, and a code that only the holder can read (CR-02)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, one_time_codes, text_messages
from idp.credentials.links import Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.errors import CodeNotSent, NoRecoveryPhone, SendLimit
from idp.helpdesk.helpdesk_refusals import CallerRefusal
from idp.messages import queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import Account, CallerVerification, MessageChannel
from idp.policy.console import Fact, is_verified
from idp.session import failed_attempts
from idp.transaction import UnitOfWork, spend_once

#: The length of a call.
SECONDS = 1800


def record(
    work: UnitOfWork, agent: Account, account: Account, facts: Collection[str], *, ticket: str
) -> bool:
    """Record the facts that the caller knew, never their values. False if they are not enough, or
    if only a code counts after a denial; then a refusal is recorded. A call to a number that is not
    registered is no fact."""
    known = sorted({fact for fact in facts if fact in possible_facts(account)})
    is_denied = denied_until(work, account) is not None
    enough = is_verified(known, code_confirmed=False) and not is_denied
    work.db.add(
        CallerVerification(
            account_id=account.id,
            agent_id=agent.id,
            # After a denial they count for nothing; the event has them.
            facts=[] if is_denied else known,
            ticket=ticket,
            created_at=work.now,
            expires_at=work.after(seconds=SECONDS),
        )
    )
    reason = None
    if not enough:
        reason = CallerRefusal.RECENTLY_DENIED if is_denied else CallerRefusal.TOO_LITTLE_MATCHED
    events.record(
        work,
        AuditAction.CALLER_VERIFIED,
        reason=reason,
        account=account,
        facts=known,
        ticket=ticket,
    )
    return enough


def possible_facts(account: Account) -> list[Fact]:
    """The facts that a caller can prove. A callback needs a registered phone number."""
    return [fact for fact in Fact if fact is not Fact.CALLBACK or account.person.phone]


def denied_until(work: UnitOfWork, account: Account) -> datetime | None:
    """The time until which only a code verifies a caller, because a recent caller was not the
    holder; None if facts count. A refused caller could call another agent with better answers."""
    latest = work.db.scalar(
        select(
            func.max(func.coalesce(CallerVerification.denied_at, CallerVerification.disowned_at))
        ).where(CallerVerification.account_id == account.id)
    )
    until = latest + timedelta(seconds=SECONDS) if latest is not None else None
    return until if until is not None and until > work.now else None


def deny(work: UnitOfWork, agent: Account, account: Account, *, ticket: str) -> None:
    """Record that the caller is not the holder; ends every verification. For the length of a call
    only a code that is sent to the holder verifies a caller."""
    for row in _open(work, account):
        row.expires_at = work.now
    work.db.add(
        CallerVerification(
            account_id=account.id,
            agent_id=agent.id,
            facts=[],
            ticket=ticket,
            created_at=work.now,
            expires_at=work.now,
            denied_at=work.now,
        )
    )
    events.record(
        work,
        AuditAction.CALLER_VERIFIED,
        reason=CallerRefusal.DENIED,
        account=account,
        ticket=ticket,
    )


def find_active(work: UnitOfWork, agent: Account, account: Account) -> CallerVerification | None:
    """This agent's current verification of the account's holder, or None."""
    rows = [row for row in _open(work, account) if row.agent_id == agent.id]
    for row in rows:
        if is_verified(row.facts, code_confirmed=row.code_confirmed_at is not None):
            return row
    return None


def _open(work: UnitOfWork, account: Account) -> list[CallerVerification]:
    return list(
        work.db.scalars(
            select(CallerVerification)
            .where(
                CallerVerification.account_id == account.id,
                CallerVerification.expires_at > work.now,
                CallerVerification.disowned_at.is_(None),
            )
            .order_by(CallerVerification.id.desc())
        )
    )


def send_code(
    work: UnitOfWork, agent: Account, account: Account, channel: MessageChannel, *, ticket: str
) -> None:
    """Send a code for the caller to read back, to the registered address or recovery telephone. The
    message names the agent. Raises Refused."""
    if not failed_attempts.consume(work, f"caller:{account.id}", account, failed_attempts.SENDING):
        raise CodeNotSent(SendLimit.CALLS_ACCOUNT)
    if channel is MessageChannel.SMS:
        _text_code(work, agent, account)
    else:
        _mail_code(work, agent, account)
    work.db.add(
        CallerVerification(
            account_id=account.id,
            agent_id=agent.id,
            facts=[],
            ticket=ticket,
            created_at=work.now,
            expires_at=work.after(seconds=SECONDS),
        )
    )
    events.record(
        work, AuditAction.CALLER_CODE_SENT, account=account, channel=str(channel), ticket=ticket
    )


def _text_code(work: UnitOfWork, agent: Account, account: Account) -> None:
    number = account.recovery_phone
    if not number:
        raise NoRecoveryPhone()

    def make() -> str:
        return _issue_code(work, agent, account, destination=number)

    kind, name = TextMessageKind.CALLER_CODE, agent.person.full_name
    text_messages.send(work, kind, account, number, make, agent=name)


def _mail_code(work: UnitOfWork, agent: Account, account: Account) -> None:
    """The mail has a link to the page that says who is calling."""
    token = links.issue(work, account, Purpose.CALL, work.after(seconds=SECONDS))
    queue.enqueue(
        work,
        MailKind.CALLER_CODE,
        account,
        code=_issue_code(work, agent, account, destination=""),
        agent=agent.person.full_name,
        path=f"/call?token={token}",
        expires_at=work.after(seconds=one_time_codes.LIFETIME_SECONDS),
    )


def _issue_code(work: UnitOfWork, agent: Account, account: Account, *, destination: str) -> str:
    flow = _flow(work, agent, account)
    return one_time_codes.issue(work, account, CodePurpose.CALLER, flow, destination=destination)


def check_code(work: UnitOfWork, agent: Account, account: Account, code: str) -> bool:
    """Whether the caller read back the code that this agent sent."""
    flow = _flow(work, agent, account)
    if one_time_codes.redeem(work, CodePurpose.CALLER, flow, code) is None:
        return False
    for row in _open(work, account):
        if row.agent_id == agent.id:
            row.code_confirmed_at = work.now
            row.expires_at = work.after(seconds=SECONDS)
            events.record(
                work,
                AuditAction.CALLER_VERIFIED,
                account=account,
                facts=["code"],
                ticket=row.ticket,
            )
            return True
    return False


def agents_on_call(work: UnitOfWork, account: Account) -> list[Account]:
    """The agents with an open call about this account, the latest first."""
    ids = dict.fromkeys(row.agent_id for row in _open(work, account))
    return [work.db.get_one(Account, pk) for pk in ids]


def report_impostor(work: UnitOfWork, account: Account) -> None:
    """The holder reports that someone else is on the call: its verification ends."""
    for row in _open(work, account):
        spend_once(work, row, CallerVerification.disowned_at)
    one_time_codes.invalidate_all(work, account, CodePurpose.CALLER)
    events.record(
        work, AuditAction.CALLER_DISOWNED, reason=CallerRefusal.NOT_THE_HOLDER, account=account
    )


def _flow(work: UnitOfWork, agent: Account, account: Account) -> str:
    return one_time_codes.flow_digest(work, CodePurpose.CALLER, f"{agent.id}:{account.id}")
