"""The queue of SQLite's writers: every transaction has a turn, and ends it (R08)."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from service_base import sqlite_writers
from service_base.database import engine_options, prepare_engine
from service_base.refusals import Collision
from tests.world import World


def engine_of(url: str) -> Engine:
    """An engine has a queue of its own, as that of another process."""
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    return engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_of(f"sqlite:///{tmp_path / 'queue.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE row (id INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


def write(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO row VALUES (:number)"), {"number": number})


def turn(engine: Engine) -> threading.Lock:
    with engine.connect() as connection:
        return connection.connection.dbapi_connection.queue.lock  # type: ignore[union-attr, no-any-return]


def test_a_turn_ends_with_its_transaction(engine: Engine) -> None:
    """By commit, rollback, error, or the return of the connection."""
    waiting = turn(engine)
    write(engine, 1)
    assert not waiting.locked()
    with pytest.raises(Collision):
        write(engine, 1)
    assert not waiting.locked()
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO row VALUES (2)"))
        assert waiting.locked()
        connection.rollback()
        assert not waiting.locked()
        connection.execute(text("INSERT INTO row VALUES (2)"))
    assert not waiting.locked()
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO row VALUES (2)"))
        connection.invalidate()
    assert not waiting.locked()


def test_readers_do_not_wait_for_a_writer(engine: Engine) -> None:
    with engine.connect() as writer, engine.connect() as reader:
        writer.execute(text("INSERT INTO row VALUES (7)"))
        assert reader.scalar(text("SELECT count(*) FROM row")) == 0


def test_writers_wait_for_each_other_and_all_commit(engine: Engine) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [write(engine, n * 100 + k) for k in range(20)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM row")) == 160


def test_who_waits_too_long_gets_the_error_of_sqlite(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a writer of this process and of another one."""
    monkeypatch.setattr(sqlite_writers, "BUSY_TIMEOUT_MS", 10)
    with engine.connect() as writer:
        writer.execute(text("INSERT INTO row VALUES (1)"))
        with pytest.raises(OperationalError, match="database is locked"):
            write(engine, 2)
    write(engine, 2)
    other = sqlite3.connect(str(engine.url.database), isolation_level=None)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="database is locked"):
            connection.execute(text("INSERT INTO row VALUES (3)"))
        assert not turn(engine).locked()
        other.execute("ROLLBACK")
    other.close()
    write(engine, 3)


@pytest.fixture
def other(engine: Engine) -> Iterator[Engine]:
    """The engine of another process."""
    other = engine_of(str(engine.url))
    yield other
    other.dispose()


def wait_until_locked(path: str) -> None:
    """Until another process has the lock of this file."""
    until = time.monotonic() + 10
    with Path(path).open() as file:
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(0.001)
    raise AssertionError(f"{path} is not locked")


def test_a_process_that_has_written_cannot_pass_one_that_waits(
    engine: Engine, other: Engine
) -> None:
    order = []

    def wait() -> None:
        with other.begin() as connection:
            connection.execute(text("INSERT INTO row VALUES (2)"))
            order.append("other")

    waiting = threading.Thread(target=wait)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO row VALUES (1)"))
        waiting.start()
        wait_until_locked(f"{engine.url.database}-next")
        order.append("first")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO row VALUES (3)"))
        order.append("again")
    waiting.join()
    assert order == ["first", "other", "again"]


def test_who_waits_too_long_for_another_process_gets_the_error_of_sqlite(
    engine: Engine, other: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R10: and later writers find the locks free."""
    with other.begin() as writer:
        writer.execute(text("INSERT INTO row VALUES (1)"))
        monkeypatch.setattr(sqlite_writers, "BUSY_TIMEOUT_MS", 10)
        with pytest.raises(OperationalError, match="database is locked"):
            write(engine, 2)
        assert not turn(engine).locked()
    monkeypatch.undo()
    write(engine, 2)
    write(other, 3)


def test_r01_the_turn_of_a_killed_process_ends(engine: Engine) -> None:
    """R01: the kernel releases its locks."""
    program = (
        "import sys; from sqlalchemy import text;"
        "from tests.security.test_sqlite_writers import engine_of;"
        "connection = engine_of(sys.argv[1]).connect();"
        "connection.execute(text('INSERT INTO row VALUES (1)'));"
        "print('writes', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(engine.url)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"writes\n"
        wait_until_locked(f"{engine.url.database}-turn")
        killed.send_signal(signal.SIGKILL)
        write(engine, 1)


def test_a_forked_process_does_not_share_the_locks_of_its_parent(engine: Engine) -> None:
    queue = sqlite_writers.Queue()
    file = str(engine.url.database)
    queue.open(file)
    before = queue._processes
    queue.open(file)
    assert queue._processes is before
    assert before is not None
    before.process = -1
    queue.open(file)
    assert queue._processes is not before


def test_without_lock_files_sqlite_decides(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database in memory has no other process, and some file systems cannot lock."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    memory = create_engine("sqlite://")
    prepare_engine(memory)
    with memory.begin() as connection:
        connection.execute(text("CREATE TABLE row (id INTEGER)"))
    memory.dispose()
    assert sorted(tmp_path.iterdir()) == before

    def refuse(*_arguments: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    unordered = engine_of(str(engine.url))
    write(unordered, 1)
    unordered.dispose()


def test_an_engine_leaves_no_file_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    made = engine_of(f"sqlite:///{tmp_path / 'queue.db'}")
    with made.connect() as first, made.connect() as second:
        for connection in (first, second):
            connection.execute(text("SELECT 1"))
    # The garbage collector has not found the engine.
    made.dispose()
    assert open_files() == before


def test_r10_a_request_waits_for_the_lock_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R10: then it is 503 with Retry-After. What the process keeps is no reason to wait again."""
    if not world.settings.database_url.startswith("sqlite"):
        pytest.skip("about SQLite")
    rp = world.relying_party(grant_types=("client_credentials",), scopes=("scim",))
    assert world.post(rp, grant_type="client_credentials").status_code == 200
    attempts: list[None] = []

    def locked(_connection: object) -> None:
        attempts.append(None)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite_writers.QueuedConnection, "begin_write", locked)
    answer = world.post(rp, grant_type="client_credentials")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert len(attempts) == 1
