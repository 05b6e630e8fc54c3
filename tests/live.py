"""The demo as a process, for tests that need a running gateway."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

START_SECONDS = 240
#: Variables of the settings.
OURS = ("IDP_", "REGISTRATION_")


@contextmanager
def start_demo(data: Path, port: int | None = None) -> Iterator[dict[str, Any]]:
    """Start ``gateway demo`` in ``data``; yields what demo.json says, and the
    ``folder``, and stops it afterwards."""
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
        yield _description(process, data / "demo.json", log) | {"folder": str(data)}
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
    """The first of ``count`` ports in a row that nobody uses. No other caller gets them, in this
    process or in another one of this user, for as long as this process runs."""
    for first in range(18000, EPHEMERAL_PORTS - count):
        ports = range(first, first + count)
        if _given.isdisjoint(ports) and all(map(_is_free, ports)) and _claim(first, count):
            _given.update(ports)
            return first
    raise AssertionError("no free ports")


#: Where the ports begin that the system gives to outgoing connections (Linux).
EPHEMERAL_PORTS = 32768
_given: set[int] = set()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _claim(first: int, count: int) -> bool:
    """Lock one byte for each port in a file that all test processes share."""
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
    except OSError:
        return False
    return True


@cache
def _claims() -> IO[bytes]:
    """Kept open: closing it would release the locks."""
    return Path(tempfile.gettempdir(), f"gateway-test-ports-{os.getuid()}").open("ab")
