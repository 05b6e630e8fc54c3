"""The history: what was changed, by whom and why, in the transaction of the change (TM-12, RG-08).

The worker seals the entries in order. Each seal covers the previous one, so that an entry that was
changed, removed or put between others is found by ``verify``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update

from registration.models import Account, History, HistoryHead, Organization, Person, Request
from registration.transaction import UnitOfWork
from service_base.database import insert_if_missing

BATCH = 500
GENESIS = "genesis"


def record(
    work: UnitOfWork,
    action: str,
    *,
    actor: str = "",
    organization: Organization | None = None,
    person: Person | None = None,
    account: Account | None = None,
    request: Request | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    is_one_of_many: bool = False,
) -> History:
    """Add an entry in the name of who acts in this unit of work, or of ``actor`` alone. Values are
    texts, numbers or lists of them. One of many is written later, with the others, and has no id
    yet."""
    entry = History(
        at=work.now,
        actor=actor or work.origin.actor,
        on_behalf_of="" if actor else work.origin.on_behalf_of,
        action=str(action),
        organization_id=organization.id if organization else None,
        person_id=person.id if person else None,
        account_id=account.id if account else None,
        request_id=request.id if request else None,
        before=before or {},
        after=after or {},
        reason=reason,
    )
    work.db.add(entry)
    if not is_one_of_many:
        work.db.flush()
    return entry


class Line(NamedTuple):
    """What entries that are written together do not share."""

    person: Person | None
    account: Account | None
    before: dict[str, Any]


def record_all(
    work: UnitOfWork,
    action: str,
    lines: Iterable[Line],
    *,
    organization: Organization,
    request: Request,
    reason: str,
) -> None:
    """Add an entry for each line, in order, by one statement."""
    shared = {
        "at": work.now,
        "actor": work.origin.actor,
        "on_behalf_of": work.origin.on_behalf_of,
        "action": action,
        "organization_id": organization.id,
        "request_id": request.id,
        "after": {},
        "reason": reason,
    }
    rows = [
        shared
        | {
            "person_id": line.person.id if line.person else None,
            "account_id": line.account.id if line.account else None,
            "before": line.before,
        }
        for line in lines
    ]
    if rows:
        work.db.execute(insert(History), rows)


def seal_pending(work: UnitOfWork) -> int:
    """Seal the entries that wait, and return how many. Of two workers, one seals."""
    insert_if_missing(work.db, HistoryHead, id=1, seq=0, seal=GENESIS)
    head = work.db.scalars(select(HistoryHead).with_for_update()).one()
    seq, seal = head.seq, head.seal
    waiting = select(History).where(History.seal.is_(None)).order_by(History.id).limit(BATCH)
    rows = work.db.scalars(waiting).all()
    for number, row in enumerate(rows, seq + 1):
        row.seq, row.seal = number, work.keys.seal(seal, _canonical(row, number))
        seal = row.seal
    if rows:
        moved = work.db.execute(
            update(HistoryHead)
            .where(HistoryHead.seq == seq)
            .values(seq=seq + len(rows), seal=seal)
            .execution_options(synchronize_session=False)
        )
        if moved.rowcount != 1:  # type: ignore[attr-defined]
            work.db.rollback()
            return 0
    return len(rows)


def verify(work: UnitOfWork) -> int | None:
    """The number in the chain at which it breaks: there an entry is changed, missing or not ours.
    None if all is as it was sealed."""
    expected, seal = 0, GENESIS
    query = select(History).where(History.seq.is_not(None)).order_by(History.seq)
    with closing(work.db.scalars(query.execution_options(yield_per=BATCH))) as rows:
        for row in rows:
            expected += 1
            entry, found = _canonical(row, expected), row.seal or ""
            if row.seq != expected or not work.keys.is_seal_valid(seal, entry, found):
                return expected
            seal = found
    head = work.db.get(HistoryHead, 1)
    end = head.seq if head else 0
    return None if expected == end else min(expected, end) + 1


def _canonical(row: History, seq: int) -> str:
    """What a seal covers."""
    names = (
        "id", "actor", "on_behalf_of", "action", "organization_id", "person_id", "account_id",
        "request_id", "before", "after", "reason",
    )  # fmt: skip
    values = {name: getattr(row, name) for name in names}
    return json.dumps(
        {**values, "seq": seq, "at": row.at.astimezone(UTC).isoformat()}, sort_keys=True
    )
