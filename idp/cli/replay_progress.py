"""How far a replay is, on standard error: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from idp.risk_lab.sign_in_log import Reading

#: Seconds between two lines.
INTERVAL = 30


@contextmanager
def shown(size: int) -> Iterator[Callable[[Reading], None]]:
    """For the duration of the block, a function that shows how far a log of ``size`` bytes is
    read."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console, size) as show:
            yield show
    else:
        yield _Lines(size).show


@contextmanager
def _bar(console: Console, size: int) -> Iterator[Callable[[Reading], None]]:
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("Replaying"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rows]} rows"),
        console=console,
    ) as progress:
        task = progress.add_task("", total=size, rows=0)
        yield lambda reading: progress.update(task, completed=reading.size, rows=reading.lines)


class _Lines:
    def __init__(self, size: int) -> None:
        self._size = size
        self._begun = self._last = time.monotonic()

    def show(self, reading: Reading) -> None:
        now = time.monotonic()
        if now - self._last < INTERVAL:
            return
        self._last = now
        click.echo(
            f"{reading.size / self._size:.1%}, {reading.lines} rows, {reading.kept} in the sample,"
            f" {reading.kept / (now - self._begun):.0f} of them a second",
            err=True,
        )
