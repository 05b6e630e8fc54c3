"""Security events that wait for their receiver: read and acknowledged by polling (RFC 8936), and
handed to the worker or held when the stream changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, delete, select, update

from idp.models import MessageChannel, MessageState, OutboxMessage
from idp.policy.event_types import RETENTION
from idp.transaction import UnitOfWork


def jti_of(row: OutboxMessage) -> str:
    """The ``jti`` of the event: the same at every delivery."""
    return row.message_id.strip("<>")


def waiting(work: UnitOfWork, client_id: str, limit: int) -> Sequence[OutboxMessage]:
    """The oldest events that wait for this client."""
    return work.db.scalars(
        select(OutboxMessage)
        .where(
            *_of(client_id, MessageChannel.KEPT_EVENT),
            OutboxMessage.state == MessageState.QUEUED,
            OutboxMessage.created_at > work.now - RETENTION,
        )
        .order_by(OutboxMessage.id)
        .limit(limit)
    ).all()


def acknowledge(work: UnitOfWork, client_id: str, jtis: Sequence[str]) -> None:
    """Record that the client has these events; others are ignored."""
    _finish(work, client_id, jtis, state=MessageState.SENT, sent_at=work.now)


def reject(work: UnitOfWork, client_id: str, errors: Mapping[str, str]) -> None:
    """Make dead letters of the events that the client could not process, with its error codes."""
    for jti, code in errors.items():
        _finish(work, client_id, [jti], state=MessageState.DEAD, last_error=code)


def _finish(work: UnitOfWork, client_id: str, jtis: Sequence[str], **values: object) -> None:
    ids = [f"<{jti}>" for jti in jtis]
    if ids:
        work.db.execute(
            update(OutboxMessage)
            .where(
                *_of(client_id, MessageChannel.KEPT_EVENT),
                OutboxMessage.state == MessageState.QUEUED,
                OutboxMessage.message_id.in_(ids),
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def route(work: UnitOfWork, client_id: str, *, is_pushed: bool) -> None:
    """Have the worker push the events that are not delivered yet, or keep them."""
    before, after = MessageChannel.KEPT_EVENT, MessageChannel.EVENT
    due = work.now
    if not is_pushed:
        before, after, due = after, before, work.now + RETENTION
    work.db.execute(
        update(OutboxMessage)
        .where(*_of(client_id, before), OutboxMessage.state != MessageState.SENT)
        .values(channel=after, next_attempt_at=due, attempts=0)
        .execution_options(synchronize_session=False)
    )


def discard(work: UnitOfWork, client_id: str) -> None:
    """Delete the events that are not delivered yet."""
    work.db.execute(
        delete(OutboxMessage)
        .where(
            OutboxMessage.recipient == client_id,
            OutboxMessage.channel.in_((MessageChannel.EVENT, MessageChannel.KEPT_EVENT)),
            OutboxMessage.state != MessageState.SENT,
        )
        .execution_options(synchronize_session=False)
    )


def _of(client_id: str, channel: MessageChannel) -> tuple[ColumnElement[bool], ...]:
    return (OutboxMessage.recipient == client_id, OutboxMessage.channel == channel)
