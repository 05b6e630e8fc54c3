"""The cookie of a bound session came from a browser without its key: the sender has a copy."""

from __future__ import annotations

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AlarmReason, AuditAction
from idp.credentials import notices
from idp.messages.message_kinds import MailKind
from idp.models import BrowserSession, DeviceBinding, KnownBrowser
from idp.policy.addresses import network_of
from idp.policy.user_agents import describe_user_agent
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork, spend_once
from service_base import logs

log = logs.Logger("gateway.alarm")
ALARM = AuditAction.ALARM_SESSION_COPIED


def end(work: UnitOfWork, session: BrowserSession) -> None:
    """End all sessions of the browser and all that was granted in them, offline access too, and its
    recognition: its cookies were copied together. Each account holder gets a mail, and the desk an
    alarm. Of concurrent requests, one does this."""
    binding = session.binding
    if binding is None or not spend_once(work, binding, DeviceBinding.ended_at):
        return
    rows = work.db.scalars(
        select(BrowserSession).where(
            BrowserSession.binding_id == binding.id, BrowserSession.ended_at.is_(None)
        )
    ).all()
    work.db.execute(
        update(KnownBrowser)
        .where(KnownBrowser.binding_id == binding.id, KnownBrowser.ended_at.is_(None))
        .values(ended_at=work.now)
        .execution_options(synchronize_session=False)
    )
    for row in rows:
        sessions.end(work, row, EndReason.COOKIE_COPIED)
        _tell(work, row)


def _tell(work: UnitOfWork, session: BrowserSession) -> None:
    network = network_of(work.origin.ip)
    events.record(
        work,
        ALARM,
        reason=AlarmReason.COOKIE_COPIED,
        account=session.account,
        session=session,
        network=network,
    )
    log.error("session_copied", account=session.account_id, network=network)
    notices.send(
        work,
        MailKind.SESSION_COPIED,
        session.account,
        at=work.now,
        ip=work.origin.ip or "",
        agent=describe_user_agent(work.origin.user_agent),
    )
