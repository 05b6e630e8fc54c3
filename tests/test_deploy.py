"""What is shipped in ``deploy/``: units, and proxies as they are configured there (N88)."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from idp.cli.main import main
from idp.settings import Settings
from tests.live import free_ports
from tests.serving.wire import PATIENCE, request, serve
from tests.test_legacy_example import program_of
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
#: A name for which Caddy is its own authority.
NAME = "gateway.internal"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Read by systemd itself; only the program is another one, since nothing is installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd on this machine")
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("/opt/gateway/bin/gateway", "/bin/true"))
        copies.append(str(copy))
    checked = subprocess.run([analyze, "verify", *copies], capture_output=True, text=True)
    ours = [line for line in checked.stderr.splitlines() if "ieso-gateway" in line]
    assert (checked.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_restart_and_name_existing_commands(unit: Path) -> None:
    """Whatever ends the process, it is started again; the command line and the settings exist."""
    text = unit.read_text()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(text.splitlines())
    started = re.search(r"^ExecStart=/opt/gateway/bin/gateway (.+)$", text, re.MULTILINE)
    assert started
    name, *arguments = shlex.split(started[1])
    command = main.get_command(click.Context(main), name)
    assert command
    command.make_context(name, arguments)
    known = {f"IDP_{field.upper()}_FILE" for field in Settings.__dataclass_fields__}
    assert set(re.findall(r"IDP_\w+_FILE", text)) <= known


def test_the_deployments_start_server_and_worker() -> None:
    """A web process and a worker."""
    assert [unit.name for unit in UNITS] == ["ieso-gateway-worker.service", "ieso-gateway.service"]


def _secrets(text: str) -> dict[str, str]:
    """Settings that are read from files, and the name of each file."""
    return dict(re.findall(r"(IDP_\w+_FILE)[=:] ?\S*/(\w+)$", text, re.MULTILINE))


def test_every_installation_reads_the_same_secrets() -> None:
    """Units, the command beside them, and the containers; each is a setting of the gateway."""
    texts = [unit.read_text() for unit in UNITS]
    texts += [(DEPLOY / "systemd/run").read_text(), (ROOT / "compose.yaml").read_text()]
    first, *others = map(_secrets, texts)
    assert others == [first] * 3
    assert set(first) <= {f"IDP_{field.upper()}_FILE" for field in Settings.__dataclass_fields__}
    made = (DEPLOY / "new-secrets").read_text()
    assert all(name in made for name in first.values())


def test_documented_commands_use_the_settings_of_the_units(tmp_path: Path) -> None:
    """Run as it stands; only the folder and the program are others."""
    (tmp_path / "gateway.env").write_text('# A comment\nIDP_MAIL_FROM="Gateway <a@b.test>"\n')
    copy = (DEPLOY / "systemd/run").read_text().replace("/etc/ieso-gateway", str(tmp_path))
    copy = copy.replace("/opt/gateway/bin/gateway", f"{sys.executable} -m idp.cli")
    run = ["sh", "-c", copy, "run", "settings", "--json"]
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in _secrets(copy).values():
        (secrets / name).write_text("")
    (secrets / "database_url").write_text("sqlite:////nowhere\n")
    told = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, env={"PATH": os.defpath})
    assert told.returncode == 0, told.stderr
    sources = {one["name"]: (one["source"], one["value"]) for one in json.loads(told.stdout)}
    assert sources["IDP_MAIL_FROM"] == ("environment", "Gateway <a@b.test>")
    assert sources["IDP_DATABASE_URL"] == ("file", "(set)")


def test_containers_run_existing_commands() -> None:
    """The image's own command and those of compose.yaml are understood; health checks ask where
    the processes listen; what is copied into the image is let through."""
    image, compose = (ROOT / "Dockerfile").read_text(), (ROOT / "compose.yaml").read_text()
    own = re.findall(r"^CMD (\[.+\])$", image, re.MULTILINE)
    commands = [json.loads(text) for text in own]
    lists = re.findall(r"^    command: \[((?:worker|db).*)\]$", compose, re.MULTILINE)
    commands += [text.replace('"', "").split(", ") for text in lists]
    assert [one[0] for one in commands] == ["serve", "worker", "db"]
    for name, *arguments in commands:
        command = main.get_command(click.Context(main), name)
        assert command
        command.make_context(name, arguments)
    assert commands[0][-1] == "8000"
    assert '["python", "/opt/gateway/healthcheck.py", "8000"]' in image
    assert commands[1][-1] == "8001"
    assert 'healthcheck.py, "8001"]' in compose
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", image, re.MULTILINE):
        for source in line.split():
            assert source == "." or ((ROOT / source).exists() and f"!{source}" in let_through)


class Probed(BaseHTTPRequestHandler):
    """Answers its own name only, as the gateway does."""

    def do_GET(self) -> None:
        known = (self.path, self.headers["Host"]) == ("/healthz", "gateway.test")
        self.send_response(200 if known else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("https://gateway.test", ""),
        ("https://other.test", "status 400"),
        ("", "no answer"),
    ],
)
def test_the_image_has_a_health_check(issuer: str, said: str) -> None:
    """0 for an answer of 200; else 1, and a line that says why."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Probed) as server:
        Thread(target=server.serve_forever).start()
        port = server.server_port if issuer else free_ports(1)
        try:
            checked = subprocess.run(
                [sys.executable, str(DEPLOY / "healthcheck.py"), str(port)],
                env={"IDP_ISSUER": issuer or "https://gateway.test"},
                capture_output=True,
                text=True,
            )
        finally:
            server.shutdown()
    assert (checked.returncode, checked.stderr.startswith(said)) == (1 if said else 0, True)
    assert len(checked.stderr.splitlines()) == (1 if said else 0)


