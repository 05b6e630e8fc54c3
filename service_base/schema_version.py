"""Compares the version of the database tables with the version that a release needs.

Alembic writes it into the table ``alembic_version``. Alembic itself is not used here: loading it
takes longer than most commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import resources

from sqlalchemy import Connection, Engine, column, inspect, select, table

from service_base.refusals import DatabaseNotReady


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
#: Versions that a release works with.
USABLE = (SchemaStatus.OK, SchemaStatus.NEWER)
_REASONS = {
    SchemaStatus.EMPTY: "the database has no tables",
    SchemaStatus.OLDER: "the database is of an older version",
}


@dataclass
class Schema:
    """The tables that the migrations of a package make, and the command that runs them."""

    migrations: str
    upgrade_command: str

    def status(self, connection: Connection) -> SchemaStatus:
        """The version of the tables. Raises SQLAlchemyError when the database does not answer."""
        if not inspect(connection).has_table(_TABLE.name):
            return SchemaStatus.EMPTY
        found = set(connection.scalars(select(_TABLE.c.version_num)))
        if not found:
            return SchemaStatus.EMPTY
        if max(self.versions) in found:
            return SchemaStatus.OK
        return SchemaStatus.OLDER if self.versions >= found else SchemaStatus.NEWER

    def require(self, engine: Engine) -> None:
        """Raises DatabaseNotReady with instructions unless this release works with the tables;
        SQLAlchemyError if the database does not answer."""
        with engine.connect() as connection:
            found = self.status(connection)
        if found not in USABLE:
            raise DatabaseNotReady(f"{_REASONS[found]}; run: {self.upgrade_command}")

    @cached_property
    def versions(self) -> frozenset[str]:
        """All migrations of this release: the numbers with which their files begin."""
        names = (e.name for e in (resources.files(self.migrations) / "versions").iterdir())
        return frozenset(n[:4] for n in names if n.endswith(".py") and n[:4].isdigit())
