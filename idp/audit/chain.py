"""The hash chain of the audit trail: the worker seals events in batches.

Requests only insert rows, so they never wait for each other's hash. The worker gives each row a
sequence number and a seal: HMAC-SHA-256 over the previous seal and the row's canonical JSON.
Changing, removing or reordering a sealed row breaks every later seal.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import aliased

from idp.audit import events
from idp.audit.actions import AlarmReason, AuditAction
from idp.audit.audit_refusals import ChainHeadMissing
from idp.errors import Collision
from idp.models import ChainHead, Event
from idp.transaction import Runtime, UnitOfWork, committing
from idp.vault import Vault
from service_base import logs

log = logs.Logger("gateway.alarm")
BATCH = 500
GENESIS = "genesis"
#: Events about rows forged into the chain and about a deleted head.
FORGED, HEAD_LOST = AuditAction.TRAIL_FORGED, AuditAction.TRAIL_HEAD_LOST
#: Stored as the seal of a forged row that has none.
NO_SEAL = "forged"
_WAITING = and_(Event.seq.is_(None), Event.seal.is_(None))
_previous = aliased(Event, name="before")


@dataclass(frozen=True)
class Start:
    """Where the chain in the database begins: after this record."""

    seq: int
    seal: str


class SealStatus(StrEnum):
    """The result of checking the seal of a row."""

    PROVED = "proved"
    #: Waiting for the sealer.
    UNSEALED = "unsealed"
    #: Not written by the sealer: numbered beyond the head, or half sealed.
    FORGED = "forged"
    #: The row was changed or moved after it was sealed.
    CHANGED = "changed"
    #: The key named in the seal is not among the given keys.
    UNKNOWN_KEY = "unknown_key"
    #: The previous row is missing, so the seal cannot be checked.
    UNPROVED = "unproved"


def canonical(event: Event) -> str:
    """The canonical JSON of a row: what the seal covers."""
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


def archive_text(last: int, digest: str) -> str:
    """What the proof of an archive covers, besides the last seal. It is no canonical JSON, so no
    seal of a record is such a proof."""
    return f"archived {last} {digest}"


def start(work: UnitOfWork) -> Start:
    """After the last record that was archived (``idp.audit.archive``). An event that says so
    without a valid proof is ignored, so that nobody hides by it what they deleted."""
    rows = work.db.scalars(
        select(Event).where(Event.name == AuditAction.TRAIL_ARCHIVED).order_by(Event.id.desc())
    )
    for event in rows:
        data = {key: str(event.data.get(key) or "") for key in ("last", "seal", "sha256", "proof")}
        if data["last"].isdigit() and work.vault.is_record_seal_valid(
            data["seal"], archive_text(int(data["last"]), data["sha256"]), data["proof"]
        ):
            return Start(int(data["last"]), data["seal"])
    return Start(0, GENESIS)


def seal_status(vault: Vault, event: Event, before: str | None, end: int) -> SealStatus:
    """Check the seal of a row. ``before`` is the seal of the previous row, or None if that row is
    missing; ``end`` is the sequence number of the head."""
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
    """Add the seal of the previous row as a column to a query of events."""
    joined: Select[Any] = query.outerjoin(_previous, _previous.seq == Event.seq - 1)
    return joined.add_columns(_previous.seal)


def chain_end(work: UnitOfWork) -> int:
    """The sequence number of the head."""
    return work.db.scalar(select(ChainHead.seq).where(ChainHead.id == 1)) or 0


def oldest_unsealed_at(work: UnitOfWork) -> datetime | None:
    """The time of the oldest unsealed row, or None."""
    return work.db.scalar(select(func.min(Event.at)).where(_WAITING))


def count_unsealed(work: UnitOfWork) -> int:
    """The number of unsealed rows."""
    return work.db.scalar(select(func.count()).where(_WAITING)) or 0


def seal_pending(work: UnitOfWork, *, batch: int = BATCH) -> int:
    """Seal up to ``batch`` rows and return how many. Safe with concurrent sealers: a sealer that
    finds a moved head seals nothing. Rows with forged sequence numbers beyond the head are
    quarantined first, so that they do not block the chain."""
    # Read the head before the rows. If another sealer takes rows in between, the head has moved.
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
    # We hold the head until the commit, so rows numbered beyond it are forged.
    _quarantine(work, start)
    work.db.execute(update(Event), sealed)
    return len(sealed)


def _quarantine(work: UnitOfWork, end: int) -> None:
    """Clear the sequence number of rows that no sealer wrote. The rest of the row stays as
    evidence."""
    forged = work.db.scalars(
        update(Event)
        .where(or_(Event.seq > end, Event.seq < 1))
        .values(seq=None, seal=func.coalesce(Event.seal, NO_SEAL))
        .returning(Event.id)
        .execution_options(synchronize_session=False)
    ).all()
    if forged:
        ids = sorted(forged)[:BATCH]
        events.record(work, FORGED, reason=AlarmReason.FORGED, count=len(forged), events=ids)
        log.error("trail_forged", count=len(forged), events=ids)


def _first_head(work: UnitOfWork) -> ChainHead | None:
    """Create the head; returns None if another sealer created it first. If sealed rows exist, the
    head was deleted: the chain continues at the last row with a valid seal, and the loss is
    recorded as an event."""
    last = _last_verified(work)
    head = ChainHead(id=1, seq=last.seq if last else 0, seal=last.seal if last else GENESIS)
    try:
        with work.db.begin_nested():
            work.db.add(head)
    except Collision:
        return None
    if last is not None:
        events.record(work, HEAD_LOST, reason=AlarmReason.HEAD_LOST, seq=last.seq)
        log.error("trail_head_lost", seq=last.seq)
    return head


def _last_verified(work: UnitOfWork) -> Event | None:
    """The last row with a valid seal; None if no row was ever sealed. Raises Refused if there are
    seals but none is valid: a new chain under another key would hide the old one."""
    query = with_previous_seal(select(Event)).where(Event.seq > 0, Event.seal.is_not(None))
    query = query.order_by(Event.seq.desc()).execution_options(yield_per=BATCH)
    is_any = False
    with closing(work.db.execute(query)) as rows:
        for event, before in rows:
            is_any = True
            if seal_status(work.vault, event, before, event.seq) is SealStatus.PROVED:
                return cast(Event, event)
    if is_any:
        raise ChainHeadMissing()
    return None


def seal_all(runtime: Runtime) -> None:
    """Seal all pending rows, each batch in a transaction of its own."""
    while True:
        with committing(runtime.work()) as work:
            if not seal_pending(work):
                return
