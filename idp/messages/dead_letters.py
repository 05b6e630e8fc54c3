"""The dead-letter queue: read undeliverable messages without their secrets, and retry them."""

from __future__ import annotations

import json
import re

from sqlalchemy import and_, func, select, update

from idp import list_pages
from idp.list_pages import ListPage, ListRequest
from idp.models import MessageState, OutboxMessage
from idp.transaction import UnitOfWork

_IS_DEAD = OutboxMessage.state == MessageState.DEAD
#: The value after ``token=`` in a link, and separate six-digit codes.
_SECRETS = re.compile(r"(?<=token=)[\w-]+|(?<!\d)\d{6}(?!\d)")


def page(work: UnitOfWork, request: ListRequest, kind: str = "") -> ListPage[OutboxMessage]:
    """A page of the dead letters, of one kind if it is given, newest first."""
    wanted = and_(_IS_DEAD, OutboxMessage.kind == kind) if kind else _IS_DEAD
    found = list_pages.page(work, OutboxMessage.id, {}, request, wanted, newest_first=True)
    return found.of(list_pages.load(work, OutboxMessage.id, found.rows))


def kinds(work: UnitOfWork) -> dict[str, int]:
    """The kinds of message among the dead letters, each with its number."""
    rows = work.db.execute(
        select(OutboxMessage.kind, func.count())
        .where(_IS_DEAD)
        .group_by(OutboxMessage.kind)
        .order_by(OutboxMessage.kind)
    )
    return {row[0]: row[1] for row in rows}


def count(work: UnitOfWork) -> int:
    """The number of dead letters."""
    return work.db.scalar(select(func.count()).where(_IS_DEAD)) or 0


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
