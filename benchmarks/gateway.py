"""A gateway to measure: its database, the people and clients in it, and its processes."""

from __future__ import annotations

import base64
import compileall
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, make_url, text

from benchmarks.floor_table import FLOOR_TABLE
from idp import foundation
from idp.app import create_app, db
from idp.cli.database_commands import upgrade_database
from idp.clients import client_data, registry
from idp.credentials import passwords
from idp.credentials.passwords import PasswordSource
from idp.directory import (
    accounts,
    lifecycle,
    participants,
    role_group_assignments,
    role_groups,
)
from idp.machines import registered_networks
from idp.models import Account, AccountKind, AccountState, Client
from idp.session import sessions
from idp.settings import Settings
from idp.transaction import UnitOfWork, committing

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "gateway_bench"
PASSWORD = "Quartz-Heron7-lantern"
#: Of two clients that differ in the signatures of their ID tokens. The peers sign by ES256 too.
CLIENT, RS256_CLIENT = "bench", "bench-rs256"
MACHINE = "APIBENCH00042"
PERSON = "moreaua"
#: They sign in while something else is measured.
PEOPLE = ("singha", "tremblayb", "nguyenc", "kowalskid")
LOOPBACK = [("127.0.0.1/32", "here"), ("::1/128", "here")]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What requests to the gateway under test need."""

    #: Authorization headers of the client, of the one with ID tokens by RS256, of the one that
    #: pushes, and of the program.
    client: str
    rs256: str
    pusher: str
    machine: str
    #: The Cookie header of a signed-in browser.
    session: str


def environment(url: str, port: int) -> dict[str, str]:
    """Settings of the gateway under test; codes live as long as a run needs them."""
    return {
        "IDP_ISSUER": f"http://127.0.0.1:{port}",
        "IDP_DATABASE_URL": url,
        "IDP_SECRET_KEY": "b" * 48,
        "IDP_KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "IDP_PASSWORD_PEPPERS": "k1:" + "p" * 48,
        "IDP_CODE_TTL": "300",
        "IDP_ACCESS_TOKEN_TTL": "3600",
        "IDP_PUSH_LIMIT": "60000 per minute",
        "IDP_SIGNIN_LIMIT": "60000 per minute",
        "IDP_ENROLMENT": "optional",
    }


def scratch(server: str, folder: str, name: str = DATABASE) -> str:
    """Create an empty database for the run."""
    if not server:
        return f"sqlite:///{Path(folder) / 'bench.db'}"
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


def analyze(url: str) -> None:
    """As PostgreSQL does by itself within a minute. It would go on with plans for empty tables."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def compile_modules() -> None:
    """As the installation of a release does. Python compiles the others at each start where it may
    not write, or is told not to."""
    for package in ("hosted_pages", "idp", "registration_bridge", "service_base"):
        compileall.compile_dir(ROOT / package, quiet=1)


def prepare(environ: Mapping[str, str]) -> Credentials:
    """Create tables, keys, two clients, a client that pushes, a person with ten role groups and a
    session, and a program in the network of this machine."""
    settings = Settings.from_environ({**environ, "IDP_LOG_LEVEL": "ERROR"})
    app = create_app(settings)
    base = foundation.connect(settings)
    upgrade_database(base)
    base.close()
    with app.app_context():
        with committing(app.extensions["runtime"].work()) as work:
            client, secret = _client(work, CLIENT, "ES256")
            rs256, rs256_secret = _client(work, RS256_CLIENT, "RS256")
            _, push_secret = registry.create(
                work,
                client_data.ClientData(
                    name="pusher", grant_types=("client_credentials",), scopes=("scim",)
                ),
                client_id="pusher",
                is_approved=True,
            )
            account = _account(work, PERSON, AccountKind.PERSONAL, "1")
            passwords.change(
                work, app.extensions["hasher"], account, PASSWORD, source=PasswordSource.SETTINGS
            )
            machine = _account(work, MACHINE, AccountKind.MACHINE, "2")
            passwords.change(
                work, app.extensions["hasher"], machine, PASSWORD, source=PasswordSource.SETTINGS
            )
            others = [
                _account(work, name, AccountKind.PERSONAL, f"3{n}") for n, name in enumerate(PEOPLE)
            ]
            for row in others:
                passwords.change(
                    work, app.extensions["hasher"], row, PASSWORD, source=PasswordSource.SETTINGS
                )
            for row in (account, machine, *others):
                lifecycle.change_state(work, row, AccountState.ACTIVE, reason="bench")
                row.ready_at = work.now
            registered_networks.replace(work, machine, LOOPBACK)
            _role_groups(work, [client, rs256], account, machine)
            _, cookie = sessions.start(work, account, methods=["pwd"], own=None)
        FLOOR_TABLE.create(db.engine)
        db.engine.dispose()
    return Credentials(
        client=_basic(client_id=CLIENT, secret=secret),
        rs256=_basic(client_id=RS256_CLIENT, secret=rs256_secret),
        pusher=_basic(client_id="pusher", secret=push_secret),
        machine=_basic(client_id=MACHINE, secret=PASSWORD),
        session=f"{settings.cookie_name('session')}={cookie}",
    )


def _client(work: UnitOfWork, client_id: str, id_token_alg: str) -> tuple[Client, str]:
    return registry.create(
        work,
        client_data.ClientData(
            name=client_id,
            grant_types=("authorization_code", "client_credentials", "refresh_token"),
            scopes=("openid", "profile", "groups", "participants", "offline_access", "api"),
            redirect_uris=("http://localhost/cb",),
            trusted=True,
            id_token_alg=id_token_alg,
        ),
        client_id=client_id,
    )


def _account(work: UnitOfWork, username: str, kind: AccountKind, person_id: str) -> Account:
    person = accounts.NewPerson(
        person_id=person_id,
        given_name="Ada",
        family_name="Moreau",
        email=f"{username.lower()}@bench.example",
    )
    holder = accounts.get_or_create_person(work, person)
    return accounts.create_account(work, holder, kind=kind, username=username)


def _role_groups(
    work: UnitOfWork, clients: list[Client], account: Account, machine: Account
) -> None:
    participant = participants.register(work, "109120", "Northern Lakes")
    for n in range(10):
        group = role_groups.create(work, f"Group {n}", clients=clients)
        role_group_assignments.assign(work, account, group, participant)
    group = role_groups.create(work, "Web services", kind="machine", clients=clients)
    role_group_assignments.assign(work, machine, group, participant)


def _basic(*, client_id: str, secret: str | None) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@contextmanager
def served(
    command: list[str], port: int, environ: Mapping[str, str], path: str = "/healthz"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the duration of the block. Its log goes nowhere, but it is written."""
    process = subprocess.Popen(
        command,
        env=environ,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(port, path)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def gateway_command(port: int, workers: int = 2) -> list[str]:
    """``gateway serve``, as in production."""
    return [sys.executable, "-m", "idp.cli", "serve", "--port", str(port), "--workers",
            str(workers)]  # fmt: skip


def floor_command(port: int) -> list[str]:
    """The floor with as many processes and threads."""
    return [
        sys.executable, "-m", "granian", "benchmarks.floor:app", "--interface", "wsgi", "--port",
        str(port), "--workers", "2", "--blocking-threads", "8", "--log-level", "error",
    ]  # fmt: skip


def wait(port: int, path: str) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nothing answers on port {port}")
