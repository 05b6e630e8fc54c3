"""Security events for receivers (CAEP 1.0): which recorded changes they are told of, and who gets
them. An event is a row of the outbox in the transaction of the change.

A receiver gets events about accounts that have signed in to it. What the events contain of an
account is added at delivery (``idp.oidc.event_token``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, column, exists, or_, select, table

from idp.audit.actions import AuditAction
from idp.audit.reported_changes import CLAIMS, CREDENTIALS, FACTORS
from idp.messages import queue
from idp.messages.message_kinds import NotificationKind
from idp.policy.event_types import MANAGE, READ, EventType, StreamStatus
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.models import EventStream
    from idp.models.records import AnyAccount

KINDS = {
    EventType.SESSION_REVOKED: NotificationKind.SESSION_REVOKED,
    EventType.CREDENTIAL_CHANGE: NotificationKind.CREDENTIAL_CHANGE,
    EventType.TOKEN_CLAIMS_CHANGE: NotificationKind.TOKEN_CLAIMS_CHANGE,
}
#: What changes with role groups, and with preferences.
GROUPS, PREFERENCES = ("groups",), ("locale", "zoneinfo")

#: Whether any client has a stream; without the model, which loads others.
_ANY_STREAM = select(exists(select(column("id")).select_from(table("event_stream"))))


def tell(work: UnitOfWork, name: AuditAction, account: AnyAccount, data: Mapping[str, Any]) -> None:
    """Tell the receivers that know the account of a recorded change, if it is one of the above."""
    if name in CREDENTIALS:
        kind, change, reason = CREDENTIALS[name]
        details = {
            "credential_type": kind or FACTORS[data["factor"]],
            "change_type": change,
        }
        event = _event(work, reason, details)
        for stream in _receivers(work, account):
            _enqueue(work, stream, EventType.CREDENTIAL_CHANGE, account, {"event": event})
    elif name in CLAIMS:
        _tell_of_claims(work, CLAIMS[name], account, _changed(name, data))


def _tell_of_claims(
    work: UnitOfWork, reason: str, account: AnyAccount, changed: tuple[str, ...]
) -> None:
    for stream in _receivers(work, account):
        key = (stream.id, account.id, changed)
        # One event has the values at delivery, however many changes the transaction makes.
        if (before := work.told.get(key)) is not None and before in work.db:
            continue
        body = {"event": _event(work, reason), "changed": changed}
        work.told[key] = _enqueue(work, stream, EventType.TOKEN_CLAIMS_CHANGE, account, body)


def session_revoked(
    work: UnitOfWork, account: AnyAccount, why: str, *where: ColumnElement[bool]
) -> None:
    """Tell receivers that took part in sessions that these have ended for them: the sessions of
    these conditions on ``ClientSession``."""
    from idp.models import Client, ClientSession, EventStream

    query = (
        select(EventStream, ClientSession.sid)
        .join(ClientSession, ClientSession.client_id == EventStream.client_id)
        .join(Client, Client.id == EventStream.client_id)
        .where(*where, *_is_active())
        .with_for_update(read=True, of=EventStream)
    )
    reason = f"The session ended: {why.replace('_', ' ')}."
    for stream, sid in work.db.execute(query):
        if _may_receive(stream):
            body = {"event": _event(work, reason), "sid": sid}
            _enqueue(work, stream, EventType.SESSION_REVOKED, account, body)


def _changed(name: AuditAction, data: Mapping[str, Any]) -> tuple[str, ...]:
    if name == AuditAction.PERSON_UPDATED:
        return tuple(sorted(data["after"]))
    return PREFERENCES if name == AuditAction.PROFILE_PREFERENCES else GROUPS


def _receivers(work: UnitOfWork, account: AnyAccount) -> list[EventStream]:
    """The streams of the clients that the account has signed in to. They stay as they are until the
    transaction ends, so that no event is queued for a former kind of delivery."""
    known: list[EventStream] | None = work.receivers.get(account.id)
    if known is None:
        known = work.receivers[account.id] = _read_receivers(work, account)
    return known


def _read_receivers(work: UnitOfWork, account: AnyAccount) -> list[EventStream]:
    # Most installations have no stream. A command then loads none of the models below.
    if not work.db.scalar(_ANY_STREAM):
        return []
    from idp.models import BrowserSession, Client, ClientSession, EventStream, Grant

    sessions = select(BrowserSession.id).where(BrowserSession.account_id == account.id)
    has_signed_in = or_(
        exists().where(Grant.client_id == Client.id, Grant.account_id == account.id),
        exists().where(
            ClientSession.client_id == Client.id, ClientSession.session_id.in_(sessions)
        ),
    )
    query = (
        select(EventStream)
        .join(Client, Client.id == EventStream.client_id)
        .where(has_signed_in, *_is_active())
        .with_for_update(read=True, of=EventStream)
    )
    return [row for row in work.db.scalars(query) if _may_receive(row)]


def _is_active() -> tuple[ColumnElement[bool], ...]:
    from idp.models import Client, EventStream

    return (Client.disabled_at.is_(None), EventStream.status != StreamStatus.DISABLED)


def _may_receive(stream: EventStream) -> bool:
    """Whether the client still has a scope for it."""
    return not {READ, MANAGE}.isdisjoint(stream.client.scopes)


def _enqueue(
    work: UnitOfWork,
    stream: EventStream,
    kind: EventType,
    account: AnyAccount,
    body: dict[str, Any],
) -> Any:
    if kind not in stream.events_delivered:
        return None
    return queue.enqueue_event(
        work,
        stream.client.client_id,
        KINDS[kind],
        {"type": kind, "sub": account.subject, **body},
        account_id=account.id,
        is_pushed=stream.is_pushed,
    )


def _event(work: UnitOfWork, reason: str, details: Mapping[str, Any] | None = None) -> Any:
    """The event with the members that each type can have (CAEP section 2)."""
    # Without a request, the worker applies the rules about time.
    without_actor = "user" if work.origin.ip else "policy"
    return {
        "event_timestamp": int(work.now.timestamp()),
        "initiating_entity": "admin" if work.origin.actor else without_actor,
        "reason_admin": {"en": reason},
        **(details or {}),
    }
