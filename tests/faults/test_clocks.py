"""Clocks that differ or jump (R15, R16, N92). ``libfaketime`` shifts the clock of one process."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.faults.conftest import Figures
from tests.faults.history import History, patience
from tests.faults.installation import Installation
from tests.faults.load import Client
from tests.faults.servers import HOST, missing, wait_for
from tests.live import free_ports
from tests.monitoring import exposed

#: What corrects the sleep of Python there.
SLEEPS = Path(__file__).with_name("shifted_time")


def shifted(seconds: str) -> tuple[str, ...]:
    """What starts a process with another time; its monotonic clock is that of the machine."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("faketime is not installed")
    return ("env", f"LD_PRELOAD={found[0]}", f"FAKETIME={seconds}",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", f"PYTHONPATH={SLEEPS}")  # fmt: skip


@pytest.mark.parametrize(("shift", "accepts"), [("+8s", True), ("+600s", False), ("-600s", False)])
def test_r15_one_process_has_another_time(
    on_sqlite: Installation, shift: str, accepts: bool, figures: Figures
) -> None:
    """R15: a code crosses between processes that differ by seconds, and not if they differ by ten
    minutes, in neither direction: no code lives longer. Each process goes on by itself."""
    on_sqlite.fill(people=1)
    right = on_sqlite.serve(workers=1)
    wrong = on_sqlite.serve(workers=1, prefix=shifted(shift))
    history = History(on_sqlite.folder / "history.jsonl")
    here = Client(0, [right.port], on_sqlite, history)
    there = Client(0, [wrong.port], on_sqlite, history)
    for issuer, redeemer in ((here, there), (there, here)):
        assert issuer.sign_in()
        call = redeemer.redeem(issuer.authorize())
        assert call.is_success is accepts, call
        if not accepts:
            assert call.status == 400
            assert "invalid_grant" in call.body
    assert here.sign_in()
    assert here.redeem(here.authorize()).is_success
    figures(shift=shift, accepted=accepts)


def test_r16_time_jumps_back_by_an_hour(on_sqlite: Installation) -> None:
    """R16, N92: a code and a lock of before do not live an hour longer; what is new works. The
    worker raises an alarm."""
    on_sqlite.fill(people=1)
    before = on_sqlite.serve(workers=1, prefix=shifted("+3600s"))
    history = History(on_sqlite.folder / "history.jsonl")
    client = Client(0, [before.port], on_sqlite, history)
    assert client.new_grant()
    code = client.authorize()
    assert before.stop() == 0
    after = on_sqlite.serve(workers=1)
    client.ports = [after.port]
    assert client.redeem(code).status == 400
    assert client.sign_in()
    assert client.redeem(client.authorize()).is_success
    began = time.monotonic()
    assert client.machine()
    assert time.monotonic() - began < 10 * patience()
    on_sqlite.work()
    wait_for(lambda: alarms(on_sqlite), 60, "the alarm")
    assert alarms(on_sqlite) == [("events_of_the_future",)]


def alarms(installation: Installation) -> list[tuple[str]]:
    """Why the worker raised an alarm about clocks."""
    return installation.rows("SELECT reason FROM event WHERE name = 'alarm.clock'")


@pytest.mark.parametrize("shift", [600, -600])
def test_r15_a_wrong_clock_is_an_alarm(on_postgresql: Installation, shift: int) -> None:
    """R15: of a worker, as an event; of ``gateway serve``, in its metrics, which raise the alert
    ``ClockWrong``."""
    on_postgresql.fill(people=1)
    prefix = shifted(f"{shift:+}s")
    on_postgresql.start("worker", "--interval", "0.2", prefix=prefix)
    port = free_ports(2)
    on_postgresql.start(
        "serve", "--port", str(port), "--workers", "1", "--metrics-port", str(port + 1),
        prefix=prefix,
    )  # fmt: skip

    def difference() -> float:
        with urlopen(f"http://{HOST}:{port + 1}/metrics", timeout=10) as answer:
            found = exposed.samples(answer.read().decode())
        return exposed.value(found, "gateway_clock_difference_seconds")

    wait_for(lambda: abs(difference() - shift) < 10, 60, "the metric")
    wait_for(lambda: alarms(on_postgresql), 60, "the alarm")
    assert alarms(on_postgresql) == [("clock_differs",)]
