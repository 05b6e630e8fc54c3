"""An installation of the gateway as an operator has it: settings, a database and processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from idp.app import create_app, db
from idp.clients import registry
from idp.clients.client_data import ClientData
from idp.ports import Ports, SystemClock, SystemTokens
from idp.settings import Settings
from idp.vault import Vault
from tests.fakes import FakeMailer
from tests.faults.servers import HOST, LOCAL, Host, wait_for
from tests.live import free_ports
from tests.world import Rp, World

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "http://localhost:1"
HOST_HEADER = "localhost:1"
PUSHER = "pusher"
RATE = "100000 per minute"
CALLBACK = "http://localhost/cb"


def settings_of(database_url: str, redis_url: str = "") -> dict[str, str]:
    """The environment of every process of an installation."""
    return {
        "IDP_ISSUER": ISSUER,
        "IDP_DATABASE_URL": database_url,
        "IDP_REDIS_URL": redis_url,
        "IDP_SECRET_KEY": "f" * 48,
        "IDP_KEY_ENCRYPTION_KEYS": KEY,
        "IDP_PASSWORD_PEPPERS": "k1:" + "p" * 48,
        "IDP_BCRYPT_COST": "4",
        "IDP_ENROLMENT": "optional",
        "IDP_SIGNIN_LIMIT": RATE,
        "IDP_SIGNIN_FAILURE_LIMIT": RATE,
        "IDP_RECOVERY_LIMIT": RATE,
        "IDP_PUSH_LIMIT": RATE,
        # Each push of the load suspends an account, which is no fault here.
        "IDP_MASS_CHANGE_LEAST": "100000",
        "IDP_LOG_LEVEL": "WARNING",
    }


KEY = Fernet.generate_key().decode()


@dataclass
class Process:
    """A process of the installation, with what it logged."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0
    host: Host = LOCAL

    @property
    def address(self) -> str:
        """Where ``gateway serve`` listens."""
        return f"{self.host.address}:{self.port}"

    def children(self) -> list[int]:
        """The worker processes of ``gateway serve``."""
        pid = self.process.pid
        try:
            return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def kill(self) -> None:
        """SIGKILL for the process and its children, at once."""
        for pid in [self.process.pid, *self.children()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(20)

    def stop(self, seconds: float = 40) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def logged(self) -> str:
        """What it wrote, if that was kept."""
        return self.log.read_text(errors="replace") if self.log.is_file() else ""


@dataclass
class Installation:
    """Settings, people and clients in a database, and the processes that were started."""

    folder: Path
    settings: dict[str, str]
    rp: Rp = field(init=False)
    pusher: Rp = field(init=False)
    #: Each client of the load has one of them.
    people: list[str] = field(default_factory=list)
    #: They lose their access during the load.
    victims: list[str] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.settings["IDP_DATABASE_URL"]

    def environ(self, **changes: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("IDP_")}
        return kept | self.settings | changes

    def run(
        self, *arguments: str, check: bool = True, module: str = "idp.cli", **changes: str
    ) -> str:
        """A command of ``gateway``, or of another program; returns what it said."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, text=True, timeout=120,
            env=self.environ(**changes), capture_output=True, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(
        self,
        *arguments: str,
        prefix: tuple[str, ...] = (),
        log: Path | None = None,
        host: Host = LOCAL,
        code: Path = ROOT,
        module: str = "idp.cli",
        **changes: str,
    ) -> Process:
        """A process of ``gateway``, or of another program, that goes on running; ``code`` is the
        folder of its release."""
        log = log or self.folder / f"log{len(self.started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*host.prefix, *prefix, sys.executable, "-m", module, *arguments], cwd=code,
                env=self.environ(**changes), stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        made = Process(process, log, host=host)
        self.started.append(made)
        return made

    def serve(
        self,
        *,
        workers: int = 2,
        port: int = 0,
        prefix: tuple[str, ...] = (),
        log: Path | None = None,
        host: Host = LOCAL,
        code: Path = ROOT,
        **changes: str,
    ) -> Process:
        """``gateway serve``, ready to answer."""
        port = port or free_ports(1)
        options = ("--host", host.address, "--port", str(port), "--workers", str(workers))
        made = self.start(
            "serve", *options, prefix=prefix, log=log, host=host, code=code, **changes
        )
        made.port = port
        try:
            wait_for(lambda: status_of(made.address, "/readyz") == 200, 60, "the gateway")
        except AssertionError as error:
            raise AssertionError(f"{error}: {made.logged()}") from None
        return made

    def work(
        self, *, log: Path | None = None, host: Host = LOCAL, code: Path = ROOT, **changes: str
    ) -> Process:
        """``gateway worker``."""
        return self.start("worker", "--interval", "0.2", log=log, host=host, code=code, **changes)

    def stop(self) -> None:
        """End every process that still runs."""
        for made in self.started:
            if made.process.poll() is None:
                made.kill()

    def vault(self) -> Vault:
        return Vault(Settings.from_environ(self.settings))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds, asked without the gateway's code. Times are text on SQLite."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)) as file:
                return file.execute(statement, values).fetchall()
        url = self.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            return connection.execute(
                statement.replace("?", "%s").encode(), values or None
            ).fetchall()

    def change(self, statement: str, *values: Any) -> None:
        """Change rows without the gateway's code, such as the time of the next attempt."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)) as file:
                file.execute(statement, values)
                file.commit()
            return
        url = self.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.replace("?", "%s").encode(), values or None)

    def fill(self, people: int = 8, victims: int = 0) -> None:
        """Create clients and people."""
        with self.world() as world:
            self.rp = world.relying_party(
                redirect_uris=(CALLBACK,), home_url="", post_logout_redirect_uris=(),
                grant_types=("authorization_code", "refresh_token", "client_credentials"),
                scopes=("openid", "profile", "email", "offline_access", "api"),
            )  # fmt: skip
            with world.work() as work:
                client, secret = registry.create(
                    work,
                    ClientData(name=PUSHER, grant_types=("client_credentials",), scopes=("scim",)),
                    client_id=PUSHER,
                    is_approved=True,
                )
                self.pusher = Rp(client.client_id, secret, "")
            self.people = [world.account() for _ in range(people)]
            self.victims = [world.account() for _ in range(victims)]

    @contextmanager
    def world(self) -> Iterator[World]:
        """The gateway in this process, at the time of the machine."""
        settings = Settings.from_environ(self.settings)
        ports = Ports(SystemClock(), SystemTokens(), FakeMailer())
        app = create_app(settings, ports)
        try:
            yield World(app, settings, ports.clock, ports.mailer)  # type: ignore[arg-type]
        finally:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


#: A port of this machine, or ``host:port``.
Address = int | str


def connect(address: Address, timeout: float) -> HTTPConnection:
    """A connection to ``gateway serve`` or its proxy, not opened yet."""
    return HTTPConnection(
        f"{HOST}:{address}" if isinstance(address, int) else address, timeout=timeout
    )


def status_of(address: Address, path: str, timeout: float = 5) -> int:
    """The status of a GET; 0 if nothing answers."""
    connection = connect(address, timeout)
    try:
        connection.request("GET", path, headers={"Host": HOST_HEADER})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
