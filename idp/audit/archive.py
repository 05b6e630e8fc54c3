"""Move the oldest records of the audit trail into a file (docs/decisions/0073).

The event of the archive has the last seal that was moved, and a proof that only a holder of the key
can make: the chain goes on from there, and nobody else can declare records archived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TextIO

from sqlalchemy import delete, func, select

from idp.audit import chain, events
from idp.audit.actions import AuditAction
from idp.audit.audit_refusals import NotOldEnough, RecordNotProved
from idp.audit.chain import SealStatus
from idp.models import Event
from idp.transaction import UnitOfWork

#: What the risk of a sign-in, the console and the alarms look back to stays.
LEAST_AGE = timedelta(days=400)
BATCH = 1000


@dataclass(frozen=True)
class Archived:
    """The records that were moved at once."""

    last: int
    events: int
    sha256: str


def write(work: UnitOfWork, before: datetime, file: TextIO) -> Archived | None:
    """Write the records before a time into the file, and the event about it; None if there are
    none. The records stay until ``remove_batch``. Raises Refused if the time is too close, or if a
    record is not proved."""
    if before > work.now - LEAST_AGE:
        raise NotOldEnough(LEAST_AGE.days)
    start = chain.start(work)
    stays = work.db.scalar(select(func.min(Event.seq)).where(Event.at >= before))
    end = chain.chain_end(work)
    last = end if stays is None else stays - 1
    if last <= start.seq:
        return None
    digest = sha256()
    seal = start.seal
    for record in _records(work, start, last, end):
        line = json.dumps(record, sort_keys=True) + "\n"
        file.write(line)
        digest.update(line.encode())
        seal = str(record["seal"])
    made = Archived(last, last - start.seq, digest.hexdigest())
    proof = work.vault.seal_record(seal, chain.archive_text(made.last, made.sha256))
    events.record(
        work, AuditAction.TRAIL_ARCHIVED, first=start.seq + 1, last=made.last, seal=seal,
        sha256=made.sha256, proof=proof,
    )  # fmt: skip
    return made


def _records(
    work: UnitOfWork, start: chain.Start, last: int, end: int
) -> Iterator[dict[str, object]]:
    """The sealed records, each proved. Raises Refused at the first that is not."""
    query = select(Event).where(Event.seq > start.seq, Event.seq <= last).order_by(Event.seq)
    place, seal = start.seq, start.seal
    with closing(work.db.scalars(query.execution_options(yield_per=chain.BATCH))) as rows:
        for event in rows:
            place += 1
            if (
                event.seq != place
                or chain.seal_status(work.vault, event, seal, end) is not SealStatus.PROVED
            ):
                raise RecordNotProved(place)
            seal = event.seal or ""
            yield json.loads(chain.canonical(event)) | {"seal": seal}
    if place != last:
        raise RecordNotProved(place + 1)


def remove_batch(work: UnitOfWork) -> int:
    """Delete some of the records that are archived; returns how many."""
    found = work.db.scalars(
        select(Event.id)
        .where(Event.seq >= 1, Event.seq <= chain.start(work).seq)
        .order_by(Event.seq)
        .limit(BATCH)
    ).all()
    if found:
        work.db.execute(delete(Event).where(Event.id.in_(found)))
    return len(found)
