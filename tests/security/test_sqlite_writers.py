"""The queue of SQLite's writers: every transaction has a turn, and ends it (R08)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from service_base import sqlite_writers
from service_base.database import engine_options, prepare_engine
from service_base.refusals import Collision
from tests.world import World


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE row (id INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


def write(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO row VALUES (:number)"), {"number": number})


def turn(engine: Engine) -> threading.Lock:
    with engine.connect() as connection:
        return connection.connection.dbapi_connection.turn  # type: ignore[union-attr, no-any-return]


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
