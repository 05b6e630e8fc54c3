"""Fixtures: a fresh gateway for each test, on SQLite or on TEST_DATABASE_URL's server."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis
from sqlalchemy import Connection, Engine, create_engine, delete, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from idp import models
from idp.app import create_app, db
from idp.db import Base
from idp.grants import signing_keys
from idp.models import Event, SigningKey
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from idp.transaction import committing
from tests import quick, tables
from tests.fakes import FakeClock, FakeLogouts, FakeMailer, FakeSms
from tests.shell import Run, shell
from tests.world import World

quick.install()

# A developer's shell may have the settings of an installation.
for _name in [name for name in os.environ if name.startswith(("IDP_", "REGISTRATION_"))]:
    del os.environ[_name]

# A busy machine is no fault of the code; in CI the examples are the same at every run.
hypothesis_settings.register_profile(
    "gateway",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("gateway")


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for a second run, on another database."""
    parser.addoption(
        "--cases", type=int, metavar="N", help="run at most N cases of each test with parameters"
    )
    parser.addoption("--faults", action="store_true", help="run the long tests of faults too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what runs the demonstration: on another database it would show the same. Leave out the
    cases that are too many, and the tests of faults that take long."""
    for item in items:
        if "live_demo" in getattr(item, "fixturenames", ()):
            item.add_marker("demo")
    if not config.getoption("--faults"):
        long = [item for item in items if "faults" in item.path.parts and not is_quick(item)]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    if (most := config.getoption("--cases")) is None:
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for each in cases.values() for item in spread(each, most)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def is_quick(item: pytest.Item) -> bool:
    """Whether a test of faults is one of those that run with all others."""
    return item.get_closest_marker("quick") is not None


def spread(cases: list[pytest.Item], most: int) -> list[pytest.Item]:
    """At most so many of them, at even distances."""
    if len(cases) <= most:
        return cases
    return [cases[number * len(cases) // most] for number in range(most)]


def pytest_collection_finish() -> None:
    """What was imported stays until the end: it is not searched for garbage at each test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def pytest_sessionfinish() -> None:
    quick.close_connections()


FERNET = Fernet.generate_key().decode()
PREPARED_KEYS: list[dict[str, Any]] = []


def _rows_of_keys() -> list[dict[str, Any]]:
    columns = [column.key for column in SigningKey.__table__.columns]
    rows = db.session.scalars(select(SigningKey)).all()
    return [{key: getattr(row, key) for key in columns} for row in rows]


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """An empty database of this test process; in a PostgreSQL server it is dropped at the end."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/gateway.db"
        return
    url = make_url(server)
    name = f"gateway_test_{worker_id}_{os.getpid()}"
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


@pytest.fixture(scope="session")
def redis_url(worker_id: str) -> str:
    """A Redis database of this test process, where there is a server."""
    server = os.environ.get("TEST_REDIS_URL", "")
    if not server:
        return ""
    # The database that the address names is the first process's; the others count down from it.
    base, number = server.rsplit("/", 1)
    process = 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))
    return f"{base}/{int(number) - process}"


@pytest.fixture(scope="session")
def base_settings(database_url: str, redis_url: str) -> Settings:
    """Settings of a sandbox with cheap hashes."""
    return Settings(
        environment="sandbox",
        issuer="https://gateway.test",
        database_url=database_url,
        redis_url=redis_url,
        secret_key="t" * 20 + "-signing-root-of-the-tests",
        key_encryption_keys=(FERNET,),
        password_peppers=("k1:" + "p" * 32,),
        pairwise_secret="s" * 32,
        bcrypt_cost=4,
        signin_limit="100000 per minute",
        signin_failure_limit="100000 per minute",
        recovery_limit="100000 per minute",
        # Accounts made by tests have no factors unless a test is about them.
        enrolment="optional",
    )


def make_tables() -> None:
    """All tables as the models say, marked as made by the last migration."""
    models.tables().create_all(db.engine)
    with db.engine.begin() as connection:
        _stamp(connection)


def _stamp(connection: Connection) -> None:
    MigrationContext.configure(connection).stamp(_migrations(), "head")


@cache
def _migrations() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parents[1] / "migrations"))


@pytest.fixture(scope="session")
def prepared(base_settings: Settings) -> Path | None:
    """Tables and signing keys, made once; for SQLite the file that each test gets a copy of."""
    clock = FakeClock()
    clock.advance(days=-1)
    app = create_app(base_settings, Ports(clock, SystemTokens(), FakeMailer()))
    with app.app_context():
        make_tables()
        with committing(app.extensions["runtime"].work()) as work:
            signing_keys.ensure(work)
            # Nobody seals this trail: an old event would be an alarm in every test.
            work.db.flush()
            work.db.execute(delete(Event))
        if db.engine.dialect.name == "sqlite":
            with db.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        PREPARED_KEYS[:] = _rows_of_keys()
        db.session.remove()
        db.engine.dispose()
    if not base_settings.database_url.startswith("sqlite"):
        return None
    return Path(base_settings.database_url.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def between_tests(database_url: str, prepared: Path | None) -> Iterator[Engine | None]:
    """The connection by which PostgreSQL's tables are emptied, made before any test's own."""
    if prepared is not None:
        yield None
        return
    engine = create_engine(database_url)
    engine.connect().close()
    yield engine
    engine.dispose()


@pytest.fixture
def settings(
    base_settings: Settings, prepared: Path | None, between_tests: Engine | None, tmp_path: Path
) -> Iterator[Settings]:
    """The settings of one test, on a database that nobody has used; override with
    ``dataclasses.replace`` in a fixture of one's own."""
    if base_settings.redis_url:
        with closing(Redis.from_url(base_settings.redis_url)) as connection:
            connection.flushdb()
    if prepared is None:
        yield base_settings
        assert between_tests
        _empty(between_tests)
        return
    copy = tmp_path / "gateway.db"
    shutil.copy(prepared, copy)
    yield replace(base_settings, database_url=f"sqlite:///{copy}")


@pytest.fixture
def strict(settings: Settings) -> Iterator[World]:
    """The same with enrolment required, as in production."""
    yield from _world(replace(settings, enrolment="required"))


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A gateway of this test's own."""
    yield from _world(settings)


def _world(settings: Settings) -> Iterator[World]:
    clock, mailer, sms, logouts = FakeClock(), FakeMailer(), FakeSms(), FakeLogouts()
    app = create_app(settings, Ports(clock, SystemTokens(), mailer, sms, logouts=logouts))
    yield World(app, settings, clock, mailer, sms, logouts)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _empty(engine: Engine) -> None:
    """Empty every table; the prepared signing keys, slow to make, are put back."""
    with engine.begin() as connection:
        tables.refill(
            connection, Base.metadata, {Base.metadata.tables["signing_key"]: PREPARED_KEYS}
        )
        # A test may have tried what tables of no version are answered.
        _stamp(connection)


@pytest.fixture(scope="session")
def live_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The demo as a newcomer starts it; yields what ``demo.json`` says."""
    from tests.live import start_demo

    with start_demo(tmp_path_factory.mktemp("demo")) as description:
        yield description


@pytest.fixture(autouse=True)
def _connections_end_with_the_test() -> Iterator[None]:
    """A second gateway of a test leaves its pool behind: its idle connections are kept for the next
    test, the others are closed."""
    opened: list[Any] = []

    def note(connection: Any, _record: Any) -> None:
        if hasattr(connection, "pgconn"):
            opened.append(connection)

    event.listen(Pool, "connect", note)
    yield
    event.remove(Pool, "connect", note)
    for connection in opened:
        if not quick.release(connection):
            connection.close()


@pytest.fixture
def run(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``gateway`` on the database of ``world``."""
    return shell(settings, monkeypatch)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and self-signed certificate for 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return path
