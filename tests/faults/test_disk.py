"""A disk that is full (R13; I1, I2, I4)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History
from tests.faults.installation import Installation, settings_of, status_of
from tests.faults.load import Client
from tests.faults.servers import OwnPostgreSQL, missing, wait_for
from tests.live import free_ports


@contextmanager
def small_disk(folder: Path, megabytes: int, owner: str = "") -> Iterator[Path]:
    """A file system in memory with this much room."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder],
        check=False, capture_output=True,
    )  # fmt: skip
    if made.returncode:
        missing("file systems cannot be mounted here")
    if owner:
        shutil.chown(folder, owner)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    file = folder / "filler"
    with suppress(OSError), file.open("ab", buffering=0) as output:
        while True:
            output.write(b"x" * 4096)
    return file


def write_until_full(client: Client) -> int:
    """Write until it is refused; returns how often it succeeded."""
    for done in range(3000):
        if not client.machine():
            return done
    raise AssertionError("the disk does not become full")


def full_and_empty_again(installation: Installation, disk: Path, figures: Figures) -> None:
    """Writes are refused, reads go on, and nothing has to be restarted."""
    gateway = installation.serve(workers=1)
    installation.work()
    history = History(installation.folder / "history.jsonl")
    client = Client(0, [gateway.port], installation, history)
    assert client.new_grant()
    client.suspend(installation.victims[0])
    filler = fill(disk)
    written = write_until_full(client)
    refused = history.calls[-1]
    assert refused.status == 503, refused
    assert client.userinfo()
    assert client.keys()
    assert status_of(gateway.port, "/readyz") == 200
    # An act and its event are written together or not at all. On PostgreSQL they may still find
    # room in the last pages of their tables.
    history.stopping.set()
    done = client.suspend(installation.victims[1])
    assert done or history.calls[-1].status == 503
    (state,) = installation.rows(
        "SELECT state FROM account WHERE username = ?", installation.victims[1]
    )
    assert state == ("suspended" if done else "active",)
    suspended = installation.rows("SELECT id FROM event WHERE name = ?", "scim.suspended")
    assert len(suspended) == 1 + done
    filler.unlink()
    assert client.machine()
    assert client.refresh()
    assert client.suspend(installation.victims[1])
    check(installation, history)
    figures(written=written, **history.counts())


@pytest.mark.quick
def test_r13_a_full_disk_under_sqlite(empty_file: Path, tmp_path: Path, figures: Figures) -> None:
    """R13: writes are 503, reads and the verification of tokens go on, an act whose event cannot be
    written is refused, the file is sound, and all is well when there is room again."""
    with small_disk(tmp_path / "disk", 12) as disk:
        shutil.copy(empty_file, disk / "gateway.db")
        made = Installation(tmp_path, settings_of(f"sqlite:///{disk}/gateway.db"))
        try:
            made.fill(people=2, victims=2)
            full_and_empty_again(made, disk, figures)
        finally:
            made.stop()


def test_r13_a_full_disk_under_postgresql(
    postgresql: OwnPostgreSQL, tmp_path: Path, figures: Figures
) -> None:
    """R13: the same for the tables of PostgreSQL."""
    owner = "postgres" if os.geteuid() == 0 else ""
    place = postgresql.folder / "small"
    with small_disk(place, 64, owner) as disk:
        (disk / "tables").mkdir()
        if owner:
            shutil.chown(disk / "tables", owner)
        postgresql.execute(f"CREATE TABLESPACE small LOCATION '{disk}/tables'")
        postgresql.execute("CREATE DATABASE full_disk TEMPLATE template_gateway TABLESPACE small")
        made = Installation(tmp_path, settings_of(postgresql.url("full_disk")))
        try:
            made.fill(people=2, victims=2)
            full_and_empty_again(made, disk, figures)
        finally:
            made.stop()
            postgresql.execute("DROP DATABASE full_disk WITH (FORCE)")
            postgresql.execute("DROP TABLESPACE small")
    place.rmdir()


@pytest.mark.quick
def test_r13_a_log_that_cannot_be_written(on_sqlite: Installation, tmp_path: Path) -> None:
    """R13: the disk of the log is full, from before the start. The processes start, requests are
    answered, and the worker works; the audit trail is elsewhere. When there is room, the log says
    how many lines it lacks."""
    on_sqlite.fill(people=1)
    with small_disk(tmp_path / "disk", 1) as disk:
        filler = fill(disk)
        gateway = on_sqlite.serve(workers=1, log=disk / "log", IDP_LOG_LEVEL="INFO")
        worker = on_sqlite.work(log=disk / "worker", IDP_LOG_LEVEL="INFO")
        history = History(tmp_path / "history.jsonl")
        client = Client(0, [gateway.port], on_sqlite, history)
        assert client.new_grant()
        assert client.refresh()
        assert client.recover()
        check(on_sqlite, history)
        assert gateway.logged() == worker.logged() == ""
        filler.unlink()
        assert client.refresh()
        lost, *more = [json.loads(line) for line in gateway.logged().splitlines()]
        assert lost["event"] == "log_lines_lost"
        assert lost["count"] >= len(history.calls)
        assert [line["event"] for line in more] == ["request"]
        assert gateway.stop() == 0
        assert worker.stop() == 0


def test_r13_registration_starts_with_its_log_on_a_full_disk(
    on_sqlite: Installation, tmp_path: Path
) -> None:
    """R13: the same for Registration."""
    changes = {
        "REGISTRATION_DATABASE_URL": f"sqlite:///{tmp_path}/registration.db",
        "REGISTRATION_SECRET_KEY": "r" * 48,
        "REGISTRATION_URL": "http://localhost",
        "REGISTRATION_LOG_LEVEL": "INFO",
    }
    on_sqlite.run("db", "upgrade", module="registration.cli", **changes)
    with small_disk(tmp_path / "disk", 1) as disk:
        filler = fill(disk)
        pages = on_sqlite.start(
            "serve", "--workers", "1", "--port", str(port := free_ports(1)),
            module="registration.cli", log=disk / "log", **changes,
        )  # fmt: skip
        worker = on_sqlite.start(
            "worker", module="registration.cli", log=disk / "worker", **changes
        )
        wait_for(lambda: status_of(port, "/readyz") == 200, 60, "Registration")
        assert pages.logged() == ""
        filler.unlink()
        assert status_of(port, "/readyz") == 200
        assert '"event": "log_lines_lost"' in pages.logged().splitlines()[0]
        assert pages.stop() == 0
        assert worker.stop() == 0
