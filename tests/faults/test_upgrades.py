"""Upgrades that are interrupted (R17)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.faults.conftest import Figures
from tests.faults.installation import ROOT, Installation, settings_of
from tests.faults.load import MIX
from tests.faults.servers import OwnPostgreSQL

WITH_DENIALS = (*MIX, ("suspend", 1))


def killed_upgrade(installation: Installation, after: float) -> bool:
    """``gateway db upgrade``, killed after so many seconds; whether it was still at work."""
    made = subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "db", "upgrade"], cwd=ROOT, env=installation.environ(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        made.wait(after)
    except subprocess.TimeoutExpired:
        made.kill()
        made.wait(20)
        return True
    return False


def upgraded_at_last(installation: Installation, kills: int) -> int:
    """Kill the upgrade at later and later moments, then let it finish; how often it was killed."""
    killed = 0
    for turn in range(kills):
        killed += killed_upgrade(installation, 0.5 + 0.25 * turn)
    installation.run("db", "upgrade")
    return killed


def test_r17_an_upgrade_killed_on_sqlite(tmp_path: Path, figures: Figures) -> None:
    """R17: the upgrade is one transaction; the next one does it all."""
    made = Installation(tmp_path, settings_of(f"sqlite:///{tmp_path}/gateway.db"))
    killed = upgraded_at_last(made, 6)
    assert killed > 0
    made.fill(people=1)
    assert made.rows("PRAGMA integrity_check") == [("ok",)]
    figures(killed=killed)


def test_r17_an_upgrade_killed_on_postgresql(
    postgresql: OwnPostgreSQL, tmp_path: Path, figures: Figures
) -> None:
    """R17: each step is a transaction; the next upgrade goes on where the last one was killed."""
    postgresql.execute("CREATE DATABASE killed_upgrade")
    made = Installation(tmp_path, settings_of(postgresql.url("killed_upgrade")))
    killed = upgraded_at_last(made, 8)
    assert killed > 0
    made.fill(people=1)
    postgresql.execute("DROP DATABASE killed_upgrade WITH (FORCE)")
    figures(killed=killed)
