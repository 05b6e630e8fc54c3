"""``gateway db``: the tables."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import click

from idp.cli.common import connect, unit_of_work

if TYPE_CHECKING:
    from idp.foundation import Foundation


@click.group()
def db() -> None:
    """Database."""


@db.command()
def upgrade() -> None:
    """Upgrade the database and create missing signing keys."""
    upgrade_database(connect(is_upgrade=True))
    click.echo("The database is up to date.")


def upgrade_database(base: Foundation) -> None:
    """Run the migrations of the package."""
    from alembic import command
    from alembic.config import Config

    from idp.grants import signing_keys
    from service_base.database import ensure

    folder = resources.files("migrations")
    with resources.as_file(folder) as directory, base.engine.connect() as connection:
        given = {"connection": connection}
        command.upgrade(Config(directory / "alembic.ini", attributes=given), "head")

    def add_keys() -> None:
        with unit_of_work(base.runtime) as work:
            signing_keys.ensure(work)

    ensure(add_keys)
