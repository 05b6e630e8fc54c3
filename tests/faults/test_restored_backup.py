"""A backup that is made under load and restored elsewhere (R20; I4, I7)."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tests.faults.checker import EVENTS, settle
from tests.faults.conftest import Figures
from tests.faults.history import History, answered
from tests.faults.installation import Installation, settings_of
from tests.faults.load import MIX, Client, load
from tests.faults.servers import OwnPostgreSQL, missing

WITH_DENIALS = (*MIX, ("suspend", 2))


def backed_up_under_load(source: Installation, copy: list[str]) -> tuple[History, float]:
    """Load, a backup in the middle of it, and more load. Returns when the backup
    began."""
    source.fill(victims=12)
    gateway, worker = source.serve(), source.work()
    # A restoration repeats what the backup has unsealed, such as the first passwords.
    settle(source)
    with load(source, [gateway.port], mix=WITH_DENIALS) as history:
        answered(history, 40)
        began = time.time()
        subprocess.run(copy, check=True, timeout=120, capture_output=True)
        answered(history, 40)
    settle(source)
    assert gateway.stop() == 0
    assert worker.stop() == 0
    return history, began


def examined(
    source: Installation, restored: Installation, history: History, began: float
) -> dict[str, int]:
    """What was acknowledged before the backup is in it; what ended after it has ended again."""
    export = source.folder / "lost.jsonl"
    export.write_text(source.run("audit", "export"))
    before = [c for c in history.calls if c.is_success and (c.ended or began) < began]
    events = {
        (request_id, name)
        for request_id, name in restored.rows("SELECT request_id, name FROM event")
    }
    missing_ones = [
        c for c in before if c.name in EVENTS and (c.request_id, EVENTS[c.name]) not in events
    ]
    assert not missing_ones, missing_ones[:3]
    restored.run("db", "upgrade")
    restored.run("restore", "--reason", "trial", "--trail", str(export), check=False)
    assert "Integrity check passed" in restored.run("audit", "verify")
    # I4: every session and token of the backup has ended, and who was suspended later is again.
    assert restored.rows('SELECT count(*) FROM "grant" WHERE revoked_at IS NULL') == [(0,)]
    assert restored.rows("SELECT count(*) FROM browser_session WHERE ended_at IS NULL") == [(0,)]
    suspended = {c.sent["username"] for c in history.named("suspend") if c.is_success}
    for username in suspended:
        state = restored.rows("SELECT state FROM account WHERE username = ?", username)
        assert state == [("suspended",)], username
    gateway = restored.serve(workers=1)
    client = Client(0, [gateway.port], restored, History(restored.folder / "after"))
    assert client.sign_in(restored.people[0])
    for call in history.named("refresh", "redeem")[-20:]:
        if token := call.got.get("refresh_token"):
            client.refresh_token = token
            assert not client.refresh()
    for call in history.named("authorize")[-20:]:
        assert client.redeem(call.got["code"]).is_refusal
    for username in sorted(suspended):
        assert not client.sign_in(username) or not client.authorize()
    return {"before": len(before), "suspended": len(suspended)}


def test_r20_a_backup_of_sqlite(on_sqlite: Installation, tmp_path: Path, figures: Figures) -> None:
    """R20, I4: the procedure of operations.md, with the copy made while all is written to."""
    if not shutil.which("sqlite3"):
        missing("sqlite3 is not installed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = elsewhere / "gateway.db"
    file = on_sqlite.url.removeprefix("sqlite:///")
    history, began = backed_up_under_load(on_sqlite, ["sqlite3", file, f".backup {copy}"])
    restored = Installation(elsewhere, settings_of(f"sqlite:///{copy}"))
    restored.rp, restored.people = on_sqlite.rp, on_sqlite.people
    try:
        assert restored.rows("PRAGMA integrity_check") == [("ok",)]
        figures(**examined(on_sqlite, restored, history, began))
    finally:
        restored.stop()


def test_r20_a_backup_of_postgresql(
    on_postgresql: Installation, postgresql: OwnPostgreSQL, tmp_path: Path, figures: Figures
) -> None:
    """R20, I4: the same with pg_dump and pg_restore."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = elsewhere / "backup"
    dump = [str(postgresql.program("pg_dump")), "--format=custom", f"--file={copy}",
            on_postgresql.url.replace("+psycopg", "")]  # fmt: skip
    history, began = backed_up_under_load(on_postgresql, dump)
    postgresql.execute("CREATE DATABASE restored")
    restored = Installation(elsewhere, settings_of(postgresql.url("restored")))
    restored.rp, restored.people = on_postgresql.rp, on_postgresql.people
    subprocess.run(
        [postgresql.program("pg_restore"), "--no-owner",
         f"--dbname={restored.url.replace('+psycopg', '')}", copy],
        check=True, timeout=120,
    )  # fmt: skip
    try:
        figures(**examined(on_postgresql, restored, history, began))
    finally:
        restored.stop()
        postgresql.execute("DROP DATABASE restored WITH (FORCE)")
