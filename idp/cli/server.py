"""``gateway db``, ``serve`` and ``worker``: the processes of an installation."""

from __future__ import annotations

import os
import signal
import threading
from importlib import resources
from pathlib import Path

import click
import flask_migrate
import structlog
from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from idp.accounts import keys, trail
from idp.cli.common import application, unit
from idp.messages import deliver
from idp.settings import Settings

log = structlog.get_logger("gateway.worker")


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the tables to this version and make the signing keys that are missing."""
    upgrade_database(application())
    click.echo("The database is up to date.")


def upgrade_database(app: Flask) -> None:
    """Run the migrations that come with the package."""
    with resources.as_file(resources.files("migrations")) as directory, app.app_context():
        flask_migrate.upgrade(directory=str(Path(directory)))
    with unit(app) as work:
        keys.ensure(work)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--threads", default=8, show_default=True, help="Threads of each process.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the gateway until told to stop."""
    settings = Settings.from_environ(os.environ)
    Granian(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        log_access=False,
        log_level=LogLevels(settings.log_level.lower()),
    ).serve()


@click.command()
@click.option("--once", is_flag=True, help="One round, then stop.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between rounds.")
def worker(once: bool, interval: float) -> None:
    """Send the outbox and seal the audit trail until told to stop."""
    app = application()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    while not stop.is_set():
        busy = work_round(app)
        if once:
            break
        if not busy:
            stop.wait(interval)


def work_round(app: Flask) -> bool:
    """One round; returns whether there was anything to do. A failed round is tried again."""
    try:
        with app.app_context():
            sent = deliver.deliver_due(app.extensions["means"])
        with unit(app) as work:
            sealed = trail.seal_pending(work)
    except Exception as error:
        log.error("worker_round_failed", error=type(error).__name__)
        return False
    if sent or sealed:
        log.info("worker_round", messages=sent, sealed=sealed)
    return bool(sent or sealed)
