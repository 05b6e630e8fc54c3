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
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError

from idp.models import Account, ChainHead, Event
from idp.transaction import Means, Work, committing

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


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which events are wanted; what is None or empty excludes nothing."""

    account_ids: tuple[int, ...] | None = None
    actor: str = ""
    client_id: str = ""
    #: A whole name, or its beginning with a full stop at the end: ``signin.``
    name: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For the WHERE clause."""
        found: list[ColumnElement[bool]] = []
        if self.account_ids is not None:
            found.append(Event.account_id.in_(self.account_ids))
        if self.actor:
            found.append(Event.actor == self.actor)
        if self.client_id:
            found.append(Event.client_id == self.client_id)
        if self.name.endswith("."):
            found.append(Event.name.startswith(self.name, autoescape=True))
        elif self.name:
            found.append(Event.name == self.name)
        if self.since is not None:
            found.append(Event.at >= self.since)
        if self.until is not None:
            found.append(Event.at < self.until)
        return found


def page(
    work: Work, wanted: Filter, *, before: int | None = None, limit: int = 100
) -> list[tuple[Event, str | None]]:
    """The newest such events with the login name of whom they are about, older than ``before``
    (an event's id)."""
    query = (
        select(Event, Account.username)
        .outerjoin(Account, Account.id == Event.account_id)
        .where(*wanted.conditions())
        .order_by(Event.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Event.id < before)
    return [(event, username) for event, username in work.db.execute(query)]


def sign_ins(work: Work, account: Account, limit: int) -> list[Event]:
    """The last sign-ins of the account, refused ones too, newest first."""
    return of_account(work, account, limit, "signin.succeeded", "signin.refused")


def assessments(work: Work, account: Account, limit: int = 10) -> list[Event]:
    """The last decisions of the risk engine about the account, newest first."""
    return of_account(work, account, limit, "signin.assessed")


def refused_programs(work: Work, account: Account, limit: int) -> list[Event]:
    """The last programs of a machine account that were refused, newest first."""
    return of_account(work, account, limit, "machine.refused")


def of_account(work: Work, account: Account, limit: int, *names: str) -> list[Event]:
    """The last events about the account, of these names if any are given, newest first."""
    query = select(Event).where(Event.account_id == account.id)
    if names:
        query = query.where(Event.name.in_(names))
    return list(work.db.scalars(query.order_by(Event.at.desc(), Event.id.desc()).limit(limit)))


def export(work: Work, wanted: Filter | None = None) -> Iterator[str]:
    """Such events as JSON lines, oldest first, streamed."""
    for record in records(work, wanted):
        yield json.dumps(record, sort_keys=True)


def records(work: Work, wanted: Filter | None = None) -> Iterator[dict[str, Any]]:
    """The same as dictionaries."""
    query = (
        select(Event, Account.username)
        .outerjoin(Account, Account.id == Event.account_id)
        .where(*(wanted or Filter()).conditions())
        .order_by(Event.id)
        .execution_options(yield_per=BATCH)
    )
    with closing(work.db.execute(query)) as rows:
        for event, username in rows:
            record: dict[str, Any] = json.loads(_canonical(event))
            yield record | {"account": username, "seal": event.seal}


def seal_all(means: Means) -> None:
    """Seal until nothing is left. Needs an application context."""
    while True:
        with committing(means.work()) as work:
            if not seal_pending(work):
                return
