"""Streams of security events (Shared Signals Framework 1.0 section 8.1): one for each client.

Events are pushed to the address that operators registered for the client, or the client polls
them. A paused stream keeps its events for ``RETENTION``; a disabled one has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients.event_stream_refusals import (
    AuthorizationInvalid,
    PushUriNotRegistered,
    StreamDisabled,
    StreamExists,
    StreamNotFound,
    VerifiedTooSoon,
)
from idp.messages import queue, waiting_events
from idp.messages.message_kinds import NotificationKind
from idp.models import Client, EventStream
from idp.policy.event_types import (
    VERIFICATION,
    VERIFICATION_INTERVAL,
    DeliveryMethod,
    StreamStatus,
)
from idp.transaction import UnitOfWork

MAX_AUTHORIZATION = 2000
#: Longer descriptions and reasons are cut.
MAX_TEXT = 200


@dataclass(frozen=True, kw_only=True)
class StreamData:
    """What a receiver decides about its stream."""

    method: DeliveryMethod = DeliveryMethod.POLL
    #: Of a push: the address, and the ``Authorization`` header; empty: none.
    endpoint_url: str = ""
    authorization: str = ""
    #: Empty: all types.
    events_requested: tuple[str, ...] = ()
    description: str = ""


def of(work: UnitOfWork, client: Client) -> EventStream | None:
    """The stream of the client, if it has one."""
    return work.db.scalar(select(EventStream).where(EventStream.client_id == client.id))


def lock(work: UnitOfWork, client: Client, public_id: str) -> EventStream:
    """The stream of the client with this id. Events that are written at the same moment are waited
    for. Raises StreamNotFound."""
    query = (
        select(EventStream)
        .where(EventStream.client_id == client.id, EventStream.public_id == public_id)
        .with_for_update(of=EventStream)
    )
    row = work.db.scalar(query, execution_options={"populate_existing": True})
    if row is None:
        raise StreamNotFound
    return row


def create(work: UnitOfWork, client: Client, data: StreamData) -> EventStream:
    """Create the stream, enabled. Raises StreamExists or Invalid."""
    if of(work, client) is not None:
        raise StreamExists
    row = EventStream(
        public_id=work.token(16),
        client=client,
        status=StreamStatus.ENABLED,
        status_reason="",
        created_at=work.now,
        updated_at=work.now,
    )
    _apply(work, client, row, data)
    work.db.add(row)
    work.db.flush()
    events.record(work, AuditAction.EVENT_STREAM_CREATED, client=client, method=str(row.method))
    return row


def data_of(work: UnitOfWork, row: EventStream) -> StreamData:
    """What the receiver decided so far."""
    is_push = row.method == DeliveryMethod.PUSH
    return StreamData(
        method=row.method,
        endpoint_url=row.client.event_push_uri if is_push else "",
        authorization=authorization(work, row),
        events_requested=tuple(row.events_requested),
        description=row.description,
    )


def update(work: UnitOfWork, row: EventStream, data: StreamData) -> None:
    """Change a locked stream. Events that wait follow it. Raises Invalid."""
    _apply(work, row.client, row, data)
    _changed(work, row)


def set_status(work: UnitOfWork, row: EventStream, status: StreamStatus, reason: str = "") -> None:
    """Enable, pause or disable a locked stream. A disabled one loses the events that wait."""
    row.status, row.status_reason = status, reason[:MAX_TEXT]
    if status == StreamStatus.DISABLED:
        waiting_events.discard(work, row.client.client_id)
    _changed(work, row)


def delete(work: UnitOfWork, row: EventStream) -> None:
    """Delete a locked stream and the events that wait."""
    client = row.client
    waiting_events.discard(work, client.client_id)
    work.db.delete(row)
    events.record(work, AuditAction.EVENT_STREAM_DELETED, client=client)


def verify(work: UnitOfWork, row: EventStream, state: str | None) -> None:
    """Send a verification event over a locked stream, with the ``state`` of the receiver. Raises
    StreamDisabled or VerifiedTooSoon."""
    if row.status == StreamStatus.DISABLED:
        raise StreamDisabled
    interval = timedelta(seconds=VERIFICATION_INTERVAL)
    if row.verified_at is not None and work.now - row.verified_at < interval:
        raise VerifiedTooSoon(VERIFICATION_INTERVAL)
    row.verified_at = work.now
    queue.enqueue_event(
        work,
        row.client.client_id,
        NotificationKind.STREAM_VERIFICATION,
        {
            "type": VERIFICATION,
            "stream": row.public_id,
            "event": {} if state is None else {"state": state},
        },
        account_id=None,
        is_pushed=row.is_pushed,
    )


def authorization(work: UnitOfWork, row: EventStream) -> str:
    """The ``Authorization`` header of pushes; empty if there is none."""
    return work.vault.decrypt(row.authorization_sealed) if row.authorization_sealed else ""


def _apply(work: UnitOfWork, client: Client, row: EventStream, data: StreamData) -> None:
    if data.method == DeliveryMethod.POLL:
        data = replace(data, authorization="")
    elif not data.endpoint_url or data.endpoint_url != client.event_push_uri:
        raise PushUriNotRegistered
    header = data.authorization
    if len(header) > MAX_AUTHORIZATION or not (header.isascii() and header.isprintable()):
        raise AuthorizationInvalid(MAX_AUTHORIZATION)
    row.method = data.method
    row.authorization_sealed = work.vault.encrypt(header) if header else ""
    row.events_requested = list(data.events_requested)
    row.description = data.description[:MAX_TEXT]


def _changed(work: UnitOfWork, row: EventStream) -> None:
    row.updated_at = work.now
    work.db.flush()
    waiting_events.route(work, row.client.client_id, is_pushed=row.is_pushed)
    events.record(
        work,
        AuditAction.EVENT_STREAM_CHANGED,
        client=row.client,
        method=str(row.method),
        state=str(row.status),
    )
