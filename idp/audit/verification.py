"""Verify the integrity of the audit trail: check every row and describe each fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select

from idp.audit import chain, events
from idp.audit.actions import AlarmReason, AuditAction
from idp.audit.chain import SealStatus
from idp.models import ChainHead, Event
from idp.transaction import UnitOfWork

#: Faults in addition to those of ``SealStatus``.
MISSING, HEAD = "missing", "head"
#: The number of faults described for each kind; all are counted.
NAMED = 20


@dataclass
class VerificationResult:
    """The result of a verification."""

    #: Rows between ``first`` and ``last`` with a valid seal.
    sealed: int = 0
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    #: The sequence numbers checked, and the head of the chain.
    first: int = 1
    last: int = 0
    end: int = 0
    #: The last record that was archived.
    archived: int = 0
    #: The number of faults by kind: ``forged``, ``missing``, ``changed``, ``unknown_key``,
    #: ``unproved``, ``head``.
    faults: Counter[str] = field(default_factory=Counter)
    #: Descriptions of the first faults of each kind.
    descriptions: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    @property
    def is_complete(self) -> bool:
        """Whether the verification reached the head of the chain."""
        return self.last >= self.end

    def add(self, kind: str, sentence: str, count: int = 1) -> None:
        """Record a fault."""
        if self.faults[kind] < NAMED:
            self.descriptions.append(sentence)
        self.faults[kind] += count


def verify(work: UnitOfWork, *, after: int = 0, limit: int | None = None) -> VerificationResult:
    """Verify every row of the trail; rows are streamed, so memory use is constant. With ``after``
    and ``limit``, verify at most ``limit`` rows after that sequence number, so that a verification
    can be split into steps."""
    # Read the head first: rows sealed during the check are left to the next verification.
    head = work.db.execute(select(ChainHead.seq, ChainHead.seal).where(ChainHead.id == 1)).first()
    start = chain.start(work)
    after = max(after, start.seq)
    found = VerificationResult(first=after + 1, end=head.seq if head else 0, archived=start.seq)
    if head is None and _is_any_sealed(work):
        found.add(HEAD, "the head of the chain is missing")
        return found
    found.last = found.end if limit is None else min(found.end, after + limit)
    seal = _walk(work, found, after, start)
    if found.is_complete and head is not None and seal is not None and seal != head.seal:
        found.add(HEAD, f"the head of the chain does not match its last record, {found.end}")
    for event_id in _forged(work):
        found.add(
            SealStatus.FORGED, f"event {event_id} was not sealed here: somebody wrote it as sealed"
        )
    found.unsealed, found.oldest_unsealed = (
        chain.count_unsealed(work),
        chain.oldest_unsealed_at(work),
    )
    return found


def record(work: UnitOfWork, found: VerificationResult) -> None:
    """Record a verification. One with faults raises the alarm."""
    events.record(
        work,
        AuditAction.TRAIL_VERIFIED,
        reason=None if found.is_intact else AlarmReason.BROKEN,
        first=found.first,
        last=found.last,
        faults=dict(found.faults),
    )


def _walk(
    work: UnitOfWork, found: VerificationResult, after: int, start: chain.Start
) -> str | None:
    """Verify the sealed rows; returns the seal of the last one, or None if it is missing."""
    seal: str | None = start.seal
    if after > start.seq:
        seal = work.db.scalar(select(Event.seal).where(Event.seq == after))
    place = after
    query = select(Event).where(Event.seq > after, Event.seq <= found.last).order_by(Event.seq)
    with closing(work.db.scalars(query.execution_options(yield_per=chain.BATCH))) as rows:
        for event in rows:
            number = event.seq or 0
            if number > place + 1:
                _missing(found, place + 1, number - 1)
                seal = None
            _check_seal(found, event, chain.seal_status(work.vault, event, seal, found.end))
            place, seal = number, event.seal
    if place < found.last:
        _missing(found, place + 1, found.last)
        return None
    return seal


def _check_seal(found: VerificationResult, event: Event, standing: SealStatus) -> None:
    if standing is SealStatus.PROVED:
        found.sealed += 1
        return
    words = {
        SealStatus.FORGED: "has a number and no seal",
        SealStatus.CHANGED: "was changed: its seal does not match",
        SealStatus.UNPROVED: "cannot be verified: the previous record is missing",
        SealStatus.UNKNOWN_KEY: "is sealed with an unknown key"
        f" ({(event.seal or '').partition('.')[0]}): use --key",
    }
    found.add(standing, f"record {event.seq} (event {event.id}) {words[standing]}")


def _missing(found: VerificationResult, first: int, last: int) -> None:
    is_one = first == last
    words = f"record {first} is missing" if is_one else f"records {first} to {last} are missing"
    found.add(MISSING, words, last - first + 1)


def _forged(work: UnitOfWork) -> Iterator[int]:
    """The ids of rows that have a seal or number but are not part of the chain."""
    end = select(ChainHead.seq).where(ChainHead.id == 1).scalar_subquery()
    is_outside = or_(Event.seq > end, Event.seq < 1)
    is_half = Event.seq.is_(None) & Event.seal.is_not(None)
    query = select(Event.id).where(or_(is_outside, is_half)).order_by(Event.id)
    yield from work.db.scalars(query.execution_options(yield_per=chain.BATCH))


def _is_any_sealed(work: UnitOfWork) -> bool:
    return work.db.scalar(select(Event.id).where(Event.seq.is_not(None)).limit(1)) is not None
