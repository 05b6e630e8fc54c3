"""The chain of the audit trail: sealing in batches, proof, export.

Requests only insert rows, so they never wait for each other's hash. The worker gives each row
its place and a seal: HMAC-SHA-256 over the seal before it and the row's canonical JSON. Whoever
changes, removes or reorders a sealed row breaks every seal after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from idp.models import Account, ChainHead, Event
from idp.transaction import Work

BATCH = 500
GENESIS = "genesis"


def _canonical(event: Event) -> str:
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


def seal_pending(work: Work, *, batch: int = BATCH) -> int:
    """Seal up to ``batch`` rows; returns how many. Safe beside other sealers: whoever finds the
    head moved by another seals nothing and leaves the rows to the next round."""
    # The head before the rows: rows that another sealer took meanwhile come with a moved head.
    head = work.db.get(ChainHead, 1, populate_existing=True)
    rows = work.db.scalars(
        select(Event).where(Event.seq.is_(None)).order_by(Event.id).limit(batch)
    ).all()
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
        seal = work.vault.chain(seal, _canonical(event))
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
    work.db.execute(update(Event), sealed)
    return len(sealed)


def _first_head(work: Work) -> ChainHead | None:
    """The head of a chain that has none yet; None when another sealer was first."""
    head = ChainHead(id=1, seq=0, seal=GENESIS)
    try:
        with work.db.begin_nested():
            work.db.add(head)
    except IntegrityError:
        return None
    return head


@dataclass(frozen=True)
class Proof:
    """Result of a verification: ``fault`` is None when the chain is whole."""

    sealed: int
    unsealed: int
    fault: str | None


def verify(work: Work) -> Proof:
    """Walk the whole chain, streaming; memory does not grow with the trail."""
    # The head first: what is sealed while we read is left to the next proof.
    head = work.db.get(ChainHead, 1)
    end, last = (head.seq, head.seal) if head else (0, GENESIS)
    seal, count = GENESIS, 0
    fault = None
    query = select(Event).where(Event.seq <= end).order_by(Event.seq)
    with closing(work.db.scalars(query.execution_options(yield_per=BATCH))) as events:
        for event in events:
            count += 1
            if event.seq != count:
                fault = f"record {count} is missing (found {event.seq})"
                break
            if not work.vault.chain_matches(seal, _canonical(event), event.seal or ""):
                fault = f"record {count} (event {event.id}) was changed"
                break
            seal = event.seal or ""
    if fault is None and (count != end or seal != last):
        fault = f"the chain ends at record {count}, its head says {end}"
    if head is None and work.db.scalar(select(Event.id).where(Event.seq.is_not(None)).limit(1)):
        fault = "the head of the chain is missing"
    unsealed = work.db.scalar(select(func.count()).where(Event.seq.is_(None))) or 0
    return Proof(count, unsealed, fault)


def export(work: Work) -> Iterator[str]:
    """Every event as one JSON line, oldest first, streamed."""
    query = (
        select(Event, Account.username)
        .outerjoin(Account, Account.id == Event.account_id)
        .order_by(Event.id)
        .execution_options(yield_per=BATCH)
    )
    for event, username in work.db.execute(query):
        record = json.loads(_canonical(event))
        record |= {"account": username, "seal": event.seal}
        yield json.dumps(record, sort_keys=True)
