"""The example of a SOAP service behind nginx, run as it stands (MA-08, MA-11)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from string import Template
from typing import Any

import pytest

from tests.live import free_ports

pytestmark = [pytest.mark.independent, pytest.mark.xdist_group("live")]
ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "examples/legacy/nginx.conf.template"
SOAP = b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'/>"


@pytest.fixture(scope="module")
def proxy(live_demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """nginx and the service, before the running demo; yields nginx's port."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        if os.environ.get("CI"):
            pytest.fail("needs nginx: make nginx")
        pytest.skip("needs nginx")
    folder = tmp_path_factory.mktemp("nginx")
    port = free_ports(2)
    gateway = live_demo["issuer"].removeprefix("http://")
    config = Template(TEMPLATE.read_text()).safe_substitute(
        LISTEN=f"127.0.0.1:{port}",
        SERVICE=f"127.0.0.1:{port + 1}",
        GATEWAY=gateway.replace("localhost", "127.0.0.1"),
        GATEWAY_HOST=gateway,
        CLIENT_ID="emi",
        RUN=str(folder),
    )
    (folder / "nginx.conf").write_text(config)
    programs = [
        subprocess.Popen([nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]),
        subprocess.Popen(
            [sys.executable, "-m", "examples.legacy.service", str(port + 1)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        ),
    ]
    try:
        _wait(port)
        _wait(port + 1)
        yield port
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)


def _wait(port: int) -> None:
    for _ in range(100):
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


def test_ma11_a_soap_service_behind_nginx(live_demo: dict[str, Any], proxy: int) -> None:
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
