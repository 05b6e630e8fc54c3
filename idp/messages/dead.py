"""Messages that could not be delivered: seen, and tried again."""

from __future__ import annotations

from sqlalchemy import select, update

from idp.models import MessageState, OutboxMessage
from idp.transaction import Work


def letters(work: Work, limit: int = 200) -> list[OutboxMessage]:
    """The newest ones first. Their bodies stay sealed: they may hold a link."""
    return list(
        work.db.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.state == MessageState.DEAD)
            .order_by(OutboxMessage.id.desc())
            .limit(limit)
        )
    )


def retry(work: Work, pk: int) -> bool:
    """Put one back into the queue, to be tried at once; False when it is not dead."""
    result = work.db.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == pk, OutboxMessage.state == MessageState.DEAD)
        .values(state=MessageState.QUEUED, attempts=0, next_attempt_at=work.now, leased_until=None)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]
