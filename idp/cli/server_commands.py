"""``gateway db``, ``serve`` and ``worker``: the processes of an installation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

import click
import flask_migrate
from flask import Flask

from idp import serving
from idp.app import say_risks
from idp.audit import chain
from idp.cli.common import application, check_database, unit_of_work
from idp.cli.worker_health import answering
from idp.cli.worker_threads import Parts, WorkerThreads, work_through
from idp.clients import client_proposals
from idp.directory import lifecycle, role_group_assignments
from idp.grants import signing_keys
from idp.maintenance import alarms, reminders
from idp.messages import delivery
from idp.messages.delivery import Sender
from idp.messages.queue import LOGOUT
from idp.messages.rendering import CODES
from idp.oidc import logout_token
from idp.recovery import recovery_requests
from idp.settings import Settings
from idp.signin import population_counts
from idp.transaction import Runtime, UnitOfWork, committing

#: Maximum steps, and transfers to other servers, of one part in one round.
MAX_STEPS = 100
MAX_TRANSFERS = 5


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
    with resources.as_file(resources.files("migrations")) as directory, app.app_context():
        flask_migrate.upgrade(directory=str(Path(directory)))
    with unit_of_work(app) as work:
        signing_keys.ensure(work)


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
    help="Threads per process, in addition to those for password hashing.",
)
@click.option(
    "--stop-seconds",
    default=10,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds to wait for running requests before stopping.",
)
def serve(host: str, port: int, workers: int, threads: int, stop_seconds: int) -> None:
    """Start the gateway.

    A process that stops unexpectedly is restarted. If it stops again within seconds, the command
    exits with code 1."""
    settings = Settings.from_environ(os.environ)
    check_database(settings.database_url)
    serving.serve(serving.Options(host, port, workers, threads, stop_seconds), settings.log_level)


@click.command()
@click.option("--once", is_flag=True, help="Run once, then stop.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between rounds.")
@click.option("--health-host", default="127.0.0.1", show_default=True)
@click.option(
    "--health-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Health check port: GET /healthz returns 200, or 503.  [default: none]",
)
def worker(once: bool, interval: float, health_host: str, health_port: int) -> None:
    """Start the worker.

    It processes recovery requests, deactivates expired accounts, revokes expired role groups, sends
    reminders and messages, sends back-channel logouts, raises alerts, updates the risk engine and
    seals the audit log. Codes, other e-mail, text messages and logouts have separate threads."""
    app = application()
    say_risks(app)
    if once:
        work_round(app)
        return
    workers = WorkerThreads(app, THREADS, interval=interval)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: workers.stop())
    probe = answering(health_host, health_port, workers.state) if health_port else nullcontext()
    with probe:
        workers.run()


def work_round(app: Flask, parts: Parts | None = None) -> bool:
    """Run one round of these parts, or of all; returns whether there was anything to do."""
    return work_through(app, PARTS if parts is None else parts)


def _recover(app: Flask) -> int:
    return _until_idle(app, recovery_requests.process_next)


def _remind(app: Flask) -> int:
    return _until_idle(app, reminders.send_next)


#: Expiry of accounts, assignments and proposals.
ENDS = (
    lifecycle.deactivate_next_expired,
    role_group_assignments.revoke_next_expired,
    client_proposals.expire_next,
)


def _end(app: Flask) -> int:
    return _until_idle(app, lambda work: any(step(work) for step in ENDS))


def _until_idle(app: Flask, step: Callable[[UnitOfWork], bool]) -> int:
    """Repeat a step, each in its own transaction, until there is nothing left or the maximum is
    reached, so that other parts get their turn."""
    for done in range(MAX_STEPS):
        with app.app_context():
            runtime: Runtime = app.extensions["runtime"]
            with committing(runtime.work()) as work:
                found = step(work)
        if not found:
            return done
    return MAX_STEPS


def _alarm(app: Flask) -> int:
    with unit_of_work(app) as work:
        return alarms.raise_due(work)


def _send_codes(app: Flask) -> int:
    return _deliver(app, {"mail": delivery.send_mail}, kinds=CODES)


def _send_mail(app: Flask) -> int:
    return _deliver(app, {"mail": delivery.send_mail})


def _send_texts(app: Flask) -> int:
    return _deliver(app, {"sms": delivery.send_sms})


def _send_logouts(app: Flask) -> int:
    with app.app_context():
        ring = app.extensions["oidc"].ring
    return _deliver(app, {LOGOUT: logout_token.sender(ring)})


def _deliver(app: Flask, senders: Mapping[str, Sender], kinds: Collection[str] = ()) -> int:
    with app.app_context():
        return delivery.deliver_due(
            app.extensions["runtime"], senders, kinds=kinds, limit=MAX_TRANSFERS
        )


def _seal(app: Flask) -> int:
    with unit_of_work(app) as work:
        return chain.seal_pending(work)


def _count(app: Flask) -> int:
    with unit_of_work(app) as work:
        return population_counts.refresh(work)


#: The threads of a worker and their parts. Those after ``upkeep`` wait for other servers.
THREADS: Mapping[str, Parts] = {
    "recovery": {"recovery": _recover},
    "upkeep": {
        "ends": _end,
        "reminders": _remind,
        "alarms": _alarm,
        "population": _count,
        "trail": _seal,
    },
    "codes": {"codes": _send_codes},
    "mail": {"mail": _send_mail},
    "texts": {"texts": _send_texts},
    "logouts": {"logouts": _send_logouts},
}
#: All parts.
PARTS: Parts = {name: part for parts in THREADS.values() for name, part in parts.items()}
