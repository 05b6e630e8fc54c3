"""A secret is changed while others go on (docs/operations.md, Runbooks)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.test_runbooks import RUNBOOKS
from tests.faults.balancer import PASSED_OVER, nginx_before
from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered
from tests.faults.installation import Installation, Process
from tests.faults.load import load

FILES = {"IDP_SECRET_KEY": "secret_key", "IDP_KEY_ENCRYPTION_KEYS": "key_encryption_keys"}


@dataclass
class OneOfTwo:
    """A host of the runbook: its files, its gateway and its worker."""

    installation: Installation
    etc: Path
    running: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.etc / "secrets").mkdir(parents=True)
        (self.etc / "gateway.env").touch()
        for name, file in FILES.items():
            (self.etc / "secrets" / file).write_text(self.installation.settings[name])
        self.start()

    def environ(self) -> dict[str, str]:
        lines = (self.etc / "gateway.env").read_text().splitlines()
        secrets = {
            name: (self.etc / "secrets" / file).read_text().strip() for name, file in FILES.items()
        }
        return secrets | dict(line.split("=", 1) for line in lines)

    def start(self, port: int = 0) -> None:
        environ = self.environ()
        made = self.installation
        self.running = [made.serve(workers=1, port=port, **environ), made.work(**environ)]

    def type(self, lines: list[str]) -> str:
        """Run a block; the line of systemd starts the processes again. Returns what the commands
        of ``gateway`` printed."""
        said = ""
        for line in lines:
            if line.startswith("gateway "):
                said += self.installation.run(*line.split()[1:], **self.environ())
                continue
            if line.startswith("systemctl restart"):
                assert [process.stop() for process in self.running] == [0, 0]
                self.start(self.running[0].port)
                continue
            environ = os.environ | {"ETC": str(self.etc)}
            subprocess.run(["sh", "-ec", line], check=True, env=environ)
        return said


def test_the_secret_key_of_two_hosts_is_changed_under_load(
    on_postgresql: Installation, tmp_path: Path, figures: Figures
) -> None:
    """By the runbook, from its text: nothing fails, and nothing that one process made is refused by
    the other."""
    make, accept, use = RUNBOOKS["Change the secret key of several hosts"]
    former = on_postgresql.settings["IDP_SECRET_KEY"]
    with two_hosts(on_postgresql, tmp_path) as (hosts, history):
        hand_over(hosts, make)
        for block in (accept, use):
            one_after_the_other(hosts, history, block)
    assert on_postgresql.settings["IDP_SECRET_KEY_FALLBACKS"] == former
    assert on_postgresql.settings["IDP_SECRET_KEY"] != former
    figures(restarts=4, **history.counts())


def test_the_encryption_key_of_two_hosts_is_changed_under_load(
    on_postgresql: Installation, tmp_path: Path, figures: Figures
) -> None:
    """By the runbook, from its text: nothing fails, and in the end nothing needs the former key.
    Values are encrypted again while requests and the worker write and read them."""
    make, accept, use, again, remove = RUNBOOKS["Change the encryption key of several hosts"]
    former = on_postgresql.settings["IDP_KEY_ENCRYPTION_KEYS"]
    with two_hosts(on_postgresql, tmp_path) as (hosts, history):
        hand_over(hosts, make)
        for block in (accept, use):
            one_after_the_other(hosts, history, block)
        assert "Dry run: 0 values would be encrypted again." in hosts[0].type(again)
        one_after_the_other(hosts, history, remove)
    assert former not in on_postgresql.settings["IDP_KEY_ENCRYPTION_KEYS"]
    figures(restarts=6, **history.counts())


@contextmanager
def two_hosts(installation: Installation, folder: Path) -> Iterator[tuple[list[OneOfTwo], History]]:
    """Two hosts behind nginx, under load. Afterwards their settings are the same, no request has
    failed, and what the load was told is in the database."""
    installation.fill()
    hosts = [OneOfTwo(installation, folder / name) for name in ("first", "second")]
    with (
        nginx_before(folder, [host.running[0].address for host in hosts]) as address,
        load(installation, [address], clients=4, pause=0.1) as history,
    ):
        answered(history, 15)
        yield hosts, history
    installation.settings |= hosts[0].environ()
    assert hosts[1].environ() == hosts[0].environ()
    check(installation, history)
    assert [call for call in history.calls if not call.is_success] == []


def hand_over(hosts: list[OneOfTwo], make: list[str]) -> None:
    """Make the value on one host and copy it to the other one."""
    hosts[0].type(make)
    shutil.copy(hosts[0].etc / "secrets" / "next", hosts[1].etc / "secrets" / "next")


def one_after_the_other(hosts: list[OneOfTwo], history: History, block: list[str]) -> None:
    """Type the block on each host while the other one serves."""
    for host in hosts:
        host.type(block)
        # nginx takes it into use again.
        time.sleep(PASSED_OVER)
        answered(history, 15)
