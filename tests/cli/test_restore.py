"""An older copy of the database is put back by the written procedure: what was over stays over."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from idp.app import db
from idp.audit import chain
from idp.clients import registry
from idp.credentials import links, passwords
from idp.credentials.links import Purpose
from idp.credentials.passwords import PasswordSource
from idp.directory import (
    accounts,
    activation,
    lifecycle,
    participants,
    role_group_assignments,
)
from idp.grants import signing_keys
from idp.models import AccountState, BrowserSession, KeyState
from idp.session import sessions
from tests.shell import Run, good
from tests.world import NEW_PASSWORD, World

ROOT = Path(__file__).resolve().parents[2]
PROCEDURE = (ROOT / "docs/operations.md").read_text().split("### Backup and restore")[1]
PROCEDURE = PROCEDURE.split("### Upgrade")[0]
#: The blocks of the document in their order.
BACKUP_SQLITE, BACKUP_POSTGRES, EXPORT, RESTORE_SQLITE, RESTORE_POSTGRES, AFTER = (
    [line.strip() for line in block.strip().splitlines()]
    for block in re.findall(r"```sh\n(.*?)```", PROCEDURE, re.DOTALL)
)


@pytest.fixture
def at_the_desk(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Desk]:
    """A shell in an empty directory, with the clock of the world."""
    monkeypatch.setattr("idp.foundation.SystemClock", lambda: world.clock)
    place = tmp_path / "shell"
    place.mkdir()
    monkeypatch.chdir(place)
    yield Desk(world, run)
    if not world.settings.database_url.startswith("sqlite"):
        engine = create_engine(world.settings.database_url)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
        engine.dispose()


class Desk:
    """Types what the document says."""

    def __init__(self, world: World, run: Run) -> None:
        self.world, self.run = world, run
        url = world.settings.database_url
        self.is_sqlite = url.startswith("sqlite")
        self.database = url.removeprefix("sqlite:///").replace("+psycopg", "")
        tools = ("sqlite3",) if self.is_sqlite else ("pg_dump", "pg_restore")
        if missing := [tool for tool in tools if not shutil.which(tool)]:
            pytest.skip(f"not installed: {', '.join(missing)}")

    def type(self, lines: list[str]) -> list[str]:
        """Run the lines; returns what each of ``gateway`` printed."""
        with self.world.app.app_context():
            db.session.remove()
            db.engine.dispose()
        printed = []
        for line in lines:
            if not line.startswith("gateway "):
                environ = os.environ | {"DATABASE": self.database}
                subprocess.run(["sh", "-ec", line], check=True, env=environ)
                continue
            words = shlex.split(line)[1:]
            target = words[words.index(">") + 1] if ">" in words else None
            result = self.run(*(words[: words.index(">")] if target else words))
            assert result.exit_code == 0, (line, result.output)
            printed.append(result.stdout)
            if target:
                Path(target).write_text(result.stdout)
        return printed

    def back_up(self) -> None:
        self.seal()
        self.type(BACKUP_SQLITE if self.is_sqlite else BACKUP_POSTGRES)

    def put_back(self) -> list[str]:
        self.type(EXPORT)
        self.type(RESTORE_SQLITE if self.is_sqlite else RESTORE_POSTGRES)
        return self.type(AFTER)

    def seal(self) -> None:
        with self.world.app.app_context():
            chain.seal_all(self.world.app.extensions["runtime"])


def _take_away(world: World, anna_session: str) -> None:
    """What happens after the backup."""
    with world.work() as work:
        row = work.db.scalars(
            select(BrowserSession).where(BrowserSession.public_id == anna_session)
        ).one()
        sessions.end(work, row, "signed_out")
        bert = accounts.by_username(work, "bert")
        lifecycle.change_state(work, bert, AccountState.SUSPENDED, reason="leave")
        registry.disable(work, registry.get(work, "crow"))
        participants.end(work, participants.by_number(work, "111340"))
        signing_keys.revoke(work, _active_key(work))
    world.revoke_role("carl", "EMI Viewer")
    with world.work() as work:
        eva = accounts.by_username(work, "eva")
        hasher = world.app.extensions["hasher"]
        assert (
            passwords.change(work, hasher, eva, NEW_PASSWORD, source=PasswordSource.RESET_LINK)
            == ()
        )
    world.account("newcomer")


def _active_key(work: Any) -> str:
    rows = signing_keys.every_key(work)
    return next(row.kid for row in rows if row.state == KeyState.ACTIVE and row.alg == "ES256")


def test_n91_ended_access_is_not_restored_by_a_backup(at_the_desk: Desk, world: World) -> None:
    """N91, R20, I4: the procedure of docs/operations.md, word for word; on SQLite, and on
    PostgreSQL where its tools are."""
    emi = world.relying_party()
    world.relying_party("CROW")
    world.role_group("EMI Viewer", "emi")
    for name in ("anna", "bert", "carl", "eva", "fay"):
        world.account(name)
    world.grant_role("carl", "EMI Viewer")
    world.grant_role("fay", "EMI Viewer", "111340")
    world.account("dora", state=AccountState.PENDING)
    anna = world.browser()
    tokens = world.redeem(emi, anna.code(emi, "anna")).json or {}
    code = anna.code(emi, "anna")
    with world.work() as work:
        dora, bert = (accounts.by_username(work, name) for name in ("dora", "bert"))
        invitation = activation.invite(work, dora)
        token = links.issue(work, bert, Purpose.RESET, work.after(days=1))
        session = sessions.active(work, accounts.by_username(work, "anna"))[0].public_id
        kid = _active_key(work)
    world.run_worker()
    world.clock.advance(hours=1)
    at_the_desk.back_up()
    world.clock.advance(seconds=10)
    _take_away(world, session)
    at_the_desk.seal()
    sealed_until = world.events()[-1].seq
    world.clock.advance(minutes=10)

    _, said, proof = at_the_desk.put_back()

    assert proof.startswith("Integrity check passed: ")
    assert "Accounts created since the backup that are missing:\n  newcomer\n" in said
    # One's session, tokens and codes do not come back.
    assert anna.client.get("/settings", base_url=anna.base).status_code == 303
    assert (world.refresh(emi, tokens["refresh_token"]).json or {})["error"] == "invalid_grant"
    assert (world.redeem(emi, code).json or {})["error"] == "invalid_grant"
    assert world.introspect(emi, tokens["access_token"]) == {"active": False}
    # Neither do links; who has to activate has a new one.
    for path in (f"/recover/open?token={token}", invitation):
        assert world.browser().get(path).status_code == 400
    assert world.events("link.refused")[-1].reason == "link_superseded"
    assert len(world.mails("account_created", "dora")) == 2
    # What was taken since is taken again.
    assert world.account_row("bert").state == AccountState.SUSPENDED
    assert world.account_row("eva").state == AccountState.RESET_REQUIRED
    with world.work() as work:
        assert registry.get(work, "crow").disabled_at is not None
        assert participants.by_number(work, "111340").ended_at is not None
        held = [row for row in signing_keys.every_key(work) if row.kid == kid]
        assert [row.state for row in held] == [KeyState.REVOKED]
        assert (
            role_group_assignments.accounts_at_participant(
                work, participants.by_number(work, "109120")
            )
            == []
        )
    # The trail names the export with what lies between.
    (restored,) = world.events("trail.restored")
    assert restored.data["lost"]["last"] == sealed_until
    assert restored.data["why"] == "disk failure"
    assert world.browser().sign_in("anna").status_code == 200


def test_a_restored_trail_is_verified_with_the_earlier_secret(
    at_the_desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N91: who changes the secret keeps the old one for the trail; the rest under it is over."""
    rp = world.relying_party()
    world.account("anna")
    tokens = world.signed_in_tokens(rp, "anna")
    at_the_desk.back_up()
    at_the_desk.type(EXPORT)
    monkeypatch.setenv("IDP_SECRET_KEY", "n" * 40)
    refused = at_the_desk.run("restore", "--reason", "x", "--trail", "lost.jsonl")
    assert refused.exit_code == 0, "the export holds nothing that is not here"
    assert at_the_desk.run("audit", "verify").exit_code == 1
    monkeypatch.setenv("IDP_AUDIT_KEYS", world.settings.secret_key)
    assert at_the_desk.run("audit", "verify").exit_code == 0
    assert (world.refresh(rp, tokens["refresh_token"]).json or {})["error"] == "invalid_grant"


