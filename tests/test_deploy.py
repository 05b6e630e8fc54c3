"""What is shipped in ``deploy/``: units, and proxies as they are configured there (N88)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from idp.cli.main import main
from idp.settings import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def needed(program: str) -> str:
    """The path of a program of this machine; in CI it must be there."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{program} is missing")
        pytest.skip(f"no {program}")
    return found


def test_systemd_reads_the_units_without_a_complaint(tmp_path: Path) -> None:
    """Read by systemd itself; only the program is another one, since nothing is installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd on this machine")
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("/opt/gateway/bin/gateway", "/bin/true"))
        copies.append(str(copy))
    checked = subprocess.run([analyze, "verify", *copies], capture_output=True, text=True)
    ours = [line for line in checked.stderr.splitlines() if "ieso-gateway" in line]
    assert (checked.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_start_again_and_name_what_there_is(unit: Path) -> None:
    """Whatever ends the process, it is started again; the command line and the settings exist."""
    text = unit.read_text()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(text.splitlines())
    started = re.search(r"^ExecStart=/opt/gateway/bin/gateway (.+)$", text, re.MULTILINE)
    assert started
    name, *arguments = shlex.split(started[1])
    main.commands[name].make_context(name, arguments)
    known = {f"IDP_{field.upper()}_FILE" for field in Settings.__dataclass_fields__}
    assert set(re.findall(r"IDP_\w+_FILE", text)) <= known


def test_both_processes_are_there() -> None:
    """A web process and a worker."""
    assert [unit.name for unit in UNITS] == ["ieso-gateway-worker.service", "ieso-gateway.service"]
