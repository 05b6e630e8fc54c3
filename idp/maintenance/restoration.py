"""Make a restored database safe: nothing that was revoked after the backup may become valid again.

The backup contains sessions that have since ended, used tokens and codes, and mails already sent.
Which ones is unknown, so all of them are invalidated. Other revocations since the backup are
replayed from an export of the audit trail. The audit chain continues at the head of the backup, and
an event identifies the export with the missing events (docs/decisions/0033).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, text, update

from idp.audit import events, lost_events
from idp.audit.actions import AuditAction
from idp.audit.lost_events import LostEvents
from idp.credentials.links import Purpose
from idp.directory import activation
from idp.errors import ServiceError
from idp.maintenance import revocation_replay
from idp.maintenance.revocation_replay import ReplayResult
from idp.mfa.assurance import FactorKind
from idp.mfa.totp import STEP_SECONDS
from idp.models import (
    TO_PEOPLE,
    Account,
    AccountState,
    Authenticator,
    AuthorizationCode,
    BrowserSession,
    CallerVerification,
    Client,
    ClientProposal,
    DeviceAuthorization,
    DeviceBinding,
    Grant,
    InitialAccessToken,
    Interaction,
    KnownBrowser,
    Link,
    MessageState,
    OneTimeCode,
    OutboxMessage,
    RecoveryCode,
    RecoveryRequest,
    TemporaryPassword,
)
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork


@dataclass(frozen=True)
class RestorationResult:
    """What was invalidated, what was replayed, and the events that only the export has."""

    ended: dict[str, int]
    invited: int
    lost: LostEvents | None
    redone: ReplayResult
    #: Accounts that the export names and the database does not have.
    unknown: list[str]


def complete(
    work: UnitOfWork, *, why: str, lines: Iterable[str] | None = None
) -> RestorationResult:
    """Make a restored database safe to serve, in one transaction. ``lines`` are the lines of
    exports of the audit trail. Raises Invalid or Refused if an export cannot be read or verified;
    then nothing is changed."""
    if work.db.get_bind().dialect.name == "postgresql":
        # Ending every session and grant at once can exceed the time limit of a request.
        work.db.execute(text("SET LOCAL statement_timeout = 0"))
    lost = lost_events.compare_export(work, lines) if lines is not None else None
    ended = _end_all(work, with_recovery_codes=lost is None)
    redone = revocation_replay.replay(work, lost.events, lost.names) if lost else ReplayResult()
    newest = work.db.scalar(select(func.max(Link.id))) or 0
    invited = _invite(work, redone)
    is_old = _is_unspent(Link) & (Link.id <= newest)
    ended["links"] = invited + _mark(work, Link, is_old, superseded_at=work.now)
    unknown = revocation_replay.missing_accounts(work, lost.names) if lost else []
    data: dict[str, Any] = {"why": why, "ended": ended, "redone": dict(redone.done)}
    events.record(work, AuditAction.TRAIL_RESTORED, lost=lost.summary() if lost else None, **data)
    return RestorationResult(ended, invited, lost, redone, unknown)


def _end_all(work: UnitOfWork, *, with_recovery_codes: bool) -> dict[str, int]:
    ended = {"sessions": _end_sessions(work)}
    steps = _steps(work.now)
    if with_recovery_codes:
        values = {"superseded_at": work.now}
        steps.append(("recovery_codes", RecoveryCode, _is_unspent(RecoveryCode), values))
    for name, model, where, values in steps:
        ended[name] = _mark(work, model, where, **values)
    # Codes that an app showed before now are no longer accepted (N64).
    step = int(work.now.timestamp()) // STEP_SECONDS + 1
    is_app = (Authenticator.kind == FactorKind.TOTP) & (Authenticator.last_step < step)
    _mark(work, Authenticator, is_app, last_step=step)
    return ended


def _steps(now: datetime) -> list[tuple[str, type, ColumnElement[bool], dict[str, Any]]]:
    """What ends: the name of its count, its table, which rows, and their new values."""
    return [
        ("grants", Grant, Grant.revoked_at.is_(None),
         {"revoked_at": now, "revoke_reason": EndReason.RESTORED}),
        ("authorization_codes", AuthorizationCode,
         AuthorizationCode.consumed_at.is_(None) & (AuthorizationCode.expires_at > now),
         {"expires_at": now}),
        ("device_authorizations", DeviceAuthorization, DeviceAuthorization.expires_at > now,
         {"expires_at": now}),
        ("interactions", Interaction, Interaction.expires_at > now, {"expires_at": now}),
        ("browsers", KnownBrowser, KnownBrowser.ended_at.is_(None), {"ended_at": now}),
        ("device_bindings", DeviceBinding, DeviceBinding.ended_at.is_(None), {"ended_at": now}),
        ("temporary_passwords", TemporaryPassword, _is_unspent(TemporaryPassword),
         {"superseded_at": now}),
        ("one_time_codes", OneTimeCode, _is_unspent(OneTimeCode), {"superseded_at": now}),
        ("recovery_requests", RecoveryRequest, RecoveryRequest.processed_at.is_(None),
         {"processed_at": now}),
        ("caller_verifications", CallerVerification, CallerVerification.expires_at > now,
         {"expires_at": now}),
        ("proposals", ClientProposal,
         ClientProposal.decided_at.is_(None) & (ClientProposal.expires_at > now),
         {"expires_at": now}),
        ("initial_access_tokens", InitialAccessToken, InitialAccessToken.revoked_at.is_(None),
         {"revoked_at": now}),
        ("old_client_secrets", Client, Client.former_secret_until > now,
         {"former_secret_digest": None, "former_secret_until": None,
          "former_sealed_secret": None}),
        ("old_passwords", Account, Account.former_password_until > now,
         {"former_password_hash": None, "former_password_until": None}),
        # Sent already, or with an invalid link. Notices about ended access are sent again.
        ("messages", OutboxMessage,
         (OutboxMessage.state == MessageState.QUEUED)
         & OutboxMessage.channel.in_(TO_PEOPLE),
         {"state": MessageState.DEAD, "last_error": EndReason.RESTORED}),
    ]  # fmt: skip


def _end_sessions(work: UnitOfWork) -> int:
    """End each session separately, so that its relying parties get a back-channel logout."""
    rows = work.db.scalars(select(BrowserSession).where(BrowserSession.ended_at.is_(None))).all()
    for row in rows:
        sessions.end(work, row, EndReason.RESTORED)
    return len(rows)


def _invite(work: UnitOfWork, redone: ReplayResult) -> int:
    """Mail the holders of pending accounts a new link with the same expiry."""
    waiting = select(Link.account_id).where(
        Link.purpose == Purpose.ACTIVATE, _is_unspent(Link), Link.expires_at > work.now
    )
    query = select(Account).where(Account.id.in_(waiting), Account.state == AccountState.PENDING)
    count = 0
    for account in work.db.scalars(query.order_by(Account.id)).all():
        try:
            with work.db.begin_nested():
                activation.resend(work, account)
            count += 1
        except ServiceError as error:
            redone.refused.append(f"activation {account.username}: {error.detail or error.code}")
    return count


def _is_unspent(model: Any) -> ColumnElement[bool]:
    unspent: ColumnElement[bool] = model.used_at.is_(None) & model.superseded_at.is_(None)
    return unspent


def _mark(work: UnitOfWork, model: type, where: ColumnElement[bool], **values: Any) -> int:
    result = work.db.execute(
        update(model).where(where).values(**values).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]
