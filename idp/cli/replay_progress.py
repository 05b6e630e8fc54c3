"""How far a replay is (``file_progress``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from idp.cli import file_progress
from idp.cli.file_progress import Progress

if TYPE_CHECKING:
    from idp.risk_lab.sign_in_log import Reading


@contextmanager
def shown(size: int) -> Iterator[Callable[[Reading], None]]:
    """For the duration of the block, a function that shows how far a log of ``size`` bytes is
    read."""
    with file_progress.shown(size, "Replaying", "rows") as show:
        yield lambda reading: show(
            Progress(reading.size, reading.lines, f"{reading.kept} in the sample", reading.kept)
        )
