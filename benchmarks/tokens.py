"""Requests per second of the protocol endpoints compared with the baseline, in one run."""

from __future__ import annotations

import argparse
import base64
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from cryptography.fernet import Fernet
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, make_url, text

from idp.app import create_app
from idp.cli.database_commands import upgrade_database
from idp.clients import client_data, registry
from idp.credentials import passwords
from idp.db import db
from idp.directory import (
    accounts,
    lifecycle,
    participants,
    role_group_assignments,
    role_groups,
)
from idp.grants import grant_lifecycle
from idp.models import AccountKind, AccountState
from idp.session import sessions
from idp.settings import Settings
from idp.transaction import committing

CONNECTIONS = 16
PORT, FLOOR_PORT = 18800, 18801
FLOOR_TABLE = Table(
    "floor", MetaData(), Column("id", Integer, primary_key=True), Column("jti", String(40))
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Request = tuple[str, str, str, dict[str, str]]


def main() -> None:
    """Prepare, start, measure, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PostgreSQL server; SQLite when left out")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = scratch(options.database, folder)
        environ = environment(url)
        secret, tokens = prepare(environ)
        servers = [
            serve("wsgi:app", PORT, os.environ | environ),
            serve("benchmarks.baseline:app", FLOOR_PORT, os.environ | {"FLOOR_DATABASE": url}),
        ]
        try:
            wait(PORT, "/healthz")
            wait(FLOOR_PORT, "/read")
            report(options.seconds, secret, tokens)
        finally:
            for server in servers:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait()


def report(seconds: float, secret: str, tokens: dict[str, str]) -> None:
    """Measure each endpoint and print a table."""
    basic = base64.b64encode(f"bench:{secret}".encode()).decode()
    client = FORM | {"Authorization": f"Basic {basic}"}
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    look = urlencode({"token": tokens["access_token"]})
    floor = rate(FLOOR_PORT, lambda: ("POST", "/token", "", {}), seconds)
    print(f"{'floor: sign and commit':28} {floor:8.0f}/s")
    cases: dict[str, Callable[[], Request]] = {
        "client credentials": lambda: (
            "POST", "/oauth2/v1/token", "grant_type=client_credentials", client,
        ),
        "userinfo": lambda: ("GET", "/oauth2/v1/userinfo", "", bearer),
        "introspection": lambda: ("POST", "/oauth2/v1/introspect", look, client),
        "JWKS": lambda: ("GET", "/oauth2/v1/keys", "", {}),
        "discovery": lambda: ("GET", "/.well-known/openid-configuration", "", {}),
    }  # fmt: skip
    for name, request in cases.items():
        found = rate(PORT, request, seconds)
        print(f"{name:28} {found:8.0f}/s   {found / floor:5.2f} x floor")


def rate(port: int, request: Callable[[], Request], seconds: float) -> float:
    """Responses per second over CONNECTIONS kept-alive connections. Stops on any error."""
    end = time.perf_counter() + seconds
    counts = [0] * CONNECTIONS

    def run(number: int) -> None:
        connection = HTTPConnection("localhost", port, timeout=30)
        while time.perf_counter() < end:
            method, path, body, headers = request()
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{path} answered {response.status}")
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def prepare(environ: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Create tables, keys, a client, a person with ten role groups, and an access token for
    them."""
    app = create_app(Settings.from_environ(environ))
    upgrade_database(app)
    with app.app_context():
        FLOOR_TABLE.create(db.engine)
        with committing(app.extensions["runtime"].work()) as work:
            data = client_data.ClientData(
                name="bench",
                grant_types=("authorization_code", "client_credentials"),
                scopes=("openid", "profile", "groups", "participants", "api"),
                redirect_uris=("http://localhost/cb",),
                trusted=True,
            )
            client, secret = registry.create(work, data, client_id="bench")
            person = accounts.NewPerson(
                person_id="1", given_name="Ada", family_name="Moreau", email="ada@bench.example"
            )
            account = accounts.create_account(
                work,
                accounts.get_or_create_person(work, person),
                kind=AccountKind.PERSONAL,
                username="moreaua",
            )
            hasher = app.extensions["hasher"]
            passwords.change(work, hasher, account, "Quartz-Heron7-lantern", source="bench")
            lifecycle.change_state(work, account, AccountState.ACTIVE, reason="bench")
            participant = participants.register(work, "109120", "Northern Lakes")
            for n in range(10):
                group = role_groups.create(work, f"Group {n}", clients=[client])
                role_group_assignments.assign(work, account, group, participant)
            session, _ = sessions.start(work, account, methods=["pwd"], previous=None)
            found = grant_lifecycle.Authorization(
                session=session,
                client=client,
                scopes=["openid", "profile", "groups", "participants"],
                claims={},
                nonce=None,
            )
            grant = grant_lifecycle.create_for_person(work, found)
            work.db.flush()
            from idp.oidc import tokens

            ring = app.extensions["oidc"].ring
            issued = tokens.issue(work, ring, grant, tuple(grant.scopes))
        db.engine.dispose()
    return secret, issued


def environment(url: str) -> dict[str, str]:
    """Settings of the gateway under test; access tokens do not expire during the run."""
    return {
        "IDP_ISSUER": f"http://localhost:{PORT}",
        "IDP_DATABASE_URL": url,
        "IDP_SECRET_KEY": "b" * 48,
        "IDP_KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "IDP_PASSWORD_PEPPERS": "k1:" + "p" * 48,
        "IDP_LOG_LEVEL": "ERROR",
    }


def scratch(server: str, folder: str) -> str:
    """Create an empty database for the run."""
    if not server:
        return f"sqlite:///{Path(folder) / 'bench.db'}"
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS gateway_bench WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE gateway_bench"))
    engine.dispose()
    return url.set(database="gateway_bench").render_as_string(hide_password=False)


def serve(target: str, port: int, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start two granian processes of eight threads."""
    command = [
        sys.executable, "-m", "granian", target, "--interface", "wsgi", "--port", str(port),
        "--workers", "2", "--blocking-threads", "8", "--log-level", "error",
    ]  # fmt: skip
    root = Path(__file__).resolve().parents[1]
    return subprocess.Popen(command, env=environ, cwd=root, start_new_session=True)


def wait(port: int, path: str) -> None:
    """Wait until the server answers."""
    for _ in range(200):
        try:
            connection = HTTPConnection("localhost", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}")


if __name__ == "__main__":
    main()
