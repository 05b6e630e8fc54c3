"""The commands and their exit codes: 0 success, 1 refused, 2 usage error."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from typing import IO, TYPE_CHECKING, Any

import click

from service_base.refusals import ConfigurationError, DatabaseNotReady, ServiceError

if TYPE_CHECKING:
    from registration.transaction import Runtime


class RootGroup(click.Group):
    """Maps refusals to messages and exit codes."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            for reason in error.detail.split("; "):
                click.echo(f"configuration: {reason}", err=True)
            sys.exit(2)
        except DatabaseNotReady as error:
            click.echo(f"database: {error.detail}", err=True)
            sys.exit(1)
        except ServiceError as error:
            click.echo(f"refused: {error.detail or error.code}", err=True)
            sys.exit(1)


@contextmanager
def opened(*, is_upgrade: bool = False) -> Iterator[Runtime]:
    """A runtime with the settings of the environment. Raises ConfigurationError, and
    DatabaseNotReady unless the command upgrades the database."""
    from registration.ports import Ports
    from registration.schema import SCHEMA
    from registration.settings import Settings
    from registration.transaction import Runtime
    from service_base import logs

    settings = Settings.from_environ(os.environ)
    logs.configure(settings.log_level)
    runtime = Runtime.of(settings, Ports.of(settings))
    try:
        if not is_upgrade:
            SCHEMA.require(runtime.engine)
        yield runtime
    finally:
        runtime.close()


@click.group(cls=RootGroup)
@click.version_option(package_name="ieso-gateway")
def main() -> None:
    """Run and administer Online IESO Registration.

    Settings are read from REGISTRATION_* environment variables. See `registration settings`."""


@main.group()
def db() -> None:
    """Database."""


@db.command()
def upgrade() -> None:
    """Upgrade the database and write the catalogue of markets and roles."""
    from registration import catalogue, catalogue_tables, schema
    from registration.transaction import Origin
    from service_base.database import ensure

    with opened(is_upgrade=True) as runtime:
        schema.upgrade(runtime.engine)

        def write_catalogue() -> None:
            with runtime.work(Origin("cli:upgrade")) as work:
                catalogue_tables.write(work, catalogue.packaged())

        ensure(write_catalogue)
    click.echo("The database is up to date.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def settings(as_json: bool) -> None:
    """List all settings with value, source, default and description. Secrets are hidden."""
    from registration.settings import Settings

    rows = [_setting(item) for item in fields(Settings)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']} = {row['value']} ({row['source']})\n    {row['meaning']}")
    try:
        Settings.from_environ(os.environ)
    except ConfigurationError as error:
        click.echo(f"Invalid settings: {error.detail}.")


def _setting(item: Any) -> dict[str, str]:
    from registration.settings import PREFIX
    from service_base.environment import shown

    name, is_secret = f"{PREFIX}{item.name.upper()}", item.metadata["secret"]
    source = "default"
    if name in os.environ:
        source = "environment"
    elif is_secret and f"{name}_FILE" in os.environ:
        source = "file"
    default = "" if is_secret else shown(item.default)
    value = os.environ.get(name, default)
    if is_secret:
        value = "(not set)" if source == "default" else "(set)"
    return {
        "name": name, "value": value, "source": source, "default": default,
        "meaning": item.metadata["meaning"],
    }  # fmt: skip


@main.group()
def history() -> None:
    """History of changes."""


@history.command()
def verify() -> None:
    """Check that no sealed entry was changed or removed. The exit code is 1 if one was."""
    from registration import history as entries

    with opened() as runtime, runtime.work() as work:
        broken = entries.verify(work)
    if broken is not None:
        click.echo(f"The chain breaks at entry {broken}.", err=True)
        raise SystemExit(1)
    click.echo("Every sealed entry is as it was written.")


@main.command(hidden=True)
@click.argument("accounts", type=click.File())
def demo(accounts: IO[str]) -> None:
    """Write the people of the demonstration, unless somebody is there. ACCOUNTS is a JSON file with
    the accounts that the gateway has."""
    from registration import demo_data, demo_tables
    from registration.transaction import Origin

    known = {key: demo_tables.GatewayAccount(**one) for key, one in json.load(accounts).items()}
    with opened() as runtime, runtime.work(Origin(demo_tables.ACTOR)) as work:
        demo_tables.write(work, demo_data.packaged(), known)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8005, show_default=True)
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1, 256), help="Processes."
)
@click.option(
    "--threads",
    default=8,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Threads per process.",
)
@click.option(
    "--stop-seconds",
    default=10,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds to wait for running requests before stopping.",
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True)
@click.option(
    "--metrics-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port for Prometheus: GET /metrics.  [default: none]",
)
def serve(
    host: str,
    port: int,
    workers: int,
    threads: int,
    stop_seconds: int,
    metrics_host: str,
    metrics_port: int,
) -> None:
    """Start the pages and the interface for programs."""
    from service_base import allocator

    allocator.use_one_arena()
    from registration import serving

    with opened() as runtime:
        level = runtime.settings.log_level
    options = serving.Options(
        host, port, workers, threads, stop_seconds, metrics_host, metrics_port
    )
    serving.serve(options, level)


@main.command()
@click.option("--once", is_flag=True, help="Run once, then stop.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between rounds.")
@click.option("--health-host", default="127.0.0.1", show_default=True)
@click.option(
    "--health-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port for GET /healthz, which returns 200 or 503, and GET /metrics for Prometheus.  "
    "[default: none]",
)
def worker(once: bool, interval: float, health_host: str, health_port: int) -> None:
    """Start the worker.

    It pushes accounts to the gateway, sends e-mail and seals the history. Each has its own
    thread."""
    from registration.worker import PARTS, THREADS
    from service_base import allocator, garbage, metrics, tracing
    from service_base.monitoring_port import answering
    from service_base.worker_threads import WorkerThreads, work_through

    allocator.use_one_arena()
    if health_port:
        metrics.enable("registration")
    with opened() as runtime:
        tracing.start("ieso-registration-worker", runtime.engine)
        if once:
            work_through(runtime, PARTS)
            return
        workers = WorkerThreads(runtime, THREADS, interval=interval)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: workers.stop())
        garbage.search_new_objects()
        exposition = metrics.Exposition({"threads": workers.readings})
        probe = (
            answering(health_host, health_port, workers.state, exposition)
            if health_port
            else nullcontext()
        )
        with probe:
            workers.run()
