"""Fixtures: an empty database of registration for each test, on SQLite or on TEST_DATABASE_URL's
server, and a bridge that answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from registration.models import Base
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Origin, Runtime, UnitOfWork
from tests.fakes import FakeClock, FakeMailer
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, RA


@pytest.fixture(scope="session")
def registration_url(worker_id: str) -> Iterator[str]:
    """A database of this test process in a PostgreSQL server; empty where there is none."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield ""
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
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def bridge() -> FakeBridge:
    """The bridge of the gateway."""
    return FakeBridge()


@pytest.fixture
def runtime(registration_url: str, tmp_path: Path, bridge: FakeBridge) -> Iterator[Runtime]:
    """A runtime with empty tables."""
    settings = Settings(
        secret_key="registration-secret-of-the-tests-0001",
        database_url=registration_url or f"sqlite:///{tmp_path}/registration.db",
    )
    clock = FakeClock()
    clock.moment = NOW
    made = Runtime.of(settings, Ports(clock, FakeMailer(), bridge))
    if registration_url:
        Base.metadata.drop_all(made.engine)
    Base.metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def work(runtime: Runtime) -> Iterator[UnitOfWork]:
    """A unit of work of the Rights Administrator."""
    with runtime.work(Origin(RA)) as work:
        yield work
