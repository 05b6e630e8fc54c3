"""Encrypt stored values again with the first of ``IDP_KEY_ENCRYPTION_KEYS``, so that the former
keys can be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, RowMapping, Table, bindparam, func, or_, select, update

from idp import models
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import ConfigurationError
from idp.transaction import UnitOfWork

BATCH = 500


@dataclass(kw_only=True)
class Found:
    """The values of one table."""

    table: str
    values: int = 0
    #: Of them encrypted with a former key, and encrypted again.
    former: int = 0
    #: Of them encrypted with a key that is not configured. They stay as they are.
    unreadable: int = 0


def sealed_columns() -> dict[Table, list[Column[Any]]]:
    """The columns with encrypted values, by table."""
    found = {
        table: [column for column in table.columns if "sealed" in column.name.split("_")]
        for table in models.load().sorted_tables
    }
    return {table: columns for table, columns in found.items() if columns}


def number_of_rows(work: UnitOfWork) -> int:
    """The rows that ``encrypt`` reads, for its progress."""
    return sum(
        work.db.scalar(select(func.count()).select_from(table).where(_filled(columns))) or 0
        for table, columns in sealed_columns().items()
    )


def encrypt(
    step: Callable[[], AbstractContextManager[UnitOfWork]],
    show: Callable[[int], None],
    *,
    dry_run: bool = False,
) -> list[Found]:
    """Encrypt again what a former key encrypted, in a transaction for each batch. A value that is
    changed at the same time stays as it was changed. ``show`` gets the number of rows read."""
    found, rows = [], 0
    for table, columns in sealed_columns().items():
        of_table = Found(table=table.name)
        last: Any = None
        while True:
            with step() as work:
                batch = _rows(work, table, columns, last)
                for column in columns:
                    changes = list(_changes(work, column, batch, of_table))
                    if changes and not dry_run:
                        work.db.connection().execute(_replacement(table, column), changes)
            if not batch:
                break
            last = batch[-1]["id"]
            rows += len(batch)
            show(rows)
        found.append(of_table)
    former = sum(one.former for one in found)
    if former and not dry_run:
        with step() as work:
            events.record(work, AuditAction.VALUES_REENCRYPTED, count=former)
    return found


def _filled(columns: Sequence[Column[Any]]) -> Any:
    return or_(*(column != "" for column in columns))


def _rows(
    work: UnitOfWork, table: Table, columns: Sequence[Column[Any]], last: Any
) -> Sequence[RowMapping]:
    query = select(table.c.id, *columns).where(_filled(columns)).order_by(table.c.id).limit(BATCH)
    if last is not None:
        query = query.where(table.c.id > last)
    return work.db.execute(query).mappings().all()


def _changes(
    work: UnitOfWork, column: Column[Any], batch: Sequence[RowMapping], found: Found
) -> Iterator[dict[str, Any]]:
    for row in batch:
        if not row[column.name]:
            continue
        found.values += 1
        if work.vault.is_newest(row[column.name]):
            continue
        try:
            again = work.vault.encrypt_again(row[column.name])
        except ConfigurationError:
            found.unreadable += 1
            continue
        found.former += 1
        yield {"key": row["id"], "before": row[column.name], "after": again}


def _replacement(table: Table, column: Column[Any]) -> Any:
    return (
        update(table)
        .where(table.c.id == bindparam("key"), column == bindparam("before"))
        .values({column: bindparam("after")})
    )
