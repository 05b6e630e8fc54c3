"""The example of a SOAP service behind nginx, Caddy or Traefik, run as it stands (MA-08, MA-11)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.live import free_ports

pytestmark = [pytest.mark.independent, pytest.mark.xdist_group("live")]
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/legacy"
SOAP = b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'/>"
PROXIES = ("nginx", "caddy", "traefik")


@contextmanager
def proxied(kind: str, gateway: str, folder: Path) -> Iterator[int]:
    """A proxy as the example sets it up, and the service behind it; yields the proxy's port."""
    port = free_ports(2)
    values = {
        "LISTEN": f"127.0.0.1:{port}",
        "SERVICE": f"127.0.0.1:{port + 1}",
        "GATEWAY": gateway.replace("localhost", "127.0.0.1"),
        "GATEWAY_HOST": gateway,
        "CLIENT_ID": "emi",
        "RUN": str(folder),
    }
    programs = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for command in (
            _command(kind, values, folder),
            [sys.executable, "-m", "examples.legacy.service", str(port + 1)],
        )
    ]
    try:
        _wait(port)
        _wait(port + 1)
        yield port
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)


def _command(kind: str, values: dict[str, str], folder: Path) -> list[str]:
    name = {"nginx": "nginx.conf", "caddy": "Caddyfile", "traefik": "traefik.yaml"}[kind]
    config = folder / name
    config.write_text(Template((EXAMPLE / f"{name}.template").read_text()).safe_substitute(values))
    program = _program(kind)
    if kind == "nginx":
        return [program, "-c", str(config), "-p", str(folder)]
    if kind == "caddy":
        return [program, "run", "--adapter", "caddyfile", "--config", str(config)]
    return [program, f"--entryPoints.legacy.address={values['LISTEN']}",
            f"--providers.file.filename={config}", "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false"]  # fmt: skip


def _program(kind: str) -> str:
    """nginx of the machine; the others come with the test tools."""
    if kind != "nginx":
        return str(Path(sys.executable).with_name(kind))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        if os.environ.get("CI"):
            pytest.fail("needs nginx: make nginx")
        pytest.skip("needs nginx")
    return nginx


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest,
    live_demo: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """Each of the proxies before the running demo."""
    gateway = live_demo["issuer"].removeprefix("http://")
    with proxied(request.param, gateway, tmp_path_factory.mktemp(request.param)) as port:
        yield port


def _wait(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}")


def call(port: int, username: str, password: str, **headers: str) -> tuple[int, str, str]:
    """A SOAP call; returns status, challenge and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Content-Type": "text/xml", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if username:
        encoded = b64encode(f"{username}:{password}".encode()).decode()
        sent["Authorization"] = f"Basic {encoded}"
    connection.request("POST", "/soap", SOAP, sent)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("WWW-Authenticate", ""), body


def test_ma11_a_soap_service_behind_a_proxy(live_demo: dict[str, Any], proxy: int) -> None:
    """MA-11: right, wrong, nobody; headers of the caller are not believed."""
    machine = live_demo["machine"]
    name, password = machine["username"], machine["password"]
    status, _, body = call(proxy, name, password)
    assert status == 200
    assert f"<user>{name}</user><groups>MIM Web Services</groups>" in body
    assert "<participants>109120</participants>" in body
    status, _, body = call(proxy, name, password, X_Gateway_User="root", X_Gateway_Groups="All")
    assert (status, "root" in body, "All" in body) == (200, False, False)
    for user, word in ((name, "wrong"), ("APIIESO99999", password), ("", "")):
        status, challenge, body = call(proxy, user, word, X_Gateway_User=name)
        assert (status, "<user>" in body) == (401, False)
        assert challenge.startswith("Basic realm=")
    person = live_demo["people"][0]
    assert call(proxy, person["username"], person["password"])[0] == 401
    with closing(HTTPConnection("127.0.0.1", proxy, timeout=30)) as connection:
        connection.request("GET", "/_gateway")
        with closing(connection.getresponse()) as answer:
            assert answer.status == 404


class Gateway(BaseHTTPRequestHandler):
    """Admits everybody as nobody in particular, and notes what it was told."""

    told: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.told.append({name.casefold(): value for name, value in self.headers.items()})
        self.send_response(204)
        self.send_header("X-Gateway-User", "somebody")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.mark.parametrize("kind", PROXIES)
def test_ma11_what_a_proxy_tells(kind: str, tmp_path: Path) -> None:
    """MA-11, N35: the gateway hears the caller's own address, whatever the caller says of it, its
    own host name, and no body; the service hears no password, and nothing about who it is but what
    the gateway said."""
    Gateway.told.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = Thread(target=server.serve_forever)
    thread.start()
    host = f"localhost:{server.server_port}"
    try:
        with proxied(kind, host, tmp_path) as port:
            status, _, body = call(
                port, "APIIESO00042", "secret", X_Forwarded_For="203.0.113.9",
                Forwarded="for=203.0.113.9", X_Gateway_User="root", X_Gateway_Groups="All",
            )  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert status == 200, body
    assert "<user>somebody</user><groups></groups>" in body
    assert "<password></password>" in body
    (told,) = Gateway.told
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["host"] == host
    assert told.get("content-length", "0") == "0"
    assert told["authorization"].startswith("Basic ")
