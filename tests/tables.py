"""The tables of a test's database between two tests, and tests that only PostgreSQL can pass."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, delete, insert, select, text

#: Rows of each table, in the order of their ids.
Rows = Mapping[Table, list[dict[str, Any]]]


def runs_on_postgresql() -> bool:
    """Whether the tests run on PostgreSQL."""
    return os.environ.get("TEST_DATABASE_URL", "").startswith("postgresql")


def needs_postgresql(reason: str) -> pytest.MarkDecorator:
    """The mark of a test that is skipped on SQLite."""
    return pytest.mark.skipif(not runs_on_postgresql(), reason=reason)


def rows(connection: Connection, metadata: MetaData) -> Rows:
    """All rows there are."""
    return {
        table: [dict(row) for row in found]
        for table in metadata.sorted_tables
        if (
            found := connection.execute(select(table).order_by(*table.primary_key)).mappings().all()
        )
    }


def refill(connection: Connection, metadata: MetaData, kept: Rows) -> None:
    """Delete all rows, restart the sequences and insert ``kept``.

    The few rows of a test are deleted: TRUNCATE makes new files for every table and index and takes
    ten times as long."""
    filled = set(connection.scalars(text(_filled(metadata))))
    for table in reversed(metadata.sorted_tables):
        if table.name in filled:
            connection.execute(delete(table))
    # Its rows come from triggers, which count what is deleted and inserted.
    counts = metadata.tables.get("account_count")
    for table in metadata.sorted_tables:
        if table in kept and table is not counts:
            connection.execute(insert(table), kept[table])
    if counts is not None:
        connection.execute(delete(counts))
        if counts in kept:
            connection.execute(insert(counts), kept[counts])
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")
        )
        for table in kept:
            if "id" in table.columns and table.columns["id"].autoincrement:
                connection.execute(text(_next_id(table.name)))


@cache
def _filled(metadata: MetaData) -> str:
    """Asks for the names of the tables that have rows."""
    return " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")"  # noqa: S608 - names of our own
        for name in metadata.tables
    )


def _next_id(name: str) -> str:
    return (
        f"SELECT setval(pg_get_serial_sequence('\"{name}\"', 'id'), max(id))"  # noqa: S608 - as above
        f' FROM "{name}"'
    )
