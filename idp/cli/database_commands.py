"""``gateway db``: the tables."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli.common import application, unit_of_work

if TYPE_CHECKING:
    from flask import Flask


@click.group()
def db() -> None:
    """Database."""


@db.command()
def upgrade() -> None:
    """Upgrade the database and create missing signing keys."""
    upgrade_database(application(is_upgrade=True))
    click.echo("The database is up to date.")


def upgrade_database(app: Flask) -> None:
    """Run the migrations of the package."""
    import flask_migrate

    from idp.db import db as database
    from idp.grants import signing_keys

    flask_migrate.Migrate(app, database, render_as_batch=True)
    with resources.as_file(resources.files("migrations")) as directory, app.app_context():
        flask_migrate.upgrade(directory=str(Path(directory)))
    with unit_of_work(app) as work:
        signing_keys.ensure(work)
