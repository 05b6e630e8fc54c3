"""Compare the migrations with the models, of the gateway and of registration; with ``--write
MESSAGE``, write the step that is missing (of registration with ``--of registration``).

The comparison upgrades an empty database and asks Alembic what it would change: in a SQLite file,
and in a scratch database of the PostgreSQL server that TEST_DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, make_url

import registration.models
from idp import models
from idp.db import prepare_engine

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Service:
    """A service with tables: its migrations and the metadata of its models."""

    folder: Path
    metadata: MetaData

    def configuration(self, connection: Connection | None = None) -> Config:
        """Alembic's configuration, to run on ``connection``."""
        return Config(self.folder / "alembic.ini", attributes={"connection": connection})

    def upgrade(self, engine: Engine) -> None:
        """Bring the database to the newest revision."""
        with engine.connect() as connection:
            command.upgrade(self.configuration(connection), "head")

    def differences(self, engine: Engine) -> list[Any]:
        """What autogenerate would change in the upgraded database."""
        options = {"compare_type": True, "compare_server_default": True}
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return list(compare_metadata(context, self.metadata))


SERVICES = {
    "gateway": Service(ROOT / "migrations", models.tables()),
    "registration": Service(
        ROOT / "registration" / "migrations", registration.models.Base.metadata
    ),
}


@contextmanager
def engine_for(url: str | URL) -> Iterator[Engine]:
    """An engine that behaves like the application's, disposed of afterwards."""
    engine = create_engine(url)
    prepare_engine(engine)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def empty_sqlite() -> Iterator[Engine]:
    """An empty database in a file of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        engine_for(f"sqlite:///{folder}/check.db") as engine,
    ):
        yield engine


@contextmanager
def empty_postgresql(server: str) -> Iterator[Engine]:
    """A scratch database on the server of the URL ``server``."""
    name = f"gateway_migrations_{os.getpid()}"
    with engine_for(make_url(server).set(database="postgres")) as maintenance:
        autocommit = maintenance.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            with engine_for(make_url(server).set(database=name)) as engine:
                yield engine
        finally:
            with autocommit.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def describe(difference: Any) -> str:
    """One operation of autogenerate on a line: what it does to which table, index or column."""
    kind, *subjects = difference[0] if isinstance(difference, list) else difference
    names = [getattr(subject, "name", subject) for subject in subjects]
    return " ".join([kind, *(name for name in names if isinstance(name, str))])


def check() -> int:
    """Compare on every database at hand; 1 when something differs."""
    found = sum(compare(name, service) for name, service in SERVICES.items())
    if found:
        print('models and migrations differ; run: make migration MESSAGE="..."', file=sys.stderr)
    return 1 if found else 0


def compare(service: str, tables: Service) -> int:
    """How many differences there are in the tables of a service."""
    databases = {"SQLite": empty_sqlite()}
    if server := os.environ.get("TEST_DATABASE_URL", ""):
        databases["PostgreSQL"] = empty_postgresql(server)
    found = 0
    for name, empty in databases.items():
        with empty as engine:
            tables.upgrade(engine)
            for difference in tables.differences(engine):
                found += 1
                print(f"{service}, {name}: {describe(difference)}", file=sys.stderr)
    if not found:
        where, count = " and ".join(databases), len(tables.metadata.tables)
        print(f"the migrations of {service} make all {count} tables on {where}")
    return found


def write(message: str, service: Service) -> int:
    """Write the next migration from what differs in an upgraded SQLite database."""
    folder = ScriptDirectory.from_config(service.configuration())
    newest = folder.get_current_head() or "0"
    with empty_sqlite() as engine:
        service.upgrade(engine)
        with engine.connect() as connection:
            script: Any = command.revision(
                service.configuration(connection),
                message,
                autogenerate=True,
                rev_id=f"{int(newest) + 1:04d}",
            )
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", script.path], check=True)  # noqa: S603
    print(f"wrote {os.path.relpath(script.path)}: read it before you commit it")
    return 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", metavar="MESSAGE", help="write the missing step")
    parser.add_argument("--of", choices=SERVICES, default="gateway", help="whose migration")
    arguments = parser.parse_args()
    return write(arguments.write, SERVICES[arguments.of]) if arguments.write else check()


if __name__ == "__main__":
    sys.exit(main())
