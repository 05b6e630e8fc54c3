"""Commands and probes on a database that is away, has no tables, or is of another version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from idp.app import create_app, db
from idp.cli import main
from idp.grants import signing_keys
from idp.settings import Settings
from tests.world import World

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
EMPTY = "database: the database has no tables; run: gateway db upgrade\n"
OLDER = "database: the database is of an older version; run: gateway db upgrade\n"
COMMANDS = [
    "account list", "account act unlock x --reason x --ticket x", "audit export", "audit verify",
    "client list", "key list", "person show 1", "purge", "registration status", "role-group list",
    "serve", "worker --once",
]  # fmt: skip

Mark = Callable[[str | None], None]


@pytest.fixture
def mark(settings: Settings) -> Iterator[Mark]:
    """Says that the tables have another version, or none; taken back afterwards."""
    engine = create_engine(settings.database_url)

    def write(version: str | None) -> None:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            if version:
                values = {"version": version}
                connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), values)

    yield write
    write(None)
    with engine.begin() as connection:
        MigrationContext.configure(connection).stamp(ScriptDirectory(str(MIGRATIONS)), "head")
    engine.dispose()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_database_without_tables_says_what_to_run(
    run: Any, mark: Mark, command: str
) -> None:
    """One line that names `gateway db upgrade`, exit code 1, from the processes too."""
    mark(None)
    result = run(*command.split())
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", EMPTY)


def test_an_older_schema_is_refused_and_a_newer_one_is_accepted(run: Any, mark: Mark) -> None:
    """The release before works on the tables of the next one while that is rolled out."""
    mark("0001")
    result = run("account", "list")
    assert (result.exit_code, result.stderr) == (1, OLDER)
    mark("9999")
    assert run("account", "list").exit_code == 0


@pytest.mark.parametrize("command", ["account list", "db upgrade"])
def test_a_database_that_does_not_answer_is_one_line(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """No trace, exit code 1, and the reason that the database library gives."""
    monkeypatch.setenv("IDP_DATABASE_URL", f"sqlite:///{tmp_path}/away/gateway.db")
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "database: unable to open database file\n"


def test_an_empty_database_is_upgraded(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing to the first account, by what the messages say."""
    monkeypatch.setenv("IDP_DATABASE_URL", f"sqlite:///{tmp_path}/new.db")
    assert run("account", "list").stderr == EMPTY
    assert run("db", "upgrade").stdout == "The database is up to date.\n"
    assert run("account", "list").stdout == "No accounts.\n"
    assert run("db", "upgrade").exit_code == 0


def test_two_upgrades_of_an_empty_database_at_once(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second makes the signing keys after the first has looked for them: both succeed."""
    monkeypatch.setenv("IDP_DATABASE_URL", f"sqlite:///{tmp_path}/new.db")
    add = signing_keys._add
    outputs = []

    def late(*arguments: Any) -> None:
        if not outputs:
            outputs.append("")
            outputs[0] = run("db", "upgrade").stdout
        add(*arguments)

    monkeypatch.setattr(signing_keys, "_add", late)
    outputs.append(run("db", "upgrade").stdout)
    assert outputs == ["The database is up to date.\n"] * 2
    keys = json.loads(run("key", "list", "--json").stdout)
    assert len({(key["alg"], key["state"]) for key in keys}) == len(keys)


def test_readiness_says_whether_tables_or_a_migration_are_missing(world: World, mark: Mark) -> None:
    """/readyz: 503 and which of them: no tables, an older version."""
    client, base = world.app.test_client(), world.settings.issuer
    for version, said in ((None, "no tables"), ("0001", "older version")):
        mark(version)
        answer = client.get("/readyz", base_url=base)
        assert answer.status_code == 503
        assert answer.json == {
            "status": "unavailable", "database": said, "keys": False, "outbox_seconds": 0,
        }  # fmt: skip
    mark("9999")
    assert client.get("/readyz", base_url=base).json == {
        "status": "ok", "database": "newer version", "keys": True, "outbox_seconds": 0,
    }  # fmt: skip


def test_readiness_without_a_database(settings: Settings, tmp_path: Path) -> None:
    """/readyz: 503 and "no answer" while there is no database."""
    app = create_app(replace(settings, database_url=f"sqlite:///{tmp_path}/away/gateway.db"))
    answer = app.test_client().get("/readyz", base_url=settings.issuer)
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "unavailable", "database": "no answer", "keys": False, "outbox_seconds": 0},
    )
    with app.app_context():
        db.engine.dispose()


def test_help_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is configured."""
    monkeypatch.delenv("IDP_DATABASE_URL", raising=False)
    for arguments in (["--help"], ["account", "--help"], ["settings", "--help"], ["--version"]):
        assert CliRunner().invoke(main, arguments).exit_code == 0


def test_a_relative_path_of_sqlite_starts_at_the_working_folder(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For every command: those that make the tables and those that look for them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDP_DATABASE_URL", "sqlite:///relative.db")
    assert run("db", "upgrade").exit_code == 0
    assert (tmp_path / "relative.db").is_file()
    result = run("client", "list", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
