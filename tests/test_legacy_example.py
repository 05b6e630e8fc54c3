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
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.live import free_ports
from tests.serving.wire import serve
from tests.world import World

pytestmark = [pytest.mark.independent, pytest.mark.xdist_group("live")]
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/legacy"
SOAP = b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'/>"
PROXIES = ("nginx", "caddy", "traefik")


@contextmanager
def proxied(
    kind: str, gateway: str, folder: Path, service: int = 0, client_id: str = "emi"
) -> Iterator[int]:
    """A proxy as the example sets it up, and the service behind it, or the one at a port; yields
    the proxy's port."""
    port = free_ports(2)
    commands = []
    if not service:
        service = port + 1
        commands.append([sys.executable, "-m", "examples.legacy.service", str(service)])
    values = {
        "LISTEN": f"127.0.0.1:{port}",
        "SERVICE": f"127.0.0.1:{service}",
        "GATEWAY": gateway.replace("localhost", "127.0.0.1"),
        "GATEWAY_HOST": gateway,
        "CLIENT_ID": client_id,
        "RUN": str(folder),
    }
    commands.append(_command(kind, values, folder))
    programs = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        _wait(service)
        _wait(port)
        _wait_for_the_way(port)
        yield port
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)


def _command(kind: str, values: dict[str, str], folder: Path) -> list[str]:
    name = {"nginx": "nginx.conf", "caddy": "Caddyfile", "traefik": "traefik.yaml"}[kind]
    config = folder / name
    config.write_text(Template((EXAMPLE / f"{name}.template").read_text()).safe_substitute(values))
    program = program_of(kind)
    if kind == "nginx":
        return [program, "-c", str(config), "-p", str(folder)]
    if kind == "caddy":
        return [program, "run", "--adapter", "caddyfile", "--config", str(config)]
    return [program, f"--entryPoints.legacy.address={values['LISTEN']}",
            f"--providers.file.filename={config}", "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false"]  # fmt: skip


def program_of(kind: str) -> str:
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


def _wait_for_the_way(port: int) -> None:
    """A proxy may listen before it has read where to lead."""
    for _ in range(100):
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("POST", "/soap", SOAP)
            if connection.getresponse().status != 404:
                return
        time.sleep(0.1)
    raise AssertionError("the proxy leads nowhere")


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


def heads(port: int, *authorization: str) -> tuple[int, Message]:
    """Status and headers of a SOAP call with these credentials."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("POST", "/soap")
        connection.putheader("Content-Length", str(len(SOAP)))
        for value in authorization:
            connection.putheader("Authorization", value)
        connection.endheaders(SOAP)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers


def test_ma11_malformed_credentials_are_challenged(proxy: int) -> None:
    """MA-11: through each proxy, as wrong ones are."""
    nul, long = b64encode(b"API\0:x").decode(), b64encode(b"a:" + b"x" * 3000).decode()
    for authorization in ("Basic", "Basic ###", f"Basic {nul}", f"Basic {long}", "Bearer x"):
        status, headers = heads(proxy, authorization)
        assert status == 401, authorization
        assert headers["WWW-Authenticate"].startswith("Basic realm=")
    # Of two, newer proxies make a 400 themselves.
    assert heads(proxy, "Basic YTpi", "Basic Yzpk")[0] in (400, 401)


def test_ma11_a_soap_service_works_behind_a_proxy(live_demo: dict[str, Any], proxy: int) -> None:
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


class Listener(BaseHTTPRequestHandler):
    """Gateway and service in one: admits everybody as nobody in particular, and notes what it was
    told."""

    asked: ClassVar[list[dict[str, str]]] = []
    served: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append({name.casefold(): value for name, value in self.headers.items()})
        self.send_response(204)
        self.send_header("X-Gateway-User", "somebody")
        self.end_headers()

    def do_POST(self) -> None:
        self.served.append({name.casefold(): value for name, value in self.headers.items()})
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Busy(Listener):
    """A gateway that had too many refusals."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Retry-After", "77")
        self.send_header("X-Gateway-Error", "temporarily_unavailable")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.mark.parametrize("kind", PROXIES)
def test_ma11_too_many_refusals_are_403_with_retry_after(kind: str, tmp_path: Path) -> None:
    """MA-11, N52: no proxy makes an error of its own of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        gateway = f"localhost:{server.server_port}"
        with (
            proxied(kind, gateway, tmp_path, server.server_port) as port,
            closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
        ):
            connection.request("POST", "/soap", SOAP)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (403, "77")
            assert answer.headers["X-Gateway-Error"] == "temporarily_unavailable"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("kind", PROXIES)
def test_ma11_a_gateway_without_database_is_403(world: World, kind: str, tmp_path: Path) -> None:
    """MA-11: the real one, which cannot judge: 403 with reason and time to wait through each."""
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    with (
        serve(world, "--workers", "1", host="localhost", IDP_DATABASE_URL=nowhere) as served,
        proxied(kind, f"localhost:{served.port}", tmp_path, served.port) as port,
    ):
        status, headers = heads(port, "Basic QVBJSUVTTzAwMDQyOng=")
    assert (status, headers["Retry-After"]) == (403, "5")
    assert headers["X-Gateway-Error"] == "temporarily_unavailable"


@pytest.mark.parametrize("kind", PROXIES)
def test_ma11_a_proxy_that_names_no_service_passes_the_reason_on(
    live_demo: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    """MA-11: what is missing is in the proxy's configuration, and whoever looks at it sees that."""
    gateway = live_demo["issuer"].removeprefix("http://")
    with proxied(kind, gateway, tmp_path, client_id="") as port:
        status, headers = heads(port, "Basic QVBJSUVTTzAwMDQyOng=")
    assert (status, headers["X-Gateway-Error"]) == (403, "missing_service")


def test_ma11_nginx_answers_503_if_the_gateway_is_down(tmp_path: Path) -> None:
    """MA-11: and not 500; the others say so by themselves."""
    with proxied("nginx", f"localhost:{free_ports(4) + 3}", tmp_path) as port:
        status, headers = heads(port, "")
    assert (status, headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("kind", PROXIES)
def test_ma11_the_headers_that_a_proxy_sends(kind: str, tmp_path: Path) -> None:
    """MA-11, N35: the gateway hears the caller's own address, whatever the caller says of it, its
    own host name, and no body; the service hears no password, and nothing about who it is but what
    the gateway said, under no spelling of the names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = Thread(target=server.serve_forever)
    thread.start()
    host = f"localhost:{server.server_port}"
    lies = {
        "X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "x_gateway_user": "root",
    }  # fmt: skip
    for name in ("User", "Subject", "Groups", "Participants"):
        lies |= {f"X-Gateway-{name}": "root", f"X_Gateway_{name}": "root"}
    try:
        with (
            proxied(kind, host, tmp_path, server.server_port) as port,
            closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
        ):
            Listener.asked.clear()
            Listener.served.clear()
            secret = {"Authorization": f"Basic {b64encode(b'APIIESO00042:secret').decode()}"}
            connection.request("POST", "/soap", SOAP, secret | lies)
            assert connection.getresponse().status == 200
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    (asked,), (served,) = Listener.asked, Listener.served
    assert asked["x-forwarded-for"] == "127.0.0.1"
    assert asked["host"] == host
    assert asked.get("content-length", "0") == "0"
    assert asked["authorization"].startswith("Basic ")
    told = {name: value for name, value in served.items() if "gateway" in name and value}
    assert told == {"x-gateway-user": "somebody"}
    assert not served.get("authorization")
