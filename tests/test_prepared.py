"""Prepared statements mean what SQLAlchemy means by them (docs/decisions/0084)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from service_base import database, prepared
from service_base.database import UtcDateTime
from service_base.prepared import Prepared
from service_base.refusals import Collision
from tests.tables import needs_postgresql

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
THINGS = Table(
    "prepared_things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(40), unique=True, nullable=False),
    Column("terms", JSON, nullable=False, default=dict),
    Column("made_at", UtcDateTime),
    Column("state", String(10), nullable=False, default="new", onupdate="changed"),
)
ADD = Prepared(insert(THINGS).returning(THINGS.c.id))
RENAME = Prepared(
    update(THINGS).where(THINGS.c.name == bindparam("old")).values(name=bindparam("new"))
)
PLACES = Table(
    "prepared_places", MetaData(), Column("id", Integer, primary_key=True), Column("at", Float)
)
FIND = Prepared(select(THINGS).where(THINGS.c.name == bindparam("wanted"), THINGS.c.state != "-"))


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    sqlite = database_url.startswith("sqlite")
    url = f"sqlite:///{tmp_path / 'things.db'}" if sqlite else database_url
    engine = create_engine(url, **database.engine_options(url))
    database.prepare_engine(engine)
    THINGS.create(engine)
    yield engine
    THINGS.drop(engine)
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def add(connection: Connection, name: str = "Bruce", **values: Any) -> Any:
    return ADD.run(connection, {"name": name, "made_at": NOON, **values}).one()


def test_values_are_stored_and_read_by_their_types(connection: Connection) -> None:
    eastern = timezone(timedelta(hours=-5))
    add(connection, terms={"en": ["é"]}, made_at=NOON.astimezone(eastern))
    found = FIND.run(connection, {"wanted": "Bruce"}).one()
    usual = connection.execute(FIND.statement, {"wanted": "Bruce"}).one()
    assert tuple(found) == tuple(usual)
    assert (found.terms, found.made_at) == ({"en": ["é"]}, NOON)
    assert found.made_at.tzinfo is UTC


def test_columns_get_their_defaults(connection: Connection) -> None:
    add(connection)
    assert FIND.run(connection, {"wanted": "Bruce"}).one()[2:] == ({}, NOON, "new")
    assert RENAME.run(connection, {"old": "Bruce", "new": "Darlington"}).rowcount == 1
    assert FIND.run(connection, {"wanted": "Darlington"}).one().state == "changed"
    assert RENAME.run(connection, {"old": "Bruce", "new": "Pickering"}).rowcount == 0


def test_no_row_is_none(connection: Connection) -> None:
    found = FIND.run(connection, {"wanted": "Bruce"})
    assert (found.first(), found.scalar(), list(found), found.all()) == (None, None, [], [])
    with pytest.raises(ValueError, match="not enough values"):
        found.one()


def test_what_is_written_belongs_to_the_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        add(connection)
        connection.rollback()
        assert FIND.run(connection, {"wanted": "Bruce"}).first() is None
        add(connection)
        connection.commit()
    with engine.connect() as other:
        assert FIND.run(other, {"wanted": "Bruce"}).one().name == "Bruce"


def test_a_refusal_of_the_database_has_its_name(connection: Connection) -> None:
    add(connection)
    with pytest.raises(Collision):
        add(connection)
    connection.rollback()
    assert add(connection)


def test_what_no_database_stores_is_replaced(connection: Connection) -> None:
    """Listeners of statements are called, with what they may change."""
    add(connection, "Bruce\0")
    assert FIND.run(connection, {"wanted": "Bruce\ufffd"}).first() is not None


def test_listeners_see_the_statement_before_and_after(
    engine: Engine, connection: Connection
) -> None:
    seen: list[Any] = []

    @event.listens_for(engine, "before_cursor_execute")
    def before(*about: Any) -> None:
        about[4].mark = about[2]

    @event.listens_for(engine, "after_cursor_execute")
    def after(*about: Any) -> None:
        seen.append(about[4].mark)

    FIND.run(connection, {"wanted": "Bruce"})
    assert seen
    assert seen[0].startswith("SELECT")


def test_an_error_of_a_listener_stays_what_it_is(engine: Engine, connection: Connection) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def refuse(*_about: Any) -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        FIND.run(connection, {"wanted": "Bruce"})
    event.remove(engine, "before_cursor_execute", refuse)


def test_an_interruption_replaces_the_connection(engine: Engine, connection: Connection) -> None:
    """What the server still sends would be taken for the next answer."""
    listened: list[str] = []

    @event.listens_for(engine, "after_cursor_execute")
    def interrupt(*about: Any) -> None:
        if not listened:
            listened.append(about[2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FIND.run(connection, {"wanted": "Bruce"})
    assert connection.invalidated
    connection.rollback()
    assert FIND.run(connection, {"wanted": "Bruce"}).first() is None


def held(connection: Connection) -> Any:
    """The cursor of the connection that is used again."""
    return connection.connection.info.get(prepared._CURSOR)


def test_a_cursor_is_used_again_unless_it_holds_many_rows_or_failed(connection: Connection) -> None:
    add(connection)
    first = held(connection)
    assert first is not None
    FIND.run(connection, {"wanted": "Bruce"})
    assert held(connection) is first
    with pytest.raises(Collision):
        add(connection)
    assert held(connection) is None
    connection.rollback()
    for number in range(prepared.MOST_ROWS_HELD + 1):
        add(connection, f"Bruce {number}")
        assert held(connection) is not None
    assert len(Prepared(select(THINGS)).run(connection, {}).all()) > prepared.MOST_ROWS_HELD
    assert held(connection) is None
    add(connection)
    connection.invalidate()
    connection.rollback()
    assert held(connection) is None


def test_a_cursor_that_is_kept_holds_no_lock_of_sqlite(
    engine: Engine, connection: Connection
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("about SQLite")
    add(connection)
    connection.commit()
    FIND.run(connection, {"wanted": "Bruce"})
    assert held(connection) is not None
    with engine.connect() as other:
        blocked, *_ = other.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
    assert not blocked


def test_a_missing_parameter_is_an_error(connection: Connection) -> None:
    with pytest.raises(LookupError, match="wanted"):
        FIND.run(connection, {})


@pytest.mark.parametrize("most", [0, 100], ids=["left to SQLAlchemy", "prepared"])
def test_a_list_has_any_length(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """One list can be in several places, and a statement can have lists of its own."""
    monkeypatch.setattr(prepared, "MOST_TEXTS", most)
    names = THINGS.c.name.in_(bindparam("names"))
    several = Prepared(
        select(THINGS.c.name, THINGS.c.made_at)
        .where(names, or_(names, THINGS.c.state.in_(["new", "changed"])))
        .where(THINGS.c.made_at > bindparam("since"))
        .order_by(THINGS.c.name)
    )
    since = NOON - timedelta(days=1)
    for name in ("Bruce", "Darlington"):
        add(connection, name)
    for wanted in (["Bruce"], ["Darlington"], ["Bruce", "Darlington", "Pickering"], [], ["Bruce"]):
        found = several.run(connection, {"names": wanted, "since": since})
        kept = [name for name in ("Bruce", "Darlington") if name in wanted]
        assert [tuple(row) for row in found] == [(name, NOON) for name in kept]
        again = several.run(connection, {"since": since, "names": wanted})
        assert list(again.scalars()) == kept


@needs_postgresql("SQLite has no connection to lose")
def test_a_broken_connection_is_replaced(engine: Engine, connection: Connection) -> None:
    own = connection.scalar(text("SELECT pg_backend_pid()"))
    with engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
    with pytest.raises(DBAPIError) as caught:
        FIND.run(connection, {"wanted": "Bruce"})
    assert caught.value.connection_invalidated
    with pytest.raises(PendingRollbackError):
        FIND.run(connection, {"wanted": "Bruce"})
    connection.rollback()
    assert FIND.run(connection, {"wanted": "Bruce"}).first() is None


@needs_postgresql("SQLite has no times")
def test_the_driver_gives_times_in_utc(connection: Connection) -> None:
    """So they need no conversion, whatever time zone the server has."""
    add(connection)
    stored = connection.exec_driver_sql("SELECT made_at FROM prepared_things").scalar_one()
    assert stored == NOON
    assert stored.tzinfo is UTC


def test_a_number_with_a_fraction_is_read_as_the_driver_gives_it(engine: Engine) -> None:
    """PostgreSQL's dialect would convert it by the type of the answer, which no cursor has yet."""
    PLACES.create(engine)
    try:
        with engine.begin() as connection:
            Prepared(insert(PLACES).inline()).run(connection, {"id": 1, "at": 43.25})
            Prepared(insert(PLACES).inline()).run(connection, {"id": 2, "at": None})
            found = Prepared(select(PLACES.c.at).order_by(PLACES.c.id)).run(connection, {})
            assert found.scalars() == [43.25, None]
    finally:
        PLACES.drop(engine)
