"""How far a file is read, on standard error: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines.
INTERVAL = 30


@dataclass(frozen=True)
class Progress:
    """The bytes and the lines that are read; words about some of the lines, and their number, if it
    is the rate of these that counts."""

    size: int
    lines: int
    words: str = ""
    counted: int | None = None


@contextmanager
def shown(size: int | None, doing: str, unit: str) -> Iterator[Callable[[Progress], None]]:
    """For the duration of the block, a function that shows how far a file of ``size`` bytes, or of
    unknown size, is read. ``unit`` is what its lines are called."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console, size, doing, unit) as show:
            yield show
    else:
        yield _Lines(size, unit).show


@contextmanager
def _bar(
    console: Console, size: int | None, doing: str, unit: str
) -> Iterator[Callable[[Progress], None]]:
    from rich import progress as bars

    with bars.Progress(
        bars.TextColumn(doing),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn(f"{{task.fields[lines]}} {unit}"),
        console=console,
    ) as bar:
        task = bar.add_task("", total=size, lines=0)
        yield lambda found: bar.update(task, completed=found.size, lines=found.lines)


class _Lines:
    def __init__(self, size: int | None, unit: str) -> None:
        self._size, self._unit = size, unit
        self._begun = self._last = time.monotonic()

    def show(self, found: Progress) -> None:
        now = time.monotonic()
        if now - self._last < INTERVAL:
            return
        self._last = now
        seconds = now - self._begun
        parts = [f"{found.size / self._size:.1%}"] if self._size else []
        parts.append(f"{found.lines} {self._unit}")
        if found.counted is None:
            parts.append(f"{found.lines / seconds:.0f} a second")
        else:
            parts += [found.words, f"{found.counted / seconds:.0f} of them a second"]
        click.echo(", ".join(parts), err=True)
