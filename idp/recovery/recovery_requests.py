"""Requests for a reset or an unlock by people who cannot sign in (RS; procedures E and K).

The page only stores what was typed. The worker finds out whether there is such an account and sends
the link or the code. So neither the answer of the page nor its time tells who exists (N48).
"""

from __future__ import annotations

from dataclasses import replace as with_changes
from enum import StrEnum

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, one_time_codes, text_messages
from idp.credentials.links import Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.directory import accounts
from idp.errors import CodeNotSent
from idp.messages import queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import Account, AccountState, RecoveryRequest
from idp.policy.names import MAX_NAME
from idp.recovery.recovery_refusals import OF_STATE, RecoveryRefusal
from idp.session import failed_attempts
from idp.transaction import UnitOfWork, spend_once
from service_base import logs, request_ids, tracing

log = logs.Logger("gateway.recovery")


class Goal(StrEnum):
    """What a person who cannot sign in asks for."""

    RESET = "reset"
    UNLOCK = "unlock"


#: Its name in the audit trail; a goal without one is found at import.
RECORDED_AS = {goal: AuditAction(f"{goal}.requested") for goal in Goal}
_TEXT_KINDS = {Goal.RESET: TextMessageKind.RESET_CODE, Goal.UNLOCK: TextMessageKind.UNLOCK_CODE}


class Channel(StrEnum):
    """How the link or the code is sent."""

    MAIL = "mail"
    SMS = "sms"


def request_recovery(work: UnitOfWork, goal: Goal, channel: Channel, typed: str) -> str:
    """Store a request, whether an account has that name or not. Returns the secret of its flow, for
    the browser that asked."""
    flow = work.token(24)
    work.db.add(
        RecoveryRequest(
            goal=goal,
            channel=channel,
            typed_sealed=work.vault.encrypt(typed[:MAX_NAME]),
            flow=one_time_codes.flow_digest(work, CodePurpose(goal), flow),
            ip=work.origin.ip,
            user_agent=work.origin.user_agent,
            request_id=work.origin.request_id,
            traceparent=request_ids.traceparent(),
            created_at=work.now,
        )
    )
    return flow


def process_next(work: UnitOfWork) -> bool:
    """Process the oldest request; False when none waits."""
    waiting = (
        select(RecoveryRequest)
        .where(RecoveryRequest.processed_at.is_(None))
        .order_by(RecoveryRequest.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = work.db.scalar(waiting)
    if row is None:
        return False
    if spend_once(work, row, RecoveryRequest.processed_at):
        with tracing.working(f"recover {row.goal}", row.traceparent):
            _process(work, row)
    return True


def _process(work: UnitOfWork, row: RecoveryRequest) -> None:
    work.origin = with_changes(
        work.origin, ip=row.ip, user_agent=row.user_agent, request_id=row.request_id
    )
    account = accounts.find_for_sign_in(work, work.vault.decrypt(row.typed_sealed))
    try:
        with work.db.begin_nested():
            refusal = _respond(work, row, account)
    except Exception as error:
        # Whatever is wrong with this account, the requests behind it are processed.
        log.error("recovery_failed", request=row.id, error=type(error).__name__)
        refusal = RecoveryRefusal.FAILED
    events.record(
        work,
        RECORDED_AS[Goal(row.goal)],
        reason=refusal,
        account=account,
        # Anybody can ask in any name, so requests that send nothing are sampled.
        proved=refusal is None,
        channel=row.channel,
    )


def _respond(work: UnitOfWork, row: RecoveryRequest, account: Account | None) -> StrEnum | None:
    """Send the link or the code, or return why not. An account that was never activated has no
    password to recover (RS-07). The holder of one that an operator closed learns whom to call."""
    if account is None:
        return RecoveryRefusal.UNKNOWN_ACCOUNT
    if account.state == AccountState.DEACTIVATED:
        return RecoveryRefusal.ACCOUNT_DEACTIVATED
    if not failed_attempts.consume(
        work, f"recovery:{account.id}", account, failed_attempts.SENDING
    ):
        return RecoveryRefusal.TOO_MANY_REQUESTS
    if account.activated_at is None:
        queue.enqueue(work, MailKind.NOT_ACTIVATED, account)
        return OF_STATE[AccountState(account.state)]
    if account.state not in links.STATES[Purpose.RESET]:
        queue.enqueue(work, MailKind.RECOVERY_NOT_POSSIBLE, account, state=str(account.state))
        return OF_STATE[AccountState(account.state)]
    # Where a new password is due, unlocking alone would lead nowhere.
    needs_reset = account.state == AccountState.RESET_REQUIRED
    goal = Goal.RESET if needs_reset else Goal(row.goal)
    if row.channel == Channel.SMS and goal == row.goal and account.recovery_phone:
        number = account.recovery_phone

        def make() -> str:
            purpose = CodePurpose(goal)
            return one_time_codes.issue(work, account, purpose, row.flow, destination=number)

        try:
            text_messages.send(work, _TEXT_KINDS[goal], account, number, make)
        except CodeNotSent as refusal:
            return refusal.limit
    else:
        _send_link(work, account, goal)
    return None


def _send_link(work: UnitOfWork, account: Account, goal: Goal) -> None:
    """Mail the link of a reset or of an unlock to the registered address."""
    purpose, kind, page = {
        Goal.RESET: (Purpose.RESET, MailKind.PASSWORD_RESET_LINK, "/recover/open"),
        Goal.UNLOCK: (Purpose.UNLOCK, MailKind.UNLOCK_LINK, "/recover/unlock/open"),
    }[goal]
    expires = work.after(seconds=work.settings.reset_seconds)
    token = links.issue(work, account, purpose, expires, asks_question=goal is Goal.RESET)
    queue.enqueue(work, kind, account, path=f"{page}?token={token}", expires_at=expires)
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(purpose))
