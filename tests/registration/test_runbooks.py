"""Each runbook of Registration is run from its own text, and what it promises holds."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select

from idp.cli import main as gateway_main
from idp.credentials.assertions import public_key
from idp.directory import participants
from idp.policy.console import ConsoleRole
from registration import account_pushes, history, organization_pushes
from registration.cli import main
from registration.models import AccessRole, Account, ContactRole, Market, Organization, Push
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Origin, Runtime
from registration.worker import PARTS
from service_base.worker_threads import work_through
from tests.fakes import FakeClock, FakeMailer
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW
from tests.registration.test_pushes import ordered
from tests.scim.test_client import MAKERS, connect, pem, public, registered
from tests.world import World

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
NAMES = ("database_url", "secret_key", "push_key", "client_secret")
PROGRAMS: dict[str, click.Command] = {"registration": main, "gateway": gateway_main}


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

    def type(self, lines: list[str], *codes: int, **names: str) -> list[str]:
        """Run the lines of a block, with names instead of words in capitals; the commands of
        ``registration`` and ``gateway`` end with these codes, or 0. Returns what they printed. A
        new runtime takes the place of the units."""
        printed: list[str] = []
        for line in lines:
            command, _, piped = line.partition(" | ")
            program = PROGRAMS.get(command.split()[0])
            if program is None:
                self._shell(line)
                continue
            words = [names.get(word, word) for word in shlex.split(command)[1:]]
            words = [word.replace("$ETC", str(self.etc)) for word in words]
            done = CliRunner(env=self.environ()).invoke(program, words)
            assert done.exit_code == (codes[len(printed)] if codes else 0), (line, done.output)
            printed.append(done.output)
            if piped:
                self._shell(piped, done.stdout)
        return printed

    def _shell(self, line: str, given: str = "") -> None:
        if line.startswith("systemctl "):
            return
        environ = os.environ | {"ETC": str(self.etc), "DATABASE": str(self.database)}
        subprocess.run(["sh", "-ec", line], check=True, env=environ, input=given, text=True)

    def runtime(self) -> Runtime:
        settings = Settings.from_environ(self.environ())
        return Runtime.of(settings, Ports.of(settings))

    def work(self) -> None:
        """What the worker does until nothing is left."""
        runtime = self.runtime()
        while work_through(runtime, {name: PARTS[name] for name in ("pushes", "history")}):
            pass
        runtime.close()


def installed(folder: Path, ports: Ports, push_key: str = "", client_secret: str = "") -> Desk:
    """An installation with an empty database."""
    made = Desk(folder / "etc", ports, folder / "registration.db")
    (made.etc / "secrets").mkdir(parents=True)
    (made.etc / "registration.env").write_text("REGISTRATION_LOG_LEVEL=ERROR\n")
    url = f"sqlite:///{made.database}"
    values = (url, "registration-secret-of-the-tests-0001", push_key, client_secret)
    for name, value in zip(NAMES, values, strict=True):
        (made.etc / "secrets" / f"registration_{name}").write_text(value)
    made.type(["registration db upgrade"])
    return made


@pytest.fixture
def desk(bridge: FakeBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Somebody has a role, and the gateway knows it."""
    clock = FakeClock()
    clock.moment = NOW
    ports = Ports(clock, FakeMailer(), bridge)
    monkeypatch.setattr(Ports, "of", lambda _settings: ports)
    monkeypatch.chdir(tmp_path)
    made = installed(tmp_path, ports)
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
    """Seals of before verify; the new key is in use."""
    key, *_ = RUNBOOKS["Change the secrets of Registration"]
    before = Settings.from_environ(desk.environ())
    (verified,) = desk.type(key)
    assert verified == "Every sealed entry is as it was written.\n"
    after = Settings.from_environ(desk.environ())
    assert after.secret_key != before.secret_key
    assert after.secret_key_fallbacks == (before.secret_key,)
    change(desk)
    desk.work()
    assert desk.type(["registration history verify"]) == [verified]


def rename(desk: Desk, name: str) -> None:
    """The organization has this name, and the gateway shall know it."""
    runtime = desk.runtime()
    with runtime.work(Origin("test")) as work:
        row = work.db.scalars(select(Organization)).one_or_none()
        if row is None:
            row = Organization(organization_id="109120", created_at=work.now)
            work.db.add(row)
        row.name, row.updated_at = name, work.now
        work.db.flush()
        organization_pushes.queue(work, row)
    runtime.close()


@pytest.mark.usefixtures("run")
@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_pr01_a_new_key_of_the_pushes_and_a_new_secret(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-01, against a gateway: two operators give it the new key; pushes wait in between and are
    not lost. Registration signs people in with the new secret, and until then with the former."""
    _, make, give, use, renew = RUNBOOKS["Change the secrets of Registration"]
    world.role_group(ConsoleRole.ACCESS)
    for username in ("smithj", "jonesj"):
        world.grant_role(world.account(username), ConsoleRole.ACCESS, "IESO")
    former = MAKERS["EC"]()
    keys = (public_key(public(former)),)
    registered(world, client_id="registration-pushes", auth_method="private_key_jwt", keys=keys)
    pages = world.relying_party("Registration", client_id="registration-system")
    ports = Ports(world.clock, FakeMailer(), nullcontext)

    def of(settings: Settings) -> Ports:
        key = settings.push_key
        return replace(ports, bridge=lambda: connect(world, settings.push_client_id, key=key))

    monkeypatch.setattr(Ports, "of", of)
    monkeypatch.setattr("idp.foundation.SystemClock", lambda: world.clock)
    desk = installed(tmp_path, ports, pem(former), pages.secret)

    def at_gateway() -> str:
        with world.work() as work:
            return participants.by_number(work, "109120").name

    rename(desk, "Lakes")
    desk.work()
    assert (waiting(desk), at_gateway()) == (0, "Lakes")
    desk.type(make)
    (said,) = desk.type(give[:1])
    rename(desk, "Northern Lakes")
    desk.work()
    assert (waiting(desk), at_gateway()) == (0, "Northern Lakes")
    (proposal,) = re.findall(r"^Proposed: (\S+)\. ", said)
    desk.type(give[1:], PROPOSAL=proposal)
    rename(desk, "Great Lakes")
    desk.work()
    assert (waiting(desk), at_gateway()) == (1, "Northern Lakes")
    desk.type(use)
    world.clock.advance(60)
    desk.work()
    assert (waiting(desk), at_gateway()) == (0, "Great Lakes")

    desk.type(renew)
    after = replace(pages, secret=Settings.from_environ(desk.environ()).client_secret)
    assert [world.introspect_status(one, "x") for one in (pages, after)] == [200, 200]
    world.clock.advance(days=1)
    assert [world.introspect_status(one, "x") for one in (pages, after)] == [401, 200]
    mode = (desk.etc / "secrets" / "registration_client_secret").stat().st_mode
    assert mode & 0o777 == 0o600


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