@contextmanager
def proxied(kind: str, gateway: int, folder: Path) -> Iterator[tuple[int, int]]:
    """The shipped configuration before a gateway; its ports for http and https."""
    http = free_ports(2)
    values = {
        "GATEWAY_HOST": NAME,
        "GATEWAY_UPSTREAM": f"127.0.0.1:{gateway}",
        "UPSTREAM": f"127.0.0.1:{gateway}",
        "HTTP_PORT": str(http),
        "HTTPS_PORT": str(http + 1),
        "CERTIFICATE": str(folder / "cert.pem"),
        "CERTIFICATE_KEY": str(folder / "key.pem"),
    }
    command = _nginx(folder, values) if kind == "nginx" else _caddy()
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = subprocess.Popen(
        command,
        env=os.environ | values | home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_leads_there(program, http + 1)
        yield http, http + 1
    finally:
        program.terminate()
        program.wait(PATIENCE)


def _nginx(folder: Path, values: dict[str, str]) -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    built = built.public_key(key.public_key()).serial_number(1)
    signed = built.not_valid_before(now - timedelta(days=1)).not_valid_after(
        now + timedelta(days=1)
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(signed.sign(key, hashes.SHA256()).public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    site = (DEPLOY / "nginx.conf.template").read_text()
    # As envsubst does it: nginx's own variables stay.
    (folder / "site.conf").write_text(Template(site).safe_substitute(values))
    paths = "".join(
        f"{part}_temp_path {folder}/{part};\n"
        for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ {paths} include {folder}/site.conf; }}\n"
    )
    return [program_of("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _caddy() -> list[str]:
    config = str(DEPLOY / "Caddyfile")
    return [program_of("caddy"), "run", "--adapter", "caddyfile", "--config", config]


def _tls(port: int) -> ssl.SSLSocket:
    """A connection to the proxy, by its public name; who signed is not the question here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=NAME)
    except OSError:
        plain.close()
        raise


def _ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Status and body of an answer through the proxy."""
    headers |= {"Host": NAME}
    with closing(_tls(port)) as connection:
        connection.sendall(request(method, path, body, **headers))
        with closing(HTTPResponse(connection, method=method)) as answer:
            answer.begin()
            return answer.status, answer.read()


def _wait_until_it_leads_there(program: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert program.poll() is None, "the proxy ended"
        try:
            if _ask(port, "GET", "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the proxy leads nowhere")


@pytest.mark.independent
@pytest.mark.xdist_group("wire")
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_n88_the_proxy_buffers_slow_bodies(world: World, kind: str, tmp_path: Path) -> None:
    """N88: 60 bodies that never come reach the gateway in no part; too long ones are refused, where
    Bulk may be longer; operators' paths are not there; the address is the peer's, not a claim."""
    rp = world.relying_party()
    with (
        serve(world, "--workers", "1", host=NAME, IDP_TRUSTED_PROXIES="127.0.0.1/32") as served,
        proxied(kind, served.port, tmp_path) as (http, https),
        ExitStack() as held,
    ):
        for _ in range(60):
            slow = held.enter_context(closing(_tls(https)))
            slow.sendall(request("POST", "/signin", Host=NAME, Content_Length="1000") + b"a=")
        assert _ask(https, "GET", "/signin")[0] == 200
        assert served.established() < 20
        assert _ask(https, "GET", "/readyz")[0] == 404
        # The proxy refuses by the announced length: an answer of the gateway could be lost.
        assert {_ask(https, "POST", "/signin", b"a" * 300_000)[0] for _ in range(20)} == {413}
        for bulk in ("/scim/v2/Bulk", "/scim/v2/Bulk/"):
            assert _ask(https, "POST", bulk, b"a" * 300_000)[0] == 401
        assert _redirect(http) == f"https://{NAME}/signin?a=b"
        wrong = b64encode(f"{rp.client_id}:wrong".encode()).decode()
        status, _ = _ask(
            https, "POST", "/oauth2/v1/token", b"grant_type=authorization_code",
            Content_Type="application/x-www-form-urlencoded", Authorization=f"Basic {wrong}",
            X_Forwarded_For="203.0.113.9", Forwarded="for=203.0.113.9",
        )  # fmt: skip
        assert status == 401
    assert {event.ip for event in world.events("client.refused")} == {"127.0.0.1"}


def _redirect(port: int) -> str | None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/signin?a=b", headers={"Host": NAME})
        with closing(connection.getresponse()) as answer:
            answer.read()
            return answer.headers["Location"]
