"""The demo as a process, for tests that need a running gateway."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 240
#: Variables of the settings.
OURS = ("IDP_", "REGISTRATION_")


@contextmanager
def start_demo(data: Path, port: int | None = None) -> Iterator[dict[str, Any]]:
    """Start ``gateway demo`` in ``data``; yields what demo.json says, and stops it afterwards."""
    port = port or free_ports(6)
    log = data / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "idp.cli", "demo", "--port", str(port), "--data", str(data)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={
                k: v for k, v in os.environ.items() if not k.startswith(("IDP_", "REGISTRATION_"))
            },
        )
    try:
        yield _description(process, data / "demo.json", log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 0, log.read_text()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _description(process: subprocess.Popen[bytes], path: Path, log: Path) -> dict[str, Any]:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"the demo stopped:\n{log.read_text()}")
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.2)
    raise AssertionError(f"the demo does not start:\n{log.read_text()}")


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that are free now."""
    for first in range(18000 + os.getpid() % 1000 * 8, 60000, count):
        if all(map(_is_free, range(first, first + count))):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
