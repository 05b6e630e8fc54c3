"""The providers of a comparison: each is prepared, and runs for the duration of a block.

Peers from npm and PyPI are installed into build/peers, Glewlwyd and LemonLDAP::NG are those of the
system (Debian: apt-get install glewlwyd, lemonldap-ng-fastcgi-server). All but node oidc-provider,
which keeps all in memory, commit durably to SQLite.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from benchmarks import gateway
from benchmarks.cases import REFRESH_TOKENS, Visitor
from benchmarks.cpu import say
from benchmarks.peers import glewlwyd as glewlwyd_peer
from benchmarks.peers import lemonldap as lemonldap_peer
from benchmarks.peers import nginx_site
from benchmarks.provider import NotInstalled, Server

INSTALLED = gateway.ROOT / "build" / "peers"
PEERS = Path(__file__).with_name("peers")
NODE_PACKAGE = "oidc-provider@^9.13"
DJANGO_PACKAGES = ("django-oauth-toolkit>=3.4", "granian>=2.8")
CANAILLE_PACKAGES = ("canaille[front,oidc,server,sqlite]>=0.3.6",)
OURS = "gateway"


@contextmanager
def ours(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """The gateway, on SQLite with durable commits."""
    say("preparing the gateway")
    with _ours(OURS, folder, port, gateway.gateway_command(port)) as server:
        yield server, "SQLite, synchronous FULL, 2 processes"


@contextmanager
def ours_behind_nginx(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """The same behind nginx, which keeps keys and discovery, by the shipped configuration without
    TLS."""
    if nginx_site.PROGRAM is None:
        raise NotInstalled("nginx")
    say("preparing the gateway behind nginx")
    command = nginx_site.command(folder, port, gateway.gateway_command(port + 1))
    with _ours(f"{OURS}, nginx", folder, port, command) as server:
        yield server, "SQLite, synchronous FULL, 2 processes behind 2 of nginx"


@contextmanager
def _ours(name: str, folder: str, port: int, command: list[str]) -> Iterator[Server]:
    environ = gateway.environment(gateway.scratch("", folder), port)
    environ["IDP_TRUSTED_PROXIES"] = "127.0.0.1/32"
    credentials = gateway.prepare(environ)
    with gateway.served(command, port, os.environ | environ) as process:
        visitor = Visitor(port, credentials, folder)
        issued = [visitor.tokens() for _ in range(REFRESH_TOKENS)]
        yield Server(
            name=name, port=port, leader=process.pid, authorization=credentials.client,
            token="/oauth2/v1/token", introspection="/oauth2/v1/introspect",
            userinfo="/oauth2/v1/userinfo", keys="/oauth2/v1/keys",
            discovery="/.well-known/openid-configuration", file=visitor.file("refresh"),
            access_token=issued[0]["access_token"],
            refresh_tokens=[tokens["refresh_token"] for tokens in issued],
        )  # fmt: skip


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
    python = _environment("django-oauth-toolkit", DJANGO_PACKAGES)
    secret = secrets.token_urlsafe(32)
    environ = os.environ | {"PEER_DATABASE": str(Path(folder) / "peer.db"), "PEER_SECRET": secret,
                            "PEER_KEY": _pem(_rsa_key()), **_issued(folder)}  # fmt: skip
    subprocess.run([python, str(PEERS / "django_oauth_toolkit.py"), "prepare"],
                   env=environ, check=True)  # fmt: skip
    command = [
        str(python), "-m", "granian", "benchmarks.peers.django_oauth_toolkit:app", "--interface",
        "wsgi", "--port", str(port), "--workers", "2", "--blocking-threads", "8", "--log-level",
        "error",
    ]  # fmt: skip
    keys = "/o/.well-known/jwks.json"
    version = _version(python, "django-oauth-toolkit")
    with gateway.served(command, port, environ, keys) as process:
        yield Server(
            name="django-oauth-toolkit", port=port, leader=process.pid,
            authorization=_basic(secret), token="/o/token/", introspection="/o/introspect/",
            userinfo="/o/userinfo/", keys=keys, discovery="/o/.well-known/openid-configuration",
            **_read(folder),
        ), f"{version}, SQLite, synchronous FULL, 2 processes"  # fmt: skip


@contextmanager
def canaille(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """Canaille, from PyPI, in an environment of its own."""
    python = _environment("canaille", CANAILLE_PACKAGES)
    secret = secrets.token_urlsafe(32)
    keys = [_pem(_rsa_key()), _pem(ec.generate_private_key(ec.SECP256R1()))]
    environ = os.environ | {
        "CANAILLE_SQL__DATABASE_URI": f"sqlite:///{Path(folder) / 'peer.db'}?timeout=20",
        "CANAILLE_OIDC__ACTIVE_JWKS": json.dumps(keys), "CANAILLE__FORCE_HTTPS": "false",
        "SECRET_KEY": secrets.token_urlsafe(32), "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http", "AUTHLIB_INSECURE_TRANSPORT": "1",
        "PEER_SECRET": secret, **_issued(folder),
    }  # fmt: skip
    prepare = [str(python), str(PEERS / "canaille_tables.py")]
    subprocess.run(prepare, env=environ, check=True, capture_output=True)
    command = [str(python.with_name("canaille")), "run", "--bind", f"127.0.0.1:{port}",
               "--workers", "2"]  # fmt: skip
    with gateway.served(command, port, environ, "/oauth/jwks.json") as process:
        yield Server(
            name="canaille", port=port, leader=process.pid, authorization=_basic(secret),
            token="/oauth/token", introspection="/oauth/introspect", userinfo="/oauth/userinfo",
            keys="/oauth/jwks.json", discovery="/.well-known/openid-configuration",
            **_read(folder),
        ), f"{_version(python, 'canaille')}, SQLite, synchronous FULL, 2 processes"  # fmt: skip


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


@contextmanager
def lemonldap(folder: str, port: int) -> Iterator[tuple[Server, str]]:
    """LemonLDAP::NG, of the system."""
    if not lemonldap_peer.is_installed():
        raise NotInstalled(f"LemonLDAP::NG ({', '.join(lemonldap_peer.PACKAGES)})")
    say("preparing LemonLDAP::NG")
    secret, at = secrets.token_urlsafe(32), lemonldap_peer.PREFIX
    command = lemonldap_peer.command(folder, port, secret)
    with gateway.served(command, port, os.environ, f"{at}/jwks") as process:
        access, *refresh = lemonldap_peer.tokens(port, _basic(secret), REFRESH_TOKENS)
        yield Server(
            name="LemonLDAP::NG", port=port, leader=process.pid, authorization=_basic(secret),
            token=f"{at}/token", introspection=f"{at}/introspect", userinfo=f"{at}/userinfo",
            keys=f"{at}/jwks", discovery="/.well-known/openid-configuration",
            access_token=access, refresh_tokens=refresh, file=str(Path(folder) / "refresh"),
            is_rotating=False,
        ), (
            f"{lemonldap_peer.version()}, SQLite, synchronous FULL, "
            f"{lemonldap_peer.PROCESSES} processes behind nginx"
        )  # fmt: skip


#: In the order of the table.
PEERS_OF_RUN = (
    ours, ours_behind_nginx, node_oidc_provider, django_oauth_toolkit, canaille, glewlwyd,
    lemonldap,
)  # fmt: skip


def _environment(name: str, packages: tuple[str, ...]) -> Path:
    """The interpreter of an environment that has these packages from PyPI."""
    home = INSTALLED / name
    python = home / "bin" / "python"
    if not python.exists():
        say(f"installing {name}")
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def _version(python: Path, package: str) -> str:
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    run = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    return run.stdout.strip()


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


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
