"""The demo's data and its description for programs."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from flask import Flask

from idp import foundation
from idp.app import create_app, db
from idp.cli import demo_command, main
from idp.cli.common import program
from idp.cli.database_commands import upgrade_database
from idp.demo.home import Home, make_password
from idp.demo.seed import seed
from idp.directory import accounts, held_role_groups
from idp.models import AccountState
from idp.transaction import committing

ROOT = Path(__file__).resolve().parents[2]
ROLES = [
    "trader",
    "outage_coordinator",
    "settlements_analyst",
    "locked",
    "workspaces_member",
    "customer_relations",
    "access_management",
    "second_access_management",
    "auditor",
]
pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("demo") / "data", 18700)
    home.prepare(reset=False)
    return home


@pytest.fixture(scope="module")
def app(home: Home) -> Any:
    assert prepare(home) is True
    app = create_app(home.settings())
    yield app
    with app.app_context():
        db.engine.dispose()


def prepare(home: Home) -> bool:
    """As ``gateway demo`` does it; whether anything was created."""
    base = foundation.connect(home.settings())
    with click.Context(click.Command("demo")):
        upgrade_database(base)
    is_new = seed(base.runtime, base.hasher, home)
    base.close()
    return is_new


def test_the_description_has_everything_programs_need(app: Flask, home: Home) -> None:
    """The keys of demo.json are a contract; a null says that there is nothing yet."""
    known = home.describe()
    assert known["issuer"] == "http://localhost:18700"
    assert [rp["name"] for rp in known["relying_parties"]] == [
        "EMI",
        "CROW",
        "Reports",
        "Workspaces",
    ]
    for offset, rp in enumerate(known["relying_parties"], 1):
        assert rp["url"] == f"http://localhost:{18700 + offset}"
        assert rp["client_secret"]
        assert rp["redirect_uris"] == [f"{rp['url']}/callback"]
        assert rp["post_logout_redirect_uris"] == [f"{rp['url']}/signed-out"]
    assert [person["role"] for person in known["people"]] == ROLES
    for person in known["people"]:
        assert set(person) == {
            "role", "username", "email", "password", "totp_secret", "person_id", "participants",
        }  # fmt: skip
        assert person["password"]
        assert re.fullmatch(r"[A-Z2-7]{32}", person["totp_secret"])
        assert person["participants"]
    assert known["people"][0]["participants"] == ["109120", "111340"]
    assert "/activate?token=" in known["pending"]["activation_url"]
    assert set(known["machine"]) == {"username", "password", "networks"}
    assert set(known["provisioning"]) == {"client_id", "client_secret", "scim_url", "scope"}


def test_demo_accounts_have_the_states_and_roles_of_their_names(app: Flask, home: Home) -> None:
    """Seeds in roles: states and role groups, made through the services."""
    states = {"pending": AccountState.PENDING, "locked": AccountState.LOCKED}
    with app.app_context(), committing(app.extensions["runtime"].work()) as work:
        for person in [*home.describe()["people"], {"role": "pending", "username": "singhj"}]:
            account = accounts.by_username(work, person["username"])
            assert account.state == states.get(person["role"], AccountState.ACTIVE)
        trader = accounts.by_username(work, "tremblam")
        assert {row.participant.number for row in held_role_groups.list_held(work, trader)} == {
            "109120",
            "111340",
        }
        assert [c.client_id for c in held_role_groups.list_applications(work, trader)] == [
            "crow",
            "emi",
        ]


def test_a_second_start_keeps_the_data(app: Flask, home: Home) -> None:
    """Nothing is made again; passwords and secrets stay."""
    before = home.describe()
    (home.folder / "demo.json").write_text("{}")
    home.prepare(reset=False)
    assert not (home.folder / "demo.json").exists()
    assert prepare(home) is False
    assert home.describe() == before


def test_secrets_are_for_the_owner_only(app: Flask, home: Home) -> None:
    """0700 for the folder, 0600 for what holds secrets."""
    environment = home.write_environment()
    for path in (home.folder / "secrets.json", environment):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


def test_reset_removes_the_earlier_data(tmp_path: Path) -> None:
    """--reset: new secrets, no database."""
    home = Home(tmp_path / "d", 18710)
    home.prepare(reset=False)
    first = home.secrets()
    (home.folder / "gateway.db").write_text("x")
    home.prepare(reset=True)
    assert not (home.folder / "gateway.db").exists()
    assert home.secrets()["secret_key"] != first["secret_key"]
    assert json.loads((home.folder / "secrets.json").read_text())


def test_a_port_in_use_is_reported_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 and what to do, before anything is started."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        result = CliRunner().invoke(main, ["demo", "--port", port, "--data", str(tmp_path / "d")])
    assert result.exit_code == 1
    assert f"port {port} is in use; choose others with --port" in result.stderr


def test_generated_passwords_meet_the_policy() -> None:
    """Two made-up words and a number: typed from a screen without mistakes."""
    passwords = {make_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(password) == 15 for password in passwords)


def test_the_commands_that_the_demo_prints_work(tmp_path: Path) -> None:
    """A shell in the same folder types the two lines, with another command instead of --help."""
    folder = tmp_path / "demo data"
    order = [sys.executable, "-m", "idp.cli", "demo", "--only-data", "--port", "18790"]
    said = subprocess.run(
        [*order, "--data", str(folder)], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert said[:2] == [
        "Preparing the database ...",
        "Creating people and applications, unless they are there ...",
    ]
    typed = "\n".join(said[-2:]).replace("--help", "client list --json")
    listed = subprocess.run(
        ["sh", "-ec", typed], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert {"emi", "crow", "mim"} <= {one["client_id"] for one in json.loads(listed.stdout)}


def test_the_demo_prints_who_may_open_the_console(app: Flask, home: Home, capsys: Any) -> None:
    """The address, and the accounts with a role group of the gateway."""
    demo_command.welcome(home)
    said = capsys.readouterr().out
    assert "/console (for haddadl, morrisoe, osullivs, nakamurh)\n" in said
    assert home.issuer + "/console" in said


@pytest.mark.parametrize(
    ("started", "path", "typed"),
    [
        (".venv/bin/gateway", "", ".venv/bin/gateway"),
        (".venv/bin/gateway", ".venv/bin", "gateway"),
        ("/elsewhere/bin/gateway", "", "/elsewhere/bin/gateway"),
        ("my tools/gateway", "", "'my tools/gateway'"),
    ],
)
def test_commands_are_printed_with_the_program_name_that_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, path: str, typed: str
) -> None:
    """By its name only where the shell finds the same program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "gateway").touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(tmp_path / started)])
    monkeypatch.setenv("PATH", str(tmp_path / path) if path else "/nowhere")
    assert program() == typed
