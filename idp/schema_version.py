"""Compares the version of the database tables with the version that this release needs.

Alembic writes it into the table ``alembic_version``. Alembic itself is not used here: loading it
takes longer than most commands.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib import resources

from sqlalchemy import Connection, column, create_engine, inspect, select, table
from sqlalchemy.pool import NullPool

from idp.db import engine_options
from idp.errors import DatabaseNotReady


class SchemaStatus(StrEnum):
    """The status of the tables. During a rollout they can be newer than a running old release,
    which continues to work."""

    OK = "ok"
    AWAY = "no answer"
    EMPTY = "no tables"
    OLDER = "older version"
    NEWER = "newer version"


#: Where Alembic notes the version.
_TABLE = table("alembic_version", column("version_num"))
#: Versions that this release works with.
USABLE = (SchemaStatus.OK, SchemaStatus.NEWER)
_REASONS = {
    SchemaStatus.EMPTY: "the database has no tables",
    SchemaStatus.OLDER: "the database is of an older version",
}


def schema_status(connection: Connection) -> SchemaStatus:
    """The version of the tables. Raises SQLAlchemyError when the database does not answer."""
    known = _versions()
    if not inspect(connection).has_table(_TABLE.name):
        return SchemaStatus.EMPTY
    found = set(connection.scalars(select(_TABLE.c.version_num)))
    if not found:
        return SchemaStatus.EMPTY
    if max(known) in found:
        return SchemaStatus.OK
    return SchemaStatus.OLDER if known >= found else SchemaStatus.NEWER


def require(url: str) -> None:
    """Raises DatabaseNotReady with instructions unless this release works with the tables;
    SQLAlchemyError if the database does not answer."""
    options = {"connect_args": engine_options(url).get("connect_args", {})}
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, **options)
    with engine.connect() as connection:
        found = schema_status(connection)
    if found not in USABLE:
        raise DatabaseNotReady(f"{_REASONS[found]}; run: gateway db upgrade")


@cache
def _versions() -> frozenset[str]:
    """All migrations of this release: the numbers with which their files begin."""
    names = (entry.name for entry in (resources.files("migrations") / "versions").iterdir())
    return frozenset(name[:4] for name in names if name.endswith(".py") and name[:4].isdigit())
