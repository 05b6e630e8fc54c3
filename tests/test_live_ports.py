"""Ports of the servers that tests start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.live import free_ports

ROOT = Path(__file__).parent.parent


def test_no_port_is_given_twice() -> None:
    """Neither in this process nor in another one, although no server listens on it yet."""
    rows = [free_ports(3), free_ports(2)]
    with subprocess.Popen(
        [sys.executable, "-c", "from tests.live import free_ports; print(free_ports(3)); input()"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        theirs = int(process.stdout.readline())
        process.communicate(b"\n")
    ours = {*range(rows[0], rows[0] + 3), *range(rows[1], rows[1] + 2)}
    assert len(ours) == 5
    assert ours.isdisjoint(range(theirs, theirs + 3))
