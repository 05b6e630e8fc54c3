"""The gateway and other providers in one run: CPU time, rate and tail of the same requests.

Peers from npm and PyPI are installed into build/peers, Glewlwyd is that of the system (Debian:
apt-get install glewlwyd). Gateway and django-oauth-toolkit have two processes each and commit
durably to SQLite, as Glewlwyd does with one process; node oidc-provider has one, and keeps all in
memory. What is not installed is named, and the run goes on.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks import bar_chart, gateway
from benchmarks.cases import FORM, REFRESH_TOKENS, Visitor, refresh_load
from benchmarks.cpu import machine, say
from benchmarks.load import Load, Result, cpu_of_session, measure
from benchmarks.peers import glewlwyd as glewlwyd_peer

INSTALLED = gateway.ROOT / "build" / "peers"
PEERS = Path(__file__).with_name("peers")
NODE_PACKAGE = "oidc-provider@^9.13"
DJANGO_PACKAGES = ("django-oauth-toolkit>=3.4", "granian>=2.8")
PORT = 18820
OURS = "gateway"
GRANT = urlencode({"grant_type": "client_credentials", "scope": "api"})
Table = dict[str, dict[str, Result]]


class NotInstalled(Exception):
    """A peer is not there, and cannot be installed from a registry of packages."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A provider that answers, and where it answers what."""

    name: str
    port: int
    leader: int
    authorization: str
    token: str
    introspection: str
    userinfo: str
    keys: str
    discovery: str
    #: Of a person: an access token, and refresh tokens that are used up.
    access_token: str
    refresh_tokens: list[str]
    #: A file for them.
    file: str
    #: What the request of an introspected token has besides.
    introspected: str = ""

    def loads(self) -> Iterator[tuple[str, Load]]:
        """The requests of the table."""
        signed = FORM | {"Authorization": self.authorization}
        yield (
            "token, client credentials",
            Load(path=self.token, method="POST", body=GRANT, headers=signed),
        )
        yield "introspection", Load(
            path=self.introspection, method="POST", headers=signed,
            body=urlencode({"token": self._token(signed)}),
        )  # fmt: skip
        bearer = {"Authorization": f"Bearer {self.access_token}"}
        yield "userinfo", Load(path=self.userinfo, headers=bearer)
        yield "token, refresh", refresh_load(self.token, signed, self.refresh_tokens, self.file)
        yield "JWKS", Load(path=self.keys)
        yield "discovery", Load(path=self.discovery)

    def _token(self, headers: dict[str, str]) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", self.token, GRANT + self.introspected, headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {answer.status} {body}")
        return str(json.loads(body)["access_token"])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5, help="of each request")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--svg", type=Path, help="a file for a chart of CPU time")
    options = parser.parse_args()
    found: Table = {}
    versions: dict[str, str] = {}
    for peer in PEERS_OF_RUN:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            try:
                server, version = stack.enter_context(peer(folder, options.port))
            except NotInstalled as absent:
                say(f"{absent} is not installed")
                continue
            found[server.name] = dict(_measured(server, options.seconds))
            versions[server.name] = version
    if options.svg:
        milliseconds = {
            name: {request: row.cpu_ms for request, row in rows.items()}
            for name, rows in found.items()
        }
        chart = bar_chart.svg("CPU time of the server for one response", milliseconds)
        options.svg.write_text(chart, encoding="utf-8")
    if options.json:
        rows = {name: {k: asdict(v) for k, v in row.items()} for name, row in found.items()}
        print(json.dumps({"machine": machine() | versions, "results": rows}, indent=2))
    else:
        show(found)
        print("\n".join(f"{name}: {value}" for name, value in (machine() | versions).items()))


def _measured(server: Server, seconds: float) -> Iterator[tuple[str, Result]]:
    cpu = cpu_of_session(server.leader)
    for name, load in server.loads():
        say(f"{server.name}: {name}")
        if not load.script:
            measure(server.port, load, 1, cpu, dict)
        result = measure(server.port, load, seconds, cpu, dict)
        if not result.failed:
            yield name, result
            continue
        failed = f"{server.name}, {name}: {result.failed} of {result.answers} failed"
        if server.name == OURS:
            raise SystemExit(failed)
        say(failed)


