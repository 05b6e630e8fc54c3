"""Where the C library of Linux takes the memory of a process from."""

from __future__ import annotations

import os
import sys

#: M_ARENA_MAX of mallopt(3).
_ARENAS = -8


def use_one_arena() -> None:
    """By default, threads get up to eight arenas for each core, and what one of them has freed is
    of no use to the others. Python runs one thread at a time, so one arena makes none wait. Call it
    before there are threads. The variable of the C library decides if it is set."""
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes

    # Other C libraries have no arenas.
    if (choose := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        choose(_ARENAS, 1)
