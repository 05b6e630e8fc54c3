"""Compares the version of the database tables with the version that this release needs."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
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


#: Versions that this release works with.
USABLE = (SchemaStatus.OK, SchemaStatus.NEWER)
_REASONS = {
    SchemaStatus.EMPTY: "the database has no tables",
    SchemaStatus.OLDER: "the database is of an older version",
}


def schema_status(connection: Connection) -> SchemaStatus:
    """The version of the tables. Raises SQLAlchemyError when the database does not answer."""
    head, known = _versions()
    found = MigrationContext.configure(connection).get_current_heads()
    if not found:
        return SchemaStatus.EMPTY
    if head in found:
        return SchemaStatus.OK
    return SchemaStatus.OLDER if known.issuperset(found) else SchemaStatus.NEWER


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
def _versions() -> tuple[str | None, frozenset[str]]:
    """The newest migration of this release, and all of them."""
    with resources.as_file(resources.files("migrations")) as folder:
        scripts = ScriptDirectory(str(Path(folder)))
        known = frozenset(step.revision for step in scripts.walk_revisions())
        return scripts.get_current_head(), known
