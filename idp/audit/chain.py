"""The chain of the audit trail: sealing in batches.

Requests only insert rows, so they never wait for each other's hash. The worker gives each row
its place and a seal: HMAC-SHA-256 over the seal before it and the row's canonical JSON. Whoever
changes, removes or reorders a sealed row breaks every seal after it.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import structlog
from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import aliased

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import Collision, Refused
from idp.models import ChainHead, Event
from idp.transaction import Runtime, UnitOfWork, committing
from idp.vault import Vault

log = structlog.get_logger("gateway.alarm")
BATCH = 500
GENESIS = "genesis"
#: Somebody wrote rows into the chain, or removed its end: what the sealer found and put aside.
FORGED, HEAD_LOST = AuditAction.TRAIL_FORGED, AuditAction.TRAIL_HEAD_LOST
#: In place of the seal of a forged row that has none.
NO_SEAL = "forged"
_WAITING = and_(Event.seq.is_(None), Event.seal.is_(None))
_previous = aliased(Event, name="before")


class SealStatus(StrEnum):
    """What the seal of a row says."""

    PROVED = "proved"
    #: Its turn has not come.
    UNSEALED = "unsealed"
    #: The sealer did not put it where it is: beyond the end of the chain, or half sealed.
    FORGED = "forged"
    #: Its seal was made for another content or another place.
    CHANGED = "changed"
    #: The key that its seal names is not among those given.
    UNKNOWN_KEY = "unknown_key"
    #: The row before it is missing, so nothing proves this one.
    UNPROVED = "unproved"


def canonical(event: Event) -> str:
    """What is sealed of a row."""
    return json.dumps(
        {
            "id": event.id,
            "at": event.at.astimezone(UTC).isoformat(),
            "name": event.name,
            "outcome": event.outcome,
            "reason": event.reason,
            "account_id": event.account_id,
            "actor": event.actor,
            "client_id": event.client_id,
            "session_id": event.session_id,
            "ip": event.ip,
            "user_agent": event.user_agent,
            "request_id": event.request_id,
            "data": event.data,
            "seq": event.seq,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )


def seal_status(vault: Vault, event: Event, before: str | None, end: int) -> SealStatus:
    """What the row's seal says, given the seal of the row before it (None when that is missing)
    and the number at which the chain ends."""
    if event.seq is None and event.seal is None:
        return SealStatus.UNSEALED
    if event.seq is None or event.seal is None or not 0 < event.seq <= end:
        return SealStatus.FORGED
    if before is None and event.seq > 1:
        return SealStatus.UNPROVED
    previous = GENESIS if event.seq == 1 else before or ""
    matches = vault.is_record_seal_valid(previous, canonical(event), event.seal)
    if matches is None:
        return SealStatus.UNKNOWN_KEY
    return SealStatus.PROVED if matches else SealStatus.CHANGED


def with_previous_seal(query: Any) -> Select[Any]:
    """The query of events with one more column: the seal of the row before each."""
    joined: Select[Any] = query.outerjoin(_previous, _previous.seq == Event.seq - 1)
    return joined.add_columns(_previous.seal)


def chain_end(work: UnitOfWork) -> int:
    """The number at which the chain ends."""
    return work.db.scalar(select(ChainHead.seq).where(ChainHead.id == 1)) or 0


def oldest_unsealed_at(work: UnitOfWork) -> datetime | None:
    """When the oldest row was written that has no seal yet."""
    return work.db.scalar(select(func.min(Event.at)).where(_WAITING))


def count_unsealed(work: UnitOfWork) -> int:
    """How many rows have no seal yet."""
    return work.db.scalar(select(func.count()).where(_WAITING)) or 0


def seal_pending(work: UnitOfWork, *, batch: int = BATCH) -> int:
    """Seal up to ``batch`` rows; returns how many. Safe beside other sealers: whoever finds the
    head moved by another seals nothing and leaves the rows to the next round. Rows that somebody
    numbered beyond the head are put aside first, so that they stop nothing."""
    # The head before the rows: rows that another sealer took meanwhile come with a moved head.
    head = work.db.get(ChainHead, 1, populate_existing=True)
    rows = work.db.scalars(select(Event).where(_WAITING).order_by(Event.id).limit(batch)).all()
    if not rows:
        return 0
    if head is None:
        head = _first_head(work)
        if head is None:
            return 0
    start, seal = head.seq, head.seal
    sealed: list[dict[str, Any]] = []
    for seq, event in enumerate(rows, start + 1):
        work.db.expunge(event)
        event.seq = seq
        seal = work.vault.seal_record(seal, canonical(event))
        sealed.append({"id": event.id, "seq": seq, "seal": seal})
    moved = work.db.execute(
        update(ChainHead)
        .where(ChainHead.id == 1, ChainHead.seq == start)
        .values(seq=start + len(sealed), seal=seal)
        .execution_options(synchronize_session=False)
    )
    work.db.expire(head)
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return 0
    # The head is ours until the commit: what has a number beyond it was not written by a sealer.
    _quarantine(work, start)
    work.db.execute(update(Event), sealed)
    return len(sealed)


def _quarantine(work: UnitOfWork, end: int) -> None:
    """Take the numbers off rows that no sealer numbered; all else of them stays, as evidence."""
    forged = work.db.scalars(
        update(Event)
        .where(or_(Event.seq > end, Event.seq < 1))
        .values(seq=None, seal=func.coalesce(Event.seal, NO_SEAL))
        .returning(Event.id)
        .execution_options(synchronize_session=False)
    ).all()
    if forged:
        ids = sorted(forged)[:BATCH]
        events.record(work, FORGED, reason="forged", count=len(forged), events=ids)
        log.error("trail_forged", count=len(forged), events=ids)


def _first_head(work: UnitOfWork) -> ChainHead | None:
    """The head of a chain that has none; None when another sealer was first. Where there are
    sealed rows, somebody removed it: the chain goes on at the last row whose seal holds, and the
    loss is an event."""
    last = _last_verified(work)
    head = ChainHead(id=1, seq=last.seq if last else 0, seal=last.seal if last else GENESIS)
    try:
        with work.db.begin_nested():
            work.db.add(head)
    except Collision:
        return None
    if last is not None:
        events.record(work, HEAD_LOST, reason="head_lost", seq=last.seq)
        log.error("trail_head_lost", seq=last.seq)
    return head


def _last_verified(work: UnitOfWork) -> Event | None:
    """The last row whose seal holds; None when no row was ever sealed. Raises Refused when there
    are seals and none of them holds: with another key the chain would begin anew."""
    query = with_previous_seal(select(Event)).where(Event.seq > 0, Event.seal.is_not(None))
    query = query.order_by(Event.seq.desc()).execution_options(yield_per=BATCH)
    is_any = False
    with closing(work.db.execute(query)) as rows:
        for event, before in rows:
            is_any = True
            if seal_status(work.vault, event, before, event.seq) is SealStatus.PROVED:
                return cast(Event, event)
    if is_any:
        raise Refused("the head of the trail is missing and no seal of it can be proved")
    return None


def seal_all(runtime: Runtime) -> None:
    """Seal until nothing is left. Needs an application context."""
    while True:
        with committing(runtime.work()) as work:
            if not seal_pending(work):
                return
