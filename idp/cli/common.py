"""Shared by the commands: the foundation, units of work, tables and JSON output."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, islice, zip_longest
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from idp.cli import operator

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from idp.foundation import Foundation
    from idp.transaction import Runtime, UnitOfWork

#: The number of rows that determine the column widths.
PAGE = 200
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def choice(values: Iterable[str]) -> click.Choice[str]:
    """A choice of these values. By default, click would use the member names of an enumeration."""
    return click.Choice([str(value) for value in values])


def check_database(engine: Engine) -> None:
    """Raises DatabaseNotReady if the tables are not those of this release. A database that does not
    answer is left to the commands that need it."""
    from sqlalchemy.exc import OperationalError

    from idp import schema_version

    with suppress(OperationalError):
        schema_version.SCHEMA.require(engine)


def connect(*, is_upgrade: bool = False) -> Foundation:
    """What a command needs of the gateway, with the settings of the environment: no pages, no
    endpoints. Its connections are closed with the command. Raises ConfigurationError, and
    DatabaseNotReady unless the command upgrades the database."""
    from idp import foundation
    from idp.settings import Settings

    settings = Settings.from_environ(os.environ)
    base = foundation.connect(settings)
    if not is_upgrade:
        check_database(base.engine)
    click.get_current_context().call_on_close(base.close)
    return base


@contextmanager
def unit_of_work(runtime: Runtime | None = None) -> Iterator[UnitOfWork]:
    """A unit of work, committed at the end, in the name of the shell user or the operator in
    ``--as``."""
    runtime = runtime or connect().runtime
    with runtime.step() as work:
        work.origin = operator.origin(work, actor())
        yield work


def program() -> str:
    """What to type to start ``gateway`` again from the present folder."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m idp.cli"
    on_path = shutil.which(started.name)
    if on_path is not None and Path(on_path).absolute() == started.absolute():
        return started.name
    full, here = started.absolute(), Path.cwd()
    return shlex.quote(str(full.relative_to(here) if full.is_relative_to(here) else full))


def actor() -> str:
    """The shell user, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"


def show_json(value: Any) -> None:
    """Print JSON with times in ISO 8601."""
    click.echo(_json(value))


def show_list(
    columns: Sequence[str], records: Iterable[Mapping[str, Any]], *, as_json: bool, empty: str
) -> None:
    """Print records as a JSON array, or as a table of these columns, while they are read."""
    if as_json:
        _show_array(records)
    else:
        show_table(columns, ([one[c] for c in columns] for one in records), empty=empty)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or a sentence if it is empty.

    Nothing is cut or wrapped, however narrow the terminal, so that values can be copied. The first
    rows determine the column widths; a wider value later shifts its line.
    """
    lines = ([_text(value).split("\n") for value in row] for row in rows)
    first = list(islice(lines, PAGE))
    if not first:
        click.echo(empty)
        return
    head = [[name] for name in columns]
    widths = [
        max(len(line) for cell in cells for line in cell)
        for cells in zip(head, *first, strict=True)
    ]
    for row in chain([head, [["-" * width] for width in widths]], first, lines):
        for parts in zip_longest(*row, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            click.echo("  ".join(padded).rstrip())


def show_record(record: Mapping[str, Any]) -> None:
    """Print one record, one line per field; the values of a list below each other."""
    for name, value in record.items():
        click.echo(f"{name:28} {_text(value)}".replace("\n", f"\n{'':29}").rstrip())


def _show_array(records: Iterable[Mapping[str, Any]]) -> None:
    separator = "["
    for record in records:
        click.echo(f"{separator}\n{indent(_json(record), '  ')}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
