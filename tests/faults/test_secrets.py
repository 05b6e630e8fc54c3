"""A secret is changed while others go on (docs/operations.md, Runbooks)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.test_runbooks import RUNBOOKS
from tests.faults.balancer import PASSED_OVER, nginx_before
from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import answered
from tests.faults.installation import Installation, Process
from tests.faults.load import load


@dataclass
class OneOfTwo:
    """A host of the runbook: its files, its gateway and its worker."""

    installation: Installation
    etc: Path
    running: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.etc / "secrets").mkdir(parents=True)
        (self.etc / "gateway.env").touch()
        secret = self.installation.settings["IDP_SECRET_KEY"]
        (self.etc / "secrets" / "secret_key").write_text(secret)
        self.start()

    def environ(self) -> dict[str, str]:
        lines = (self.etc / "gateway.env").read_text().splitlines()
        secret = (self.etc / "secrets" / "secret_key").read_text().strip()
        return {"IDP_SECRET_KEY": secret} | dict(line.split("=", 1) for line in lines)

    def start(self, port: int = 0) -> None:
        environ = self.environ()
        made = self.installation
        self.running = [made.serve(workers=1, port=port, **environ), made.work(**environ)]

    def type(self, lines: list[str]) -> None:
        """Run a block; the line of systemd starts the processes again."""
        for line in lines:
            if line.startswith("systemctl restart"):
                assert [process.stop() for process in self.running] == [0, 0]
                self.start(self.running[0].port)
                continue
            environ = os.environ | {"ETC": str(self.etc)}
            subprocess.run(["sh", "-ec", line], check=True, env=environ)


def test_the_secret_key_of_two_hosts_is_changed_under_load(
    on_postgresql: Installation, tmp_path: Path, figures: Figures
) -> None:
    """By the runbook, from its text: nothing fails, and nothing that one process made is refused by
    the other."""
    make, accept, use = RUNBOOKS["Change the secret key of several hosts"]
    on_postgresql.fill()
    hosts = [OneOfTwo(on_postgresql, tmp_path / name) for name in ("first", "second")]
    former = on_postgresql.settings["IDP_SECRET_KEY"]
    with (
        nginx_before(tmp_path, [host.running[0].address for host in hosts]) as address,
        load(on_postgresql, [address], clients=4, pause=0.1) as history,
    ):
        answered(history, 15)
        hosts[0].type(make)
        shutil.copy(hosts[0].etc / "secrets" / "next", hosts[1].etc / "secrets" / "next")
        for block in (accept, use):
            for host in hosts:
                host.type(block)
                # nginx takes it into use again.
                time.sleep(PASSED_OVER)
                answered(history, 15)
    on_postgresql.settings |= hosts[0].environ()
    assert hosts[1].environ() == hosts[0].environ()
    assert on_postgresql.settings["IDP_SECRET_KEY_FALLBACKS"] == former
    assert on_postgresql.settings["IDP_SECRET_KEY"] != former
    check(on_postgresql, history)
    assert [call for call in history.calls if not call.is_success] == []
    figures(restarts=4, **history.counts())
