"""Counts over the sign-ins of all accounts, for the risk engine. The worker updates them, so that
no sign-in waits for the row of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from idp.db import insert_if_missing
from idp.mfa.features import hour_of
from idp.mfa.hour_density import bin_of
from idp.mfa.sign_in_histories import KEPT, KEPT_DAYS
from idp.models import PopulationCount, SignIn
from idp.signin.sign_in_history import values_of
from idp.transaction import UnitOfWork

BATCH = 500
Deltas = Counter[tuple[str, str]]


def refresh(work: UnitOfWork) -> int:
    """Count the sign-ins that are not counted yet, and delete those that are too old or too many
    for their account. Returns how many were processed."""
    rows = work.db.scalars(
        select(SignIn).where(SignIn.counted_at.is_(None)).order_by(SignIn.id).limit(BATCH)
    ).all()
    late = work.db.scalars(
        select(SignIn)
        .where(SignIn.at < work.now - timedelta(days=KEPT_DAYS), SignIn.counted_at.is_not(None))
        .order_by(SignIn.at)
        .limit(BATCH)
    ).all()
    if not rows and not late:
        return 0
    if not _try_lock(work):
        return 0
    _count_in(work, rows)
    over = _beyond_bound(work, {row.account_id for row in rows})
    _forget(work, {row.id: row for row in (*late, *over)}.values())
    return len(rows) + len(late)


def _try_lock(work: UnitOfWork) -> bool:
    """Whether this worker got the lock, the row of the total: one worker counts at a time."""
    insert_if_missing(work.db, PopulationCount, level="total", value="", seen=0)
    query = select(PopulationCount).where(PopulationCount.level == "total")
    return work.db.scalar(query.with_for_update(skip_locked=True)) is not None


def _count_in(work: UnitOfWork, rows: Collection[SignIn]) -> None:
    known = _accounts_counted(work, {row.account_id for row in rows})
    taken = [row for row in rows if _mark_counted(work, row)]
    deltas = _deltas(taken, 1)
    deltas["people", ""] += len({row.account_id for row in taken} - known)
    _apply(work, deltas)


def _mark_counted(work: UnitOfWork, row: SignIn) -> bool:
    """Mark the row as counted; False when another worker was first."""
    marked = work.db.execute(
        update(SignIn)
        .where(SignIn.id == row.id, SignIn.counted_at.is_(None))
        .values(counted_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(marked.rowcount == 1)  # type: ignore[attr-defined]


def _accounts_counted(work: UnitOfWork, accounts: Collection[int]) -> set[int]:
    """Which of these accounts have sign-ins that are counted."""
    query = (
        select(SignIn.account_id)
        .distinct()
        .where(SignIn.account_id.in_(accounts), SignIn.counted_at.is_not(None))
    )
    return set(work.db.scalars(query))


def _beyond_bound(work: UnitOfWork, accounts: Collection[int]) -> list[SignIn]:
    """The oldest sign-ins of these accounts that are more than are kept."""
    query = (
        select(SignIn.account_id, func.count())
        .where(SignIn.account_id.in_(accounts), SignIn.counted_at.is_not(None))
        .group_by(SignIn.account_id)
        .having(func.count() > KEPT)
    )
    found: list[SignIn] = []
    for account_id, count in work.db.execute(query).all():
        oldest = (
            select(SignIn)
            .where(SignIn.account_id == account_id, SignIn.counted_at.is_not(None))
            .order_by(SignIn.at)
            .limit(count - KEPT)
        )
        found.extend(work.db.scalars(oldest))
    return found


def _forget(work: UnitOfWork, rows: Collection[SignIn]) -> None:
    if not rows:
        return
    ids, accounts = [row.id for row in rows], {row.account_id for row in rows}
    deltas = _deltas(rows, -1)
    work.db.execute(
        delete(SignIn).where(SignIn.id.in_(ids)).execution_options(synchronize_session=False)
    )
    deltas["people", ""] -= len(accounts - _accounts_counted(work, accounts))
    _apply(work, deltas)


def _deltas(rows: Iterable[SignIn], step: int) -> Deltas:
    deltas: Deltas = Counter()
    for row in rows:
        hour = hour_of(row.at, row.zone)
        deltas["free" if hour.is_free else "working", str(bin_of(hour.of_day))] += step
        deltas["total", ""] += step
        for level, value in values_of(row).items():
            if value:
                deltas[level, value] += step
    return deltas


#: Levels without a number of distinct values.
_PLAIN = ("total", "people", "working", "free", "distinct")


def _apply(work: UnitOfWork, deltas: Deltas) -> None:
    """Add to the counts; a value that is new or gone changes how many its level has."""
    distinct: Counter[str] = Counter()
    for (level, value), step in sorted(deltas.items()):
        if not step:
            continue
        if insert_if_missing(work.db, PopulationCount, level=level, value=value, seen=0):
            distinct[level] += 1
        _add(work, level, value, step)
        if step < 0 and level not in _PLAIN:
            gone = work.db.execute(
                delete(PopulationCount).where(
                    PopulationCount.level == level,
                    PopulationCount.value == value,
                    PopulationCount.seen <= 0,
                )
            )
            distinct[level] -= gone.rowcount  # type: ignore[attr-defined]
    for level, step in distinct.items():
        if step and level not in _PLAIN:
            insert_if_missing(work.db, PopulationCount, level="distinct", value=level, seen=0)
            _add(work, "distinct", level, step)


def _add(work: UnitOfWork, level: str, value: str, step: int) -> None:
    work.db.execute(
        update(PopulationCount)
        .where(PopulationCount.level == level, PopulationCount.value == value)
        .values(seen=PopulationCount.seen + step)
        .execution_options(synchronize_session=False)
    )