def test_without_an_export_all_sessions_and_secrets_end(at_the_desk: Desk, world: World) -> None:
    """N91: counted by kind; the command says what it cannot know."""
    rp = world.relying_party()
    world.account("anna")
    world.signed_in_tokens(rp, "anna")
    found = good(at_the_desk.run("restore", "--reason", "trial", "--json"))
    assert found["ended"]["sessions"] == 1
    assert found["ended"]["grants"] == 0, "its grant ended with the session"
    assert found["lost"] is None
    again = good(at_the_desk.run("restore", "--reason", "trial", "--json"))
    assert set(again["ended"].values()) == {0}
    assert "recovery_codes" in again["ended"]
    shown = at_the_desk.run("restore", "--reason", "trial")
    assert "Without --trail, changes since the backup are not repeated" in shown.stdout


#: Values that no row of the trail holds.
WRONG: dict[str, dict[str, Any]] = {
    "number": {"seq": "7"},
    "too large": {"id": 2**70},
    "data": {"data": None},
    "seal": {"seal": 7},
}


def _spoil(lines: list[dict[str, Any]], how: str) -> list[dict[str, Any]]:
    if how == "changed":
        lines[-2]["actor"] = "nobody"
    elif how == "missing":
        del lines[-2]
    elif how in WRONG:
        lines[-2] |= WRONG[how]
    elif how == "another key":
        lines[-2]["seal"] = "AAAAAAAA." + "A" * 43
    return lines


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("changed", "of the export is changed, or from another audit log"),
        ("missing", "of the export is not verifiable"),
        ("another key", "of the export is sealed with an unknown key"),
        ("no record", "line 1 of the export is not an audit log record"),
        *((how, "of the export is not an audit log record") for how in WRONG),
    ],
)
def test_an_export_that_fails_verification_changes_nothing(
    at_the_desk: Desk, world: World, how: str, said: str
) -> None:
    """N91: nobody is closed by a file that somebody wrote."""
    world.account("anna")
    at_the_desk.back_up()
    for name in ("bert", "carl"):
        world.account(name)
    at_the_desk.seal()
    at_the_desk.type(EXPORT)
    at_the_desk.type(RESTORE_SQLITE if at_the_desk.is_sqlite else RESTORE_POSTGRES)
    lines = _spoil([json.loads(line) for line in Path("lost.jsonl").read_text().splitlines()], how)
    text = "\n".join(map(json.dumps, lines)) if how != "no record" else "{}"
    Path("lost.jsonl").write_text(text + "\n")
    result = at_the_desk.run("restore", "--reason", "x", "--trail", "lost.jsonl")
    assert result.exit_code == 1
    assert said in result.stderr
    assert world.events("trail.restored") == []
