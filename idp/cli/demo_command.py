"""``gateway demo``: everything on one machine, with demo accounts."""

from __future__ import annotations

import shlex
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import program, show_table, unit_of_work
from idp.cli.database_commands import upgrade_database
from idp.errors import ServiceError

if TYPE_CHECKING:
    from idp.demo.home import Home
    from idp.demo.processes import Processes
    from idp.transaction import Runtime


@click.command()
@click.option(
    "--port",
    default=8000,
    show_default=True,
    help="Port of the gateway. The applications use the next five ports.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-data"),
    show_default=True,
    help="Folder for the database, the secrets and demo.json.",
)
@click.option("--reset", is_flag=True, help="Delete the data of the previous demo.")
@click.option(
    "--accounts",
    default=0,
    type=click.IntRange(0, 5_000_000),
    help="Number of people to create.",
)
@click.option("--database", default="", help="PostgreSQL URL. A SQLite file if omitted.")
@click.option("--only-data", is_flag=True, help="Create the data without starting any service.")
@click.option(
    "--conformance",
    metavar="URL",
    default="",
    help="Create clients and a person for the conformance suite of the OpenID Foundation, and start"
    " the gateway and its worker only. URL is the https address of a proxy to the gateway.",
)
@click.option(
    "--suite",
    metavar="URL",
    default="https://localhost:8443",
    show_default=True,
    help="Address of the conformance suite.",
)
@click.option(
    "--suite-ca",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="PEM file with the certificate of the suite, for back-channel logouts.",
)
@click.option(
    "--mtls-url",
    metavar="URL",
    default="",
    help="With --conformance, for clients with certificates: the https address of a proxy that asks"
    " for them.",
)
def demo(
    port: int,
    data: Path,
    reset: bool,
    accounts: int,
    database: str,
    only_data: bool,
    conformance: str,
    suite: str,
    suite_ca: str | None,
    mtls_url: str,
) -> None:
    """Start the gateway, its worker, four applications and registration with demo accounts.

    Press Ctrl-C to stop. The data is kept for the next start."""
    from idp import foundation
    from idp.demo import conformance_part, registration_part
    from idp.demo.home import Home
    from idp.demo.processes import Processes
    from idp.demo.seed import seed

    addresses = conformance.rstrip("/"), suite_ca or "", mtls_url.rstrip("/")
    home = Home(data, port, database, *addresses)
    home.prepare(reset=reset)
    click.echo("Preparing the database ...")
    base = foundation.connect(home.settings())
    upgrade_database(base)
    click.echo("Creating people and applications, unless they are there ...")
    seed(base.runtime, base.hasher, home)
    _add_crowd(base.runtime, accounts)
    if conformance:
        conformance_part.prepare(base.runtime, base.hasher, home, suite.rstrip("/"))
    else:
        registration_part.prepare(base.runtime, home)
    base.close()
    if only_data:
        click.echo(f"The data is in {home.folder}. To use it:")
        click.echo(f"  . {shlex.quote(str(home.write_environment()))}")
        click.echo(f"  {program()} --help")
        return
    processes = Processes(home)
    _run(processes, home)
    click.echo("\nStopped. Start the demo again to continue with the same data.")


def _run(processes: Processes, home: Home) -> None:
    """Start the processes and wait for a signal. Raises ServiceError if one of them ends."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        if home.public:
            click.echo("Starting the gateway and its worker ...")
            processes.start_gateway()
            click.echo(f"Gateway              {home.issuer}")
            click.echo(f"For conformance/run  {home.folder / 'conformance.json'}")
        else:
            _start_all(processes, home)
        while not stop.wait(0.5):
            if name_of_dead := processes.dead():
                raise ServiceError(f"{name_of_dead} stopped unexpectedly")
    finally:
        processes.stop()


def _start_all(processes: Processes, home: Home) -> None:
    from idp.demo import registration_part
    from idp.demo.home import write_private

    click.echo("Starting the gateway, its worker and the applications ...")
    processes.start()
    known = home.describe() | {"registration": registration_part.describe(home)}
    write_private(home.folder / "demo.json", known)
    welcome(home)


def _add_crowd(runtime: Runtime, wanted: int) -> None:
    """Add the missing people and report progress."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from idp.demo import crowd

    with unit_of_work(runtime) as work:
        count = crowd.missing(work, wanted)
        if not count:
            return
        with Progress(
            TextColumn("Creating accounts"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as progress:
            task = progress.add_task("", total=count)
            crowd.add(work, count, lambda done: progress.advance(task, done))


def welcome(home: Home) -> None:
    """Print addresses, people, and how to administer it."""
    from idp.demo import registration_part
    from idp.demo.people import FIGURES

    known = home.describe()
    click.echo(f"\nGuided tour          {home.issuer}/demo/tour (start here)")
    click.echo(f"Gateway              {home.issuer}")
    operators = ", ".join(figure.username for figure in FIGURES if figure.is_operator)
    click.echo(f"Console              {home.issuer}/console (for {operators})")
    click.echo(f"Outbox               {home.issuer}/demo/outbox (e-mails and verification codes)")
    for app in known["relying_parties"]:
        click.echo(f"{app['name']:20} {app['url']}")
    show_table(
        ("who", "user name", "password", "participants"),
        (
            (
                p["role"].replace("_", " "),
                p["username"],
                p["password"],
                ", ".join(p["participants"]),
            )
            for p in known["people"]
        ),
        empty="",
    )
    _welcome_registration(registration_part.describe(home))
    click.echo(f"Pending activation: {known['pending']['username']}")
    click.echo(f"  {known['pending']['activation_url']}")
    click.echo("To administer the gateway, in another terminal:")
    click.echo(f"  . {shlex.quote(str(home.write_environment()))}")
    click.echo(f"  {program()} --help")
    click.echo("Press Ctrl-C to stop.")


def _welcome_registration(known: dict[str, Any]) -> None:
    click.echo(f"Registration         {known['url']}")
    show_table(
        ("tier", "user name", "password", "organizations"),
        (
            (p["tier"], p["username"], p["password"], ", ".join(p["organizations"]))
            for p in known["people"]
        ),
        empty="",
    )
