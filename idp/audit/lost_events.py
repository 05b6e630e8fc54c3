"""Events that an export of the audit trail contains and a restored database does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import select

from idp.audit import chain
from idp.audit.audit_refusals import ExportNotVerified, ExportUnreadable, RecordFault
from idp.audit.chain import SealStatus
from idp.models import Event
from idp.transaction import UnitOfWork

#: The largest value of a BIGINT column.
MAX_INTEGER = 2**63 - 1
COLUMNS = (
    "id", "name", "outcome", "reason", "account_id", "actor", "client_id", "session_id", "ip",
    "user_agent", "request_id", "data", "seq", "seal",
)  # fmt: skip


@dataclass
class LostEvents:
    """Events of an export that are missing from the database, oldest first."""

    events: list[Event] = field(default_factory=list)
    #: The login names of the accounts concerned, by account id.
    names: dict[int, str] = field(default_factory=dict)
    #: The number of sealed events, the first and last sequence number, and the last seal.
    sealed: int = 0
    first: int | None = None
    last: int | None = None
    seal: str | None = None
    #: SHA-256 of the lines read.
    digest: str = ""

    def summary(self) -> dict[str, Any]:
        """Data for the restoration event: identifies the export and the missing events."""
        return {
            "events": len(self.events), "sealed": self.sealed, "first": self.first,
            "last": self.last, "seal": self.seal, "sha256": self.digest,
        }  # fmt: skip


def compare_export(work: UnitOfWork, lines: Iterable[str]) -> LostEvents:
    """Compare exported lines with the trail. The seals of missing events are verified, starting
    where the export and the trail diverge; unsealed events are accepted as they are. Raises Invalid
    for a line that is not a record, Refused if the chain of the export is broken."""
    found, digest = LostEvents(), sha256()
    sealed: dict[int, Event] = {}
    waiting: dict[int, Event] = {}
    parsed = _parsed(lines, digest, found.names)
    while chunk := list(islice(parsed, chain.BATCH)):
        here = _seals(work, [event.seq for event in chunk if event.seq is not None])
        present = _present(work, [event.id for event in chunk if event.seq is None])
        for event in chunk:
            if event.seq is not None and here.get(event.seq) != event.seal:
                sealed[event.seq] = event
            is_waiting = event.seq is None and event.seal is None
            if is_waiting and present.get(event.id) != (event.at, event.name):
                waiting[event.id] = event
    found.digest = digest.hexdigest()
    _verify_seals(work, [sealed[number] for number in sorted(sealed)], found)
    # If an event was exported before and after sealing, the sealed copy is used.
    ids = {event.id for event in found.events}
    found.events += [waiting[pk] for pk in sorted(waiting) if pk not in ids]
    return found


def _parsed(lines: Iterable[str], digest: Any, names: dict[int, str]) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        digest.update(line.encode())
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            values = {name: record[name] for name in COLUMNS}
            _check(values)
            event = Event(at=datetime.fromisoformat(record["at"]).astimezone(UTC), **values)
            if event.account_id is not None and record["account"]:
                names[int(event.account_id)] = str(record["account"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ExportUnreadable(number) from error
        yield event


def _check(values: dict[str, Any]) -> None:
    """Raises ValueError if the values cannot be those of an event."""
    for name in ("id", "account_id", "seq"):
        value = values[name]
        if value is None and name != "id":
            continue
        if not isinstance(value, int) or not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise ValueError(name)
    texts = [values[name] for name in ("name", "outcome")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(values["data"], dict):
        raise ValueError("name, outcome or data")
    if not isinstance(values["seal"], str | None):
        raise ValueError("seal")


def _seals(work: UnitOfWork, numbers: list[int]) -> dict[int, str | None]:
    rows = work.db.execute(select(Event.seq, Event.seal).where(Event.seq.in_(numbers)))
    return {seq: seal for seq, seal in rows if seq is not None}


def _present(work: UnitOfWork, ids: list[int]) -> dict[int, tuple[datetime, str]]:
    rows = work.db.execute(select(Event.id, Event.at, Event.name).where(Event.id.in_(ids)))
    return {pk: (at, name) for pk, at, name in rows}


def _verify_seals(work: UnitOfWork, events: list[Event], found: LostEvents) -> None:
    if not events:
        return
    first, last = events[0].seq or 0, events[-1].seq or 0
    before = work.db.scalar(select(Event.seal).where(Event.seq == first - 1))
    place = first - 1
    for event in events:
        number = event.seq or 0
        known = before if number == place + 1 else None
        standing = chain.seal_status(work.vault, event, known, last)
        if standing is not SealStatus.PROVED:
            raise ExportNotVerified(number, FAULTS[standing])
        place, before = number, event.seal
    found.events, found.sealed = list(events), len(events)
    found.first, found.last, found.seal = first, last, before


#: By the status of the seal; a status without a fault is found at import.
FAULTS = {
    status: RecordFault[status.name] for status in SealStatus if status is not SealStatus.PROVED
}
