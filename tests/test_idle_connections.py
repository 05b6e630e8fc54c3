"""Connections to PostgreSQL that the server has closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from service_base import database
from tests.tables import needs_postgresql

pytestmark = needs_postgresql("SQLite has no connection that can break")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, **database.engine_options(database_url))
    database.prepare_engine(engine)
    yield engine
    engine.dispose()


def number(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


def broken(engine: Engine) -> int:
    """Close the two idle connections on the server. The number of the one that is used next."""
    with engine.connect() as first, engine.connect() as second:
        numbers = [number(first), number(second)]
    other = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        for each in numbers:
            connection.execute(text("SELECT pg_terminate_backend(:it)"), {"it": each})
    other.dispose()
    return numbers[0]


def test_r08_a_connection_that_broke_while_idle_is_replaced(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R08: the request does not notice, and no other idle connection is asked."""
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
    former = broken(engine)
    asked: list[object] = []
    ping = engine.dialect.do_ping

    def counted(connection: Any) -> bool:
        asked.append(connection)
        return bool(ping(connection))

    monkeypatch.setattr(engine.dialect, "do_ping", counted)
    with engine.connect() as first, engine.connect() as second:
        assert former not in (number(first), number(second))
    assert len(asked) == 1


def test_r08_a_connection_that_broke_a_moment_ago_fails_once(engine: Engine) -> None:
    """R08: one request learns it from its first statement; then all idle ones are replaced."""
    broken(engine)
    with engine.connect() as connection, pytest.raises(OperationalError):
        number(connection)
    for _ in range(3):
        with engine.connect() as first, engine.connect() as second:
            assert number(first) != number(second)


def test_a_connection_in_use_is_not_asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs no further round trip."""
    monkeypatch.setattr(database, "IDLE_SECONDS", 3600.0)
    asked: list[object] = []
    monkeypatch.setattr(engine.dialect, "do_ping", asked.append)
    for _ in range(3):
        with engine.connect() as connection:
            number(connection)
    assert asked == []
