"""The dead-letter queue: read undeliverable messages without their secrets, and retry them."""

from __future__ import annotations

import json
import re

from sqlalchemy import select, update

from idp.models import MessageState, OutboxMessage
from idp.transaction import UnitOfWork

#: The value after ``token=`` in a link, and separate six-digit codes.
_SECRETS = re.compile(r"(?<=token=)[\w-]+|(?<!\d)\d{6}(?!\d)")


def list_dead(work: UnitOfWork, limit: int = 200) -> list[OutboxMessage]:
    """The dead letters, newest first."""
    return list(
        work.db.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.state == MessageState.DEAD)
            .order_by(OutboxMessage.id.desc())
            .limit(limit)
        )
    )


def redacted_text(work: UnitOfWork, message: OutboxMessage) -> str:
    """The text of a message without its links and codes."""
    text = str(json.loads(work.vault.decrypt(message.body_sealed))["text"])
    return _SECRETS.sub("•••", text).strip()


def retry(work: UnitOfWork, pk: int) -> bool:
    """Queue a dead letter for immediate delivery; False if it is not one."""
    result = work.db.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == pk, OutboxMessage.state == MessageState.DEAD)
        .values(state=MessageState.QUEUED, attempts=0, next_attempt_at=work.now, leased_until=None)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]
