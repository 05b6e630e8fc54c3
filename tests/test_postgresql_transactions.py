"""PostgreSQL begins a transaction with the first statement that needs one (docs/decisions/0064)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, Select, create_engine, select, text
from sqlalchemy import column as of
from sqlalchemy import table as table_of
from sqlalchemy.exc import OperationalError

from service_base import database
from service_base.refusals import Collision
from tests.tables import needs_postgresql

pytestmark = needs_postgresql("tests/security/test_sqlite_writers.py for SQLite")
ROWS = table_of("pg_temp_rows", of("id"))
READ = select(ROWS.c.id)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    options = database.engine_options(database_url) | {"pool_size": 1}
    engine = create_engine(database_url, **options)
    database.prepare_engine(engine)
    # A temporary table lasts as long as the one connection of this pool.
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE pg_temp_rows (id INTEGER PRIMARY KEY)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE pg_temp_rows"))
    engine.dispose()


def is_open(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    assert driver is not None
    return bool(driver.info.transaction_status != TransactionStatus.IDLE)


def test_a_read_needs_no_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalars(READ).all() == []
        assert not is_open(connection)


@pytest.mark.parametrize(
    "statement",
    [
        READ.with_for_update(),
        READ.with_for_update(read=True),
        READ.with_for_update(key_share=True),
        READ.with_for_update(key_share=True, read=True),
        READ.with_for_update(skip_locked=True),
        READ.execution_options(yield_per=10),
    ],
    ids=["update", "share", "no key update", "key share", "skip locked", "server cursor"],
)
def test_a_read_that_locks_or_streams_is_in_a_transaction(
    engine: Engine, statement: Select[int]
) -> None:
    """A lock lasts until the commit, and a cursor of the server as long as its transaction."""
    with engine.connect() as connection:
        connection.execute(statement).all()
        assert is_open(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO pg_temp_rows VALUES (1)",
        "WITH one AS (INSERT INTO pg_temp_rows VALUES (1) RETURNING id) SELECT id FROM one",
    ],
)
def test_a_write_is_rolled_back_with_all_others(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(READ)
        connection.execute(text(statement))
        connection.execute(text("INSERT INTO pg_temp_rows VALUES (2)"))
        connection.rollback()
        assert connection.scalars(READ).all() == []


def test_a_savepoint_before_the_first_write_is_in_a_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        point = connection.begin_nested()
        connection.execute(text("INSERT INTO pg_temp_rows VALUES (1)"))
        point.rollback()
        connection.commit()
        assert connection.scalars(READ).all() == []


def test_the_next_request_of_a_connection_reads_without_a_transaction(engine: Engine) -> None:
    """After a commit, and after an error that rolled back."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO pg_temp_rows VALUES (1)"))
    with engine.connect() as connection:
        assert connection.scalars(READ).all() == [1]
        assert not is_open(connection)
    with engine.connect() as connection, pytest.raises(Collision):
        connection.execute(text("INSERT INTO pg_temp_rows VALUES (1)"))
    with engine.connect() as connection:
        assert connection.scalars(READ).all() == [1]
        assert not is_open(connection)


def test_a_connection_without_transactions_stays_so(engine: Engine) -> None:
    """As for CREATE DATABASE."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("INSERT INTO pg_temp_rows VALUES (1)"))
        assert not is_open(connection)
    with engine.connect() as connection:
        assert connection.scalars(READ).all() == [1]
        assert not is_open(connection)


def late(engine: Engine, act: str) -> None:
    """Do something at the commit of each new row."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION pg_temp.late() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ BEGIN {act}; RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON pg_temp_rows INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION pg_temp.late()"
            )
        )


#: A statement that commits itself (``service_base.database.WHOLE_TRANSACTION``).
WHOLE = text(
    "WITH whole_transaction AS (INSERT INTO pg_temp_rows VALUES (7) RETURNING id)"
    " SELECT id FROM whole_transaction"
)


def test_an_error_at_the_commit_of_a_statement_that_commits_itself_is_found(
    engine: Engine,
) -> None:
    """PostgreSQL tells it after it has told that the statement is complete."""
    late(engine, "RAISE unique_violation")
    with engine.connect() as connection:
        with pytest.raises(Collision):
            connection.execute(WHOLE)
        connection.rollback()
        assert connection.scalars(READ).all() == []


@pytest.mark.parametrize("statement", [ROWS.insert().values(id=7), WHOLE], ids=["usual", "whole"])
def test_a_commit_with_a_warning_is_not_acknowledged(engine: Engine, statement: Any) -> None:
    """R09: so does PostgreSQL say that no standby confirmed it. The change is stored."""
    late(engine, "RAISE WARNING 'unconfirmed'")
    with (
        pytest.raises(OperationalError, match="no standby has confirmed"),
        engine.begin() as connection,
    ):
        connection.execute(statement)
    with engine.connect() as connection:
        assert connection.scalars(READ).all() == [7]
