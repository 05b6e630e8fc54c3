"""The revision of the registered clients and the signing keys, which each process keeps in memory.

Triggers of the database change the revision with every write of these tables, by any program. It is
random: what a transaction read of its own changes before it was rolled back matches no later one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, String, event, select, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base, BigId

#: The tables whose rows processes keep.
KEPT_TABLES = ("client", "signing_key")

_SQLITE = """CREATE TRIGGER IF NOT EXISTS {table}_revision_{change} AFTER {change} ON {table} BEGIN
INSERT INTO revision (id, value) VALUES (1, hex(randomblob(16)))
ON CONFLICT (id) DO UPDATE SET value = excluded.value; END"""
_FUNCTION = """CREATE OR REPLACE FUNCTION change_revision() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
INSERT INTO revision (id, value) VALUES (1, gen_random_uuid()::text)
ON CONFLICT (id) DO UPDATE SET value = excluded.value; RETURN NULL; END $$"""
_POSTGRESQL = """CREATE TRIGGER {table}_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
ON {table} FOR EACH STATEMENT EXECUTE FUNCTION change_revision()"""


class Revision(Base):
    """A single row. Without it, nothing is kept."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(String(40))


#: The revision, as a column of another statement.
CURRENT = select(Revision.value).where(Revision.id == 1).scalar_subquery()


def statements(dialect: str) -> list[str]:
    """What creates the triggers."""
    if dialect == "sqlite":
        changes = ("insert", "update", "delete")
        return [_SQLITE.format(table=t, change=change) for t in KEPT_TABLES for change in changes]
    drops = [f"DROP TRIGGER IF EXISTS {table}_revision ON {table}" for table in KEPT_TABLES]
    return [_FUNCTION, *drops, *(_POSTGRESQL.format(table=table) for table in KEPT_TABLES)]


@event.listens_for(Base.metadata, "after_create")
def _create(_metadata: Any, connection: Connection, **_rest: Any) -> None:
    for statement in statements(connection.dialect.name):
        connection.execute(text(statement))
