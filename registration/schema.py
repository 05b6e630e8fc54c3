"""The version of the tables, and how they are brought to it."""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Engine

from service_base.schema_version import Schema

SCHEMA = Schema("registration.migrations", "registration db upgrade")


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, up to this revision."""
    from alembic import command
    from alembic.config import Config

    folder = resources.files("registration.migrations")
    with resources.as_file(folder) as directory, engine.connect() as connection:
        command.upgrade(
            Config(directory / "alembic.ini", attributes={"connection": connection}), revision
        )
