"""Clocks that differ or jump (R15, R16, N92). ``libfaketime`` shifts the clock of one process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.conftest import Figures
from tests.faults.history import History
from tests.faults.installation import Installation
from tests.faults.load import Client
from tests.faults.servers import missing


def shifted(seconds: str) -> tuple[str, ...]:
    """What starts a process with another time; its monotonic clock is that of the machine."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("faketime is not installed")
    return ("env", f"LD_PRELOAD={found[0]}", f"FAKETIME={seconds}",
            "FAKETIME_DONT_FAKE_MONOTONIC=1")  # fmt: skip


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
    """R16, N92: a code and a lock of before do not live an hour longer; what is new works."""
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
    assert time.monotonic() - began < 10
