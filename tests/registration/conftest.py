"""Fixtures: an empty database of registration for each test, on SQLite or on TEST_DATABASE_URL's
server, and a bridge that answers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from registration.models import Base
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Origin, Runtime, UnitOfWork
from tests import tables
from tests.fakes import FakeClock, FakeMailer
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, RA


@pytest.fixture(scope="session")
def prepared_engine(worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database of this test process with all tables; in a PostgreSQL server it is dropped at the
    end."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('prepared')}/registration.db")
        Base.metadata.create_all(made)
        made.dispose()
        yield made
        return
    url = make_url(server)
    name = f"registration_test_{worker_id}_{os.getpid()}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    made = create_engine(url.set(database=name))
    Base.metadata.create_all(made)
    yield made
    made.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def registration_url(prepared_engine: Engine, tmp_path: Path) -> str:
    """A database with empty tables that no other test uses now."""
    if prepared_engine.dialect.name == "sqlite":
        copy = tmp_path / "registration.db"
        shutil.copy(str(prepared_engine.url.database), copy)
        return f"sqlite:///{copy}"
    with prepared_engine.begin() as connection:
        tables.refill(connection, Base.metadata, {})
    return prepared_engine.url.render_as_string(hide_password=False)


@pytest.fixture
def bridge() -> FakeBridge:
    """The bridge of the gateway."""
    return FakeBridge()


@pytest.fixture
def runtime(registration_url: str, bridge: FakeBridge) -> Iterator[Runtime]:
    """A runtime with empty tables."""
    settings = Settings(
        secret_key="registration-secret-of-the-tests-0001", database_url=registration_url
    )
    clock = FakeClock()
    clock.moment = NOW
    made = Runtime.of(settings, Ports(clock, FakeMailer(), bridge))
    yield made
    made.close()


@pytest.fixture
def work(runtime: Runtime) -> Iterator[UnitOfWork]:
    """A unit of work of the Rights Administrator."""
    with runtime.work(Origin(RA)) as work:
        yield work
