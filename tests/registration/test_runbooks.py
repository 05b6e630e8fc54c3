"""Each runbook of Registration is run from its own text, and what it promises holds."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select

from registration import account_pushes, history
from registration.cli import main
from registration.models import AccessRole, Account, ContactRole, Market, Push
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Origin, Runtime
from registration.worker import PARTS
from service_base.worker_threads import work_through
from tests.fakes import FakeClock, FakeMailer
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW
from tests.registration.test_pushes import ordered

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (
    (ROOT / "docs/operations.md").read_text().split("\n## Runbooks of Registration\n")[1]
).split("\n## ")[0]
#: The blocks of each runbook, as lists of lines.
RUNBOOKS = {
    part.splitlines()[0]: [
        block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
    ]
    for part in CHAPTER.split("\n### ")[1:]
}
NAMES = ("database_url", "secret_key", "push_key")


@dataclass
class Desk:
    """Types what the document says, in an installation with its settings in files."""

    etc: Path
    ports: Ports
    database: Path

    def environ(self) -> dict[str, str]:
        """As ``deploy/systemd/run-registration`` gives it to a command."""
        lines = (self.etc / "registration.env").read_text().splitlines()
        files = {
            f"REGISTRATION_{name.upper()}_FILE": str(self.etc / "secrets" / f"registration_{name}")
            for name in NAMES
        }
        return dict(line.split("=", 1) for line in lines) | files

    def type(self, lines: list[str], *codes: int) -> list[str]:
        """Run the lines of a block; the commands of ``registration`` end with these codes, or 0.
        Returns what they printed. A new runtime takes the place of the units."""
        printed: list[str] = []
        for line in lines:
            if line.startswith("systemctl "):
                continue
            if not line.startswith("registration "):
                environ = os.environ | {"ETC": str(self.etc), "DATABASE": str(self.database)}
                subprocess.run(["sh", "-ec", line], check=True, env=environ)
                continue
            done = CliRunner(env=self.environ()).invoke(main, shlex.split(line)[1:])
            assert done.exit_code == (codes[len(printed)] if codes else 0), (line, done.output)
            printed.append(done.output)
        return printed

    def runtime(self) -> Runtime:
        return Runtime.of(Settings.from_environ(self.environ()), self.ports)

    def work(self) -> None:
        """What the worker does until nothing is left."""
        runtime = self.runtime()
        while work_through(runtime, {name: PARTS[name] for name in ("pushes", "history")}):
            pass
        runtime.close()


@pytest.fixture
def desk(bridge: FakeBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Somebody has a role, and the gateway knows it."""
    clock = FakeClock()
    clock.moment = NOW
    ports = Ports(clock, FakeMailer(), bridge)
    monkeypatch.setattr(Ports, "of", lambda _settings: ports)
    made = Desk(tmp_path / "etc", ports, tmp_path / "registration.db")
    (made.etc / "secrets").mkdir(parents=True)
    (made.etc / "registration.env").write_text("REGISTRATION_LOG_LEVEL=ERROR\n")
    values = (f"sqlite:///{made.database}", "registration-secret-of-the-tests-0001", "")
    for name, value in zip(NAMES, values, strict=True):
        (made.etc / "secrets" / f"registration_{name}").write_text(value)
    monkeypatch.chdir(tmp_path)
    made.type(["registration db upgrade"])
    runtime = made.runtime()
    with runtime.work() as work:
        # Somebody brings a small catalogue along.
        for table in (AccessRole, ContactRole, Market):
            work.db.execute(delete(table))
    ordered(runtime)
    runtime.close()
    made.work()
    clock.advance(3600)
    return made


def change(desk: Desk) -> None:
    """Somebody orders a change of the account."""
    runtime = desk.runtime()
    with runtime.work(Origin("test")) as work:
        account = work.db.scalars(select(Account)).one()
        assert account.person is not None
        account.person.first_name = "Mimi"
        account_pushes.queue(work, account)
        history.record(work, "person.updated", person=account.person)
    runtime.close()


def waiting(desk: Desk) -> int:
    runtime = desk.runtime()
    with runtime.work() as work:
        found = len(work.db.scalars(select(Push).where(Push.state == "queued")).all())
    runtime.close()
    return found


def test_every_runbook_is_run() -> None:
    source = Path(__file__).read_text()
    assert len(RUNBOOKS) >= 3
    assert [title for title in RUNBOOKS if f'RUNBOOKS["{title}"]' not in source] == []
    assert CHAPTER.count("```") == 2 * sum(len(blocks) for blocks in RUNBOOKS.values())


def test_pr07_a_backup_is_restored(desk: Desk, bridge: FakeBridge) -> None:
    """PR-07: the gateway has what the backup says, and takes the pushes that follow."""
    back_up, put_in_place, go_on = RUNBOOKS["Back up and restore Registration"]
    desk.type(back_up)
    change(desk)
    desk.work()
    (user,) = bridge.kept.values()
    assert user["name"]["givenName"] == "Mimi"
    desk.type(put_in_place)
    desk.type(go_on[:-1])
    desk.work()
    desk.ports.clock.advance(60)  # type: ignore[attr-defined]
    assert ", 0 differences" in desk.type(go_on[-1:])[0]
    (user,) = bridge.kept.values()
    assert user["name"]["givenName"] == "Marie"


def test_changed_secrets_end_nothing(desk: Desk) -> None:
    """Seals of before verify; the new keys are in use."""
    key, make, use = RUNBOOKS["Change the secrets of Registration"]
    before = Settings.from_environ(desk.environ())
    (verified,) = desk.type(key)
    assert verified == "Every sealed entry is as it was written.\n"
    desk.type(make)
    desk.type(use)
    after = Settings.from_environ(desk.environ())
    assert after.secret_key != before.secret_key
    assert after.secret_key_fallbacks == (before.secret_key,)
    assert after.push_key.startswith("-----BEGIN PRIVATE KEY-----")
    public = (desk.etc / "secrets" / "registration_push_key.pub").read_text()
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    change(desk)
    desk.work()
    assert desk.type(["registration history verify"]) == [verified]


def test_ar06_a_gateway_that_takes_no_pushes(desk: Desk, bridge: FakeBridge) -> None:
    """AR-06: what was ordered waits, and is sent when the gateway is back."""
    look, back = RUNBOOKS["The gateway takes no pushes"]
    bridge.is_away = True
    change(desk)
    desk.work()
    assert desk.type(look, 1) == ["Error: the gateway: no answer\n"]
    assert waiting(desk) == 1
    bridge.is_away = False
    desk.ports.clock.advance(600)  # type: ignore[attr-defined]
    _, compared = desk.type(back)
    assert ", 0 differences" in compared
    assert waiting(desk) == 0
    (user,) = bridge.kept.values()
    assert user["name"]["givenName"] == "Mimi"
