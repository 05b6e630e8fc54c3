"""What the commands share: an application, a unit of work, tables and JSON."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from flask import Flask
from rich.console import Console
from rich.table import Table

from idp.app import create_app
from idp.cli import operator
from idp.db import db
from idp.settings import Settings
from idp.transaction import Means, Work, committing

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def application() -> Flask:
    """The application of the environment's settings; its connections close with the command.
    Raises ConfigurationError."""
    app = create_app(Settings.from_environ(os.environ))

    def close() -> None:
        with app.app_context():
            db.engine.dispose()

    click.get_current_context().call_on_close(close)
    return app


@contextmanager
def unit(app: Flask | None = None) -> Iterator[Work]:
    """One committed unit of work in the name of whoever runs the command, or of the operator whom
    ``--as`` names."""
    app = app or application()
    with app.app_context():
        means: Means = app.extensions["means"]
        with committing(means.work()) as work:
            work.origin = operator.origin(work, actor())
            yield work


def actor() -> str:
    """Who is at the keyboard, for the trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"


def show_json(value: Any) -> None:
    """JSON with times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=_plain))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table for people, or a sentence when there is nothing."""
    table = Table(*columns)
    count = 0
    for row in rows:
        table.add_row(*(_text(value) for value in row))
        count += 1
    if count:
        Console(soft_wrap=True).print(table)
    else:
        click.echo(empty)


def show_record(record: dict[str, Any]) -> None:
    """One thing, a line for each of its parts."""
    for name, value in record.items():
        click.echo(f"{name:28} {_text(value)}")


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
