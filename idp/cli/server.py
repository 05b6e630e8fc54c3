"""``gateway db``, ``serve`` and ``worker``: the processes of an installation."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import click
import flask_migrate
import structlog
from flask import Flask

from idp import serving
from idp.accounts import (
    alarms,
    chain,
    client_proposals,
    keys,
    lifecycle,
    population,
    recovery,
    reminders,
    roles,
)
from idp.app import say_risks
from idp.cli.common import application, check_database, unit
from idp.messages import deliver
from idp.messages.queue import LOGOUT
from idp.oidc import backchannel
from idp.settings import Settings
from idp.transaction import Means, Work, committing

Parts = Mapping[str, Callable[[Flask], int]]
#: Steps of one part in one round.
MAX_STEPS = 100
log = structlog.get_logger("gateway.worker")


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the tables to this version and make the signing keys that are missing."""
    upgrade_database(application(is_upgrade=True))
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
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1, 256), help="Processes."
)
@click.option(
    "--threads",
    default=8,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Threads of each process, beside those that wait for a password hash.",
)
@click.option(
    "--stop-seconds",
    default=10,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Time for running requests to end when told to stop.",
)
def serve(host: str, port: int, workers: int, threads: int, stop_seconds: int) -> None:
    """Serve the gateway until told to stop.

    A process that ends by itself is started again. If it does so twice within seconds, the command
    ends with exit code 1."""
    settings = Settings.from_environ(os.environ)
    check_database(settings.database_url)
    serving.serve(serving.Options(host, port, workers, threads, stop_seconds), settings.log_level)


@click.command()
@click.option("--once", is_flag=True, help="One round, then stop.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between rounds.")
def worker(once: bool, interval: float) -> None:
    """Answer recovery requests, close accounts and take role groups whose time is over, send
    reminders and the outbox, tell relying parties what ended, watch for guessing, count sign-ins
    for the risk engine, and seal the audit trail until told to stop."""
    app = application()
    say_risks(app)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    if once:
        work_round(app)
        return
    lanes = [
        threading.Thread(target=_repeat, args=(app, parts, stop, interval), daemon=True)
        for parts in (PARTS, OUTSIDE)
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def _repeat(app: Flask, parts: Parts, stop: threading.Event, interval: float) -> None:
    while not stop.is_set():
        if not work_round(app, parts):
            stop.wait(interval)


def work_round(app: Flask, parts: Parts | None = None) -> bool:
    """One round of these parts, else of all; returns whether there was anything to do. A part that
    fails is tried again in the next round and keeps no other part from its work."""
    chosen = {**PARTS, **OUTSIDE} if parts is None else parts
    busy = [name for name, part in chosen.items() if _part(name, part, app)]
    return bool(busy)


def _part(name: str, part: Callable[[Flask], int], app: Flask) -> bool:
    try:
        done = part(app)
    except Exception as error:
        log.error("worker_part_failed", part=name, error=type(error).__name__)
        return False
    if done:
        log.info("worker_part", part=name, done=done)
    return bool(done)


def _recover(app: Flask) -> int:
    return _until_idle(app, recovery.process_next)


def _remind(app: Flask) -> int:
    return _until_idle(app, reminders.send_next)


#: What has an end of its own: accounts, assignments, proposals.
ENDS = (lifecycle.end_next, roles.end_next, client_proposals.end_next)


def _end(app: Flask) -> int:
    return _until_idle(app, lambda work: any(step(work) for step in ENDS))


def _until_idle(app: Flask, step: Callable[[Work], bool]) -> int:
    """Repeat a step, each in its own transaction, as long as it finds something; bounded, so
    that the other parts have their turn."""
    for done in range(MAX_STEPS):
        with app.app_context():
            means: Means = app.extensions["means"]
            with committing(means.work()) as work:
                found = step(work)
        if not found:
            return done
    return MAX_STEPS


def _alarm(app: Flask) -> int:
    with unit(app) as work:
        return alarms.raise_due(work)


def _deliver(app: Flask) -> int:
    with app.app_context():
        return deliver.deliver_due(app.extensions["means"])


def _tell(app: Flask) -> int:
    with app.app_context():
        senders = {LOGOUT: backchannel.sender(app.extensions["oidc"].ring)}
        return deliver.deliver_due(app.extensions["means"], senders)


def _seal(app: Flask) -> int:
    with unit(app) as work:
        return chain.seal_pending(work)


def _count(app: Flask) -> int:
    with unit(app) as work:
        return population.keep(work)


#: In this order: what a part writes, the next ones send and seal.
PARTS: Parts = {
    "recovery": _recover,
    "ends": _end,
    "reminders": _remind,
    "alarms": _alarm,
    "outbox": _deliver,
    "population": _count,
    "trail": _seal,
}
#: Beside them, in a thread of its own: it waits for other people's servers.
OUTSIDE: Parts = {"logouts": _tell}