def show(found: Table) -> None:
    """The table for people."""
    print(f"{'request':28}{'provider':24}{'CPU ms':>8}{'/s':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for request in next(iter(found.values())):
        for name, rows in found.items():
            if (row := rows.get(request)) is None:
                print(f"{request:28}{name:24}{'fails':>8}")
                continue
            print(
                f"{request:28}{name:24}{row.cpu_ms:8.2f}{row.rate:8.0f}{row.p50_ms:8.1f}"
                f"{row.p99_ms:8.1f}"
            )


@contextmanager
def ours(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """The gateway, on SQLite with durable commits."""
    say("preparing the gateway")
    environ = gateway.environment(gateway.scratch("", folder), port)
    credentials = gateway.prepare(environ)
    with gateway.served(gateway.gateway_command(port), port, os.environ | environ) as process:
        visitor = Visitor(port, credentials, folder)
        issued = [visitor.tokens() for _ in range(REFRESH_TOKENS)]
        yield Server(
            name=OURS, port=port, leader=process.pid, authorization=credentials.client,
            token="/oauth2/v1/token", introspection="/oauth2/v1/introspect",
            userinfo="/oauth2/v1/userinfo", keys="/oauth2/v1/keys",
            discovery="/.well-known/openid-configuration", file=visitor.file("refresh"),
            access_token=issued[0]["access_token"],
            refresh_tokens=[tokens["refresh_token"] for tokens in issued],
        ), "SQLite, synchronous FULL, 2 processes"  # fmt: skip


@contextmanager
def node_oidc_provider(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """node oidc-provider, from npm."""
    modules = INSTALLED / "node" / "node_modules"
    if not modules.exists():
        say("installing node oidc-provider")
        modules.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--prefix", str(modules.parent), NODE_PACKAGE]
        subprocess.run(command, check=True)
    about = json.loads((modules / "oidc-provider" / "package.json").read_text(encoding="utf-8"))
    secret = secrets.token_urlsafe(32)
    environ = {"PEER_PORT": str(port), "PEER_SECRET": secret, "PEER_MODULES": str(modules),
               "NODE_ENV": "production", **_issued(folder)}  # fmt: skip
    command = ["node", str(PEERS / "node_oidc_provider.mjs")]
    with gateway.served(command, port, os.environ | environ, "/jwks") as process:
        yield Server(
            name="node oidc-provider", port=port, leader=process.pid, authorization=_basic(secret),
            token="/token", introspection="/token/introspection", userinfo="/me", keys="/jwks",
            discovery="/.well-known/openid-configuration", **_read(folder),
            introspected="&" + urlencode({"resource": f"http://127.0.0.1:{port}/opaque"}),
        ), f"{about['version']}, in memory, 1 process"  # fmt: skip


@contextmanager
def django_oauth_toolkit(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """django-oauth-toolkit, from PyPI, in an environment of its own."""
    home = INSTALLED / "django"
    python = home / "bin" / "python"
    if not python.exists():
        say("installing django-oauth-toolkit")
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *DJANGO_PACKAGES], check=True)
    secret = secrets.token_urlsafe(32)
    environ = os.environ | {"PEER_DATABASE": str(Path(folder) / "peer.db"), "PEER_SECRET": secret,
                            "PEER_KEY": _rsa_key(), **_issued(folder)}  # fmt: skip
    subprocess.run([python, str(PEERS / "django_oauth_toolkit.py"), "prepare"],
                   env=environ, check=True)  # fmt: skip
    command = [
        str(python), "-m", "granian", "benchmarks.peers.django_oauth_toolkit:app", "--interface",
        "wsgi", "--port", str(port), "--workers", "2", "--blocking-threads", "8", "--log-level",
        "error",
    ]  # fmt: skip
    keys = "/o/.well-known/jwks.json"
    asked = "import importlib.metadata as m; print(m.version('django-oauth-toolkit'))"
    version = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    with gateway.served(command, port, environ, keys) as process:
        yield Server(
            name="django-oauth-toolkit", port=port, leader=process.pid,
            authorization=_basic(secret), token="/o/token/", introspection="/o/introspect/",
            userinfo="/o/userinfo/", keys=keys, discovery="/o/.well-known/openid-configuration",
            **_read(folder),
        ), f"{version.stdout.strip()}, SQLite, synchronous FULL, 2 processes"  # fmt: skip


@contextmanager
def glewlwyd(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """Glewlwyd, of the system."""
    if glewlwyd_peer.PROGRAM is None or not glewlwyd_peer.TABLES.exists():
        raise NotInstalled("glewlwyd")
    say("preparing glewlwyd")
    secret, at = secrets.token_urlsafe(32), glewlwyd_peer.PREFIX
    asked = [glewlwyd_peer.PROGRAM, "--version"]
    version = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.split()
    with gateway.served(
        glewlwyd_peer.command(folder, port), port, os.environ, "/config"
    ) as process:
        access, *refresh = glewlwyd_peer.set_up(port, secret, REFRESH_TOKENS)
        yield Server(
            name="glewlwyd", port=port, leader=process.pid, authorization=_basic(secret),
            token=f"{at}/token", introspection=f"{at}/introspect", userinfo=f"{at}/userinfo",
            keys=f"{at}/jwks", discovery=f"{at}/.well-known/openid-configuration",
            access_token=access, refresh_tokens=refresh, file=str(Path(folder) / "refresh"),
        ), f"{version[-1] if version else ''}, SQLite, synchronous FULL, 1 process"  # fmt: skip


#: In the order of the table.
PEERS_OF_RUN = (ours, node_oidc_provider, django_oauth_toolkit, glewlwyd)


def _issued(folder: str) -> dict[str, str]:
    """Where a peer writes the tokens of a person, and how many refresh tokens."""
    return {"PEER_TOKENS": str(Path(folder) / "tokens"), "PEER_REFRESH": str(REFRESH_TOKENS)}


def _read(folder: str) -> dict[str, Any]:
    """What it wrote: the access token, then the refresh tokens."""
    access, *refresh = (Path(folder) / "tokens").read_text(encoding="ascii").split()
    return {
        "access_token": access, "refresh_tokens": refresh, "file": str(Path(folder) / "refresh"),
    }  # fmt: skip


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"bench:{secret}".encode()).decode()


def _rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


if __name__ == "__main__":
    main()
