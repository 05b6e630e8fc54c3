"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

#: The share of a container (control group version 2): microseconds of time in each period.
SHARE = Path("/sys/fs/cgroup/cpu.max")


def usable(share: Path = SHARE) -> int:
    """The processors of the machine, or fewer where the process or its container may use fewer; at
    least 1."""
    among = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    count = len(among) or os.cpu_count() or 1
    try:
        time, period = share.read_text(encoding="ascii").split()
        # "max": no limit.
        allowed = int(time) // int(period) if time != "max" else count
    except (OSError, ValueError, ZeroDivisionError):
        allowed = count
    return max(1, min(count, allowed))
