"""Processes that are killed while they work (R01, R05; I1 to I7)."""

from __future__ import annotations

import os
import random
import signal
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered, patience, recovered_after
from tests.faults.installation import HOST_HEADER, Installation, Process
from tests.faults.load import MIX, load

WITH_DENIALS = (*MIX, ("suspend", 1))
#: ``gateway serve`` ends when the same process dies twice within six seconds.
BETWEEN_KILLS_OF_ONE = 7.0
#: R05, on an idle machine.
READY_SECONDS = 10.0


def age(pid: int) -> float:
    """Seconds since a process was started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def kill_workers(gateway: Process, history: History, kills: int, pause: float) -> list[float]:
    """SIGKILL for one process after the other, at random among those that ``gateway serve`` may
    lose. Returns when."""
    chooser, found = random.Random(1), []
    first, began = set(gateway.children()), time.monotonic()
    while len(found) < kills:
        time.sleep(pause)
        running = gateway.children()
        old = [pid for pid in running if pid in first or age(pid) > BETWEEN_KILLS_OF_ONE]
        assert time.monotonic() < began + (10 * kills + 60) * patience(), gateway.logged()
        if not old:
            continue
        os.kill(chooser.choice(old), signal.SIGKILL)
        found.append(time.time())
        answered(history, 3)
    return found


def killed_one_after_the_other(
    installation: Installation, figures: Figures, *, kills: int, pause: float, workers: int
) -> None:
    """Load, kills, and what is left of it."""
    installation.fill(victims=kills)
    gateway = installation.serve(workers=workers)
    worker = installation.work()
    with load(installation, [gateway.port], mix=WITH_DENIALS) as history:
        answered(history, 10)
        killed = kill_workers(gateway, history, kills, pause)
        answered(history, 10)
    check(installation, history)
    counts = history.counts()
    # Only what was under way in the killed process has no answer.
    assert counts["unavailable"] == 0, [c for c in history.calls if (c.status or 0) >= 500][:3]
    assert counts["lost"] <= 4 * kills
    longest = max(recovered_after(history, moment) for moment in killed)
    figures(kills=kills, longest=longest, **counts)
    assert gateway.stop() == 0
    assert worker.stop() == 0


@pytest.mark.quick
def test_r01_workers_killed_under_load_on_sqlite(on_sqlite: Installation, figures: Figures) -> None:
    """R01, I1 to I7: two kills; the others answer, and no code is redeemed twice."""
    killed_one_after_the_other(on_sqlite, figures, kills=2, pause=0.5, workers=3)


def test_r01_workers_killed_under_load(on_postgresql: Installation, figures: Figures) -> None:
    """R01, I1 to I7: one of four processes every two seconds for a minute."""
    killed_one_after_the_other(on_postgresql, figures, kills=25, pause=2.0, workers=4)


def everything_killed(installation: Installation, figures: Figures, times: int) -> None:
    """All processes at once, so many times, and what is left."""
    installation.fill(victims=4)
    gateway, worker = installation.serve(), installation.work()
    keys = keys_of(gateway.port)
    ready = []
    with load(installation, [gateway.port], mix=WITH_DENIALS) as history:
        for _ in range(times):
            answered(history, 15)
            gateway.kill()
            worker.kill()
            began = time.monotonic()
            gateway = installation.serve(port=gateway.port)
            ready.append(time.monotonic() - began)
            assert ready[-1] < READY_SECONDS * patience()
            worker = installation.work()
            assert keys_of(gateway.port) == keys
        answered(history, 15)
    check(installation, history)
    figures(kills=times, ready=max(ready), **history.counts())


def keys_of(port: int) -> bytes:
    """The JWKS, byte for byte."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/oauth2/v1/keys", headers={"Host": HOST_HEADER})
    body = connection.getresponse().read()
    connection.close()
    return body


def test_r05_everything_killed_on_sqlite(on_sqlite: Installation, figures: Figures) -> None:
    """R05, I1 to I7: gateway and worker killed at once; sessions, tokens and keys survive."""
    everything_killed(on_sqlite, figures, 1)


def test_r05_everything_killed(on_postgresql: Installation, figures: Figures) -> None:
    """R05, I1 to I7: five times; ready within ten seconds, the keys byte for byte the same."""
    everything_killed(on_postgresql, figures, 5)
