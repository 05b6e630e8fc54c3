"""What is shipped in ``deploy/``: units, and proxies as they are configured there (N88)."""

from __future__ import annotations

import getpass
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
from configparser import ConfigParser
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Any

import click
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from idp.cli.main import main
from idp.credentials import certificates
from idp.settings import Settings
from registration.cli import main as registration_main
from registration.settings import Settings as RegistrationSettings
from tests.certificates import Certificate
from tests.live import free_ports
from tests.serving.wire import PATIENCE, Served, answer_on, request, serve
from tests.test_legacy_example import program_of
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
#: A name for which Caddy is its own authority.
NAME = "gateway.internal"
#: The name at which nginx asks for certificates.
MTLS_NAME = "mtls.gateway.internal"
REGISTRATION_NAME = "registration.internal"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@dataclass(frozen=True)
class Program:
    """A command, its settings, and the script that runs it with the settings of its units."""

    main: click.Group
    module: str
    prefix: str
    settings: type
    run: str

    @property
    def secrets(self) -> set[str]:
        """The names of settings that a file can hold."""
        fields = self.settings.__dataclass_fields__
        return {f"{self.prefix}{field.upper()}_FILE" for field in fields}


PROGRAMS = {
    "gateway": Program(main, "idp.cli", "IDP_", Settings, "run"),
    "registration": Program(
        registration_main, "registration.cli", "REGISTRATION_", RegistrationSettings,
        "run-registration",
    ),
}  # fmt: skip


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Read by systemd itself; only the program is another one, since nothing is installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd on this machine")
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name
        copy.write_text(re.sub(r"/opt/gateway/bin/\w+", "/bin/true", unit.read_text()))
        copies.append(str(copy))
    checked = subprocess.run([analyze, "verify", *copies], capture_output=True, text=True)
    ours = [line for line in checked.stderr.splitlines() if "ieso-" in line]
    assert (checked.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_restart_and_name_existing_commands(unit: Path) -> None:
    """Whatever ends the process, it is started again; the command line and the settings exist."""
    text = unit.read_text()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(text.splitlines())
    started = re.search(r"^ExecStart=/opt/gateway/bin/(\w+) (.+)$", text, re.MULTILINE)
    assert started
    assert unit.name.startswith(f"ieso-{started[1]}")
    program = PROGRAMS[started[1]]
    name, *arguments = shlex.split(started[2])
    command = program.main.get_command(click.Context(program.main), name)
    assert command
    command.make_context(name, arguments)
    assert set(re.findall(r"[A-Z]\w+_FILE", text)) <= program.secrets


def test_the_deployments_start_server_and_worker() -> None:
    """Web processes and a worker, of both programs."""
    assert [unit.name for unit in UNITS] == [
        "ieso-gateway-worker.service",
        "ieso-gateway.service",
        "ieso-registration-worker.service",
        "ieso-registration.service",
    ]


def _secrets(text: str, prefix: str) -> dict[str, str]:
    """Settings that are read from files, and the name of each file."""
    return dict(re.findall(rf"({prefix}\w+_FILE)[=:] ?\S*/(\w+)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_installation_reads_the_same_secrets(name: str) -> None:
    """Units, the command beside them, and the containers; each is a setting of the program."""
    program = PROGRAMS[name]
    texts = [unit.read_text() for unit in UNITS if unit.name.startswith(f"ieso-{name}")]
    texts += [(DEPLOY / "systemd" / program.run).read_text(), (ROOT / "compose.yaml").read_text()]
    first, *others = (_secrets(text, program.prefix) for text in texts)
    assert others == [first] * 3
    assert set(first) <= program.secrets
    made = (DEPLOY / "new-secrets").read_text()
    assert all(name in made for name in first.values())


def test_every_container_that_reads_a_secret_gets_it() -> None:
    """What a setting of a service names is among its secrets, and each secret is a file that
    new-secrets makes."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    made = (DEPLOY / "new-secrets").read_text()
    for name, service in compose["services"].items():
        paths = re.findall(r"/run/secrets/(\w+)", str(service.get("environment")))
        assert set(paths) == set(service.get("secrets", ())), name
        assert all(path in compose["secrets"] for path in paths), name
    files = {one["file"].removeprefix("./deploy/secrets/") for one in compose["secrets"].values()}
    assert files == set(compose["secrets"])
    assert all(file in made for file in files)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_secrets_are_made_once(tmp_path: Path) -> None:
    """Those of registration work with its settings; a second run keeps everything."""
    shutil.copy(DEPLOY / "new-secrets", tmp_path)
    (tmp_path / "secrets").mkdir()
    made = []
    for _ in range(2):
        subprocess.run(["sh", tmp_path / "new-secrets"], check=True, capture_output=True)
        made.append({one.name: one.read_text() for one in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    names = _secrets((ROOT / "compose.yaml").read_text(), "REGISTRATION_")
    files = {key: str(tmp_path / "secrets" / name) for key, name in names.items()}
    more = {"ENVIRONMENT": "production", "URL": "https://a.test", "ISSUER": "https://b.test"}
    settings = RegistrationSettings.from_environ(
        files | {f"REGISTRATION_{key}": value for key, value in more.items()}
    )
    key = load_pem_private_key(settings.push_key.encode(), None)
    pem = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, pem)
    assert public.decode() == made[0]["registration_push_key.pub"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_documented_commands_use_the_settings_of_the_units(name: str, tmp_path: Path) -> None:
    """Run as it stands; only the folder and the program are others."""
    program = PROGRAMS[name]
    mail_from, database_url = (f"{program.prefix}{one}" for one in ("MAIL_FROM", "DATABASE_URL"))
    (tmp_path / f"{name}.env").write_text(f'# A comment\n{mail_from}="Gateway <a@b.test>"\n')
    copy = (DEPLOY / "systemd" / program.run).read_text()
    copy = copy.replace("/etc/ieso-gateway", str(tmp_path))
    copy = copy.replace(f"/opt/gateway/bin/{name}", f"{sys.executable} -m {program.module}")
    run = ["sh", "-c", copy, "run", "settings", "--json"]
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    files = _secrets(copy, program.prefix)
    for file in files.values():
        (secrets / file).write_text("")
    (secrets / files[f"{database_url}_FILE"]).write_text("sqlite:////nowhere\n")
    told = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, env={"PATH": os.defpath})
    assert told.returncode == 0, told.stderr
    sources = {one["name"]: (one["source"], one["value"]) for one in json.loads(told.stdout)}
    assert sources[mail_from] == ("environment", "Gateway <a@b.test>")
    assert sources[database_url] == ("file", "(set)")


def test_containers_run_existing_commands() -> None:
    """The image's own command and those of compose.yaml are understood; health checks ask where
    the processes listen; what is copied into the image is let through."""
    image, text = (ROOT / "Dockerfile").read_text(), (ROOT / "compose.yaml").read_text()
    own = re.findall(r"^CMD (\[.+\])$", image, re.MULTILINE)
    commands = [("gateway", json.loads(one), "") for one in own]
    for service in yaml.safe_load(text)["services"].values():
        if service["image"] == "ieso-gateway:local" and "command" in service:
            entry = service.get("entrypoint", ["gateway"])[0]
            commands.append((entry, service["command"], str(service.get("healthcheck"))))
    assert [(entry, words[0]) for entry, words, _ in commands] == [
        ("gateway", "serve"),
        ("gateway", "worker"),
        ("gateway", "db"),
        ("registration", "serve"),
        ("registration", "worker"),
        ("registration", "db"),
    ]
    for entry, (name, *arguments), check in commands:
        main = PROGRAMS[entry].main
        command = main.get_command(click.Context(main), name)
        assert command
        command.make_context(name, [*arguments])
        assert not check or name == "db" or f"healthcheck.py', '{arguments[-1]}'" in check
    assert commands[0][1][-1] == "8000"
    assert '["python", "/opt/gateway/healthcheck.py", "8000"]' in image
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", image, re.MULTILINE):
        for source in line.split():
            assert source == "." or ((ROOT / source).exists() and f"!{source}" in let_through)
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    included = setup["options.packages.find"]["include"].split()
    assert [one for one in included if f"!{one.rstrip('*')}" not in let_through] == []


class Probed(BaseHTTPRequestHandler):
    """Answers its own name only, as the gateway does."""

    def do_GET(self) -> None:
        known = (self.path, self.headers["Host"]) == ("/healthz", "gateway.test")
        self.send_response(200 if known else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("setting", "url", "said"),
    [
        ("IDP_ISSUER", "https://gateway.test", ""),
        ("REGISTRATION_URL", "https://gateway.test", ""),
        ("IDP_ISSUER", "https://other.test", "status 400"),
        ("IDP_ISSUER", "", "no answer"),
    ],
)
def test_the_image_has_a_health_check(setting: str, url: str, said: str) -> None:
    """0 for an answer of 200; else 1, and a line that says why."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Probed) as server:
        Thread(target=server.serve_forever).start()
        port = server.server_port if url else free_ports(1)
        try:
            checked = subprocess.run(
                [sys.executable, str(DEPLOY / "healthcheck.py"), str(port)],
                env={setting: url or "https://gateway.test"},
                capture_output=True,
                text=True,
            )
        finally:
            server.shutdown()
    assert (checked.returncode, checked.stderr.startswith(said)) == (1 if said else 0, True)
    assert len(checked.stderr.splitlines()) == (1 if said else 0)


@contextmanager
def proxied(kind: str, gateway: int, folder: Path, name: str = NAME) -> Iterator[tuple[int, int]]:
    """The shipped configuration before a gateway, or before registration under its own name; its
    ports for http and https."""
    http = free_ports(2)
    values = {
        "GATEWAY_HOST": NAME,
        "GATEWAY_UPSTREAM": f"127.0.0.1:{gateway}",
        "REGISTRATION_HOST": REGISTRATION_NAME,
        "REGISTRATION_UPSTREAM": f"127.0.0.1:{gateway}",
        "REGISTRATION_CERTIFICATE": str(folder / "cert.pem"),
        "REGISTRATION_CERTIFICATE_KEY": str(folder / "key.pem"),
        "UPSTREAM": f"127.0.0.1:{gateway}",
        "HTTP_PORT": str(http),
        "HTTPS_PORT": str(http + 1),
        "CERTIFICATE": str(folder / "cert.pem"),
        "CERTIFICATE_KEY": str(folder / "key.pem"),
        "MTLS_HOST": MTLS_NAME,
        "MTLS_CERTIFICATE": str(folder / "cert.pem"),
        "MTLS_CERTIFICATE_KEY": str(folder / "key.pem"),
        "CLIENT_AUTHORITIES": str(folder / "authorities.pem"),
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
        _wait_until_it_leads_there(program, http + 1, name)
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
    authorities = folder / "authorities.pem"
    if not authorities.exists():
        shutil.copy(folder / "cert.pem", authorities)
    sites = [one.read_text() for one in sorted(DEPLOY.glob("nginx*.conf.template"))]
    # As envsubst does it: nginx's own variables stay.
    site = Template("\n".join(sites)).safe_substitute(values)
    assert "/var/cache/nginx/gateway" in site
    (folder / "site.conf").write_text(site.replace("/var/cache/nginx", str(folder)))
    paths = "".join(
        f"{part}_temp_path {folder}/{part};\n"
        for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; user {getpass.getuser()}; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ {paths} include {folder}/site.conf; }}\n"
    )
    return [program_of("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _caddy() -> list[str]:
    config = str(DEPLOY / "Caddyfile")
    return [program_of("caddy"), "run", "--adapter", "caddyfile", "--config", config]


def _tls(port: int, name: str = NAME, client: Path | None = None) -> ssl.SSLSocket:
    """A connection to the proxy, by a public name; who signed is not the question here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if client is not None:
        context.load_cert_chain(client)
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except OSError:
        plain.close()
        raise


def _ask(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    name: str = NAME,
    client: Path | None = None,
    **headers: str,
) -> tuple[int, bytes]:
    """Status and body of an answer through the proxy."""
    headers |= {"Host": name}
    with closing(_tls(port, name, client)) as connection:
        connection.sendall(request(method, path, body, **headers))
        with closing(HTTPResponse(connection, method=method)) as answer:
            answer.begin()
            return answer.status, answer.read()


def _wait_until_it_leads_there(program: subprocess.Popen[bytes], port: int, name: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert program.poll() is None, "the proxy ended"
        try:
            if _ask(port, "GET", "/healthz", name=name)[0] == 200:
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


KEYS, DISCOVERY = "/oauth2/v1/keys", "/.well-known/openid-configuration"


@pytest.mark.independent
@pytest.mark.xdist_group("wire")
def test_nginx_keeps_keys_and_discovery(world: World, tmp_path: Path) -> None:
    """Both are the gateway's own, also for other methods, conditions and queries; they stay while
    it does not answer, and nothing else is kept."""
    with ExitStack() as stack:
        with serve(
            world, "--workers", "1", host=NAME, IDP_TRUSTED_PROXIES="127.0.0.1/32"
        ) as served:
            _, https = stack.enter_context(proxied("nginx", served.port, tmp_path))
            first = _answer(https, KEYS)
            assert first.status == 200
            again = _answer(https, f"{KEYS}?a=b")
            # The gateway gives each response an id of its own.
            assert first.headers["X-Request-Id"] == again.headers["X-Request-Id"]
            assert first.headers["Cache-Control"] == again.headers["Cache-Control"]
            assert _answer(https, KEYS, If_None_Match=first.headers["ETag"]).status == 304
            assert _answer(https, DISCOVERY).status == 200
            assert _answer(https, DISCOVERY, "HEAD").status == 200
            assert _answer(https, KEYS, "POST").status == 405
            pages = [_answer(https, "/signin").headers["X-Request-Id"] for _ in range(2)]
            assert pages[0] != pages[1]
        assert _answer(https, KEYS).headers["X-Request-Id"] == first.headers["X-Request-Id"]
        assert _answer(https, DISCOVERY).status == 200
        assert _answer(https, "/signin").status == 502


def _answer(port: int, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
    """Status and headers of an answer."""
    with closing(_tls(port)) as connection:
        connection.sendall(request(method, path, Host=NAME, **headers))
        return answer_on(connection, method)[0]


class Presented(BaseHTTPRequestHandler):
    """Answers with the host and the certificate that the proxy sends."""

    def do_GET(self) -> None:
        names = ("Host", "X-Client-Certificate", "X-Client-Verified")
        told = json.dumps([self.headers[name] for name in names]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.independent
def test_nginx_sends_the_certificates_of_applications(tmp_path: Path) -> None:
    """RFC 8705: at the second name only; what an application claims in the headers is dropped."""
    now = datetime.now(UTC)
    known, own = (
        Certificate(first=now - timedelta(days=1), last=now + timedelta(days=1)) for _ in range(2)
    )
    (tmp_path / "authorities.pem").write_text(known.pem)
    files = []
    for number, one in enumerate((known, own)):
        files.append(tmp_path / f"client{number}.pem")
        files[-1].write_text(one.pem + one.key_pem)
    claimed = {"X_Client_Certificate": known.der, "X_Client_Verified": "SUCCESS"}
    with ThreadingHTTPServer(("127.0.0.1", 0), Presented) as server:
        Thread(target=server.serve_forever).start()
        try:
            with proxied("nginx", server.server_port, tmp_path) as (_, https):

                def told(path: str = "/oauth2/v1/userinfo", **more: Any) -> list[str | None]:
                    status, body = _ask(https, "GET", path, **claimed, **more)
                    assert status == 200
                    return list(json.loads(body))

                for file, one, said in ((files[0], known, True), (files[1], own, False)):
                    host, text, verified = told(name=MTLS_NAME, client=file)
                    assert (host, verified == "SUCCESS") == (NAME, said)
                    found = certificates.read(text or "", is_verified=said)
                    assert found is not None
                    assert found.certificate == one.made
                assert told(name=MTLS_NAME) == [NAME, None, "NONE"]
                assert told(name=NAME, client=files[0]) == [NAME, None, None]
                assert _ask(https, "GET", "/signin", name=MTLS_NAME)[0] == 404
                assert "No client certificate CA names sent" in _handshake(https)
        finally:
            server.shutdown()


def _handshake(port: int) -> str:
    """What OpenSSL tells of it. A client of Java sends no certificate if names of authorities come
    and its issuer is none of them."""
    order = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", MTLS_NAME]
    return subprocess.run(
        order, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    ).stdout


class Named(BaseHTTPRequestHandler):
    """Answers every request with the name for which it came, and what it says of its origin."""

    def do_GET(self) -> None:
        names = ("Host", "Forwarded", "traceparent")
        told = " ".join(str(self.headers[name]) for name in names).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.independent
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_the_proxy_serves_registration_at_its_own_name(kind: str, tmp_path: Path) -> None:
    """It gets the name of the request, and nothing of what a client says of its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        Thread(target=server.serve_forever).start()
        try:
            with proxied(kind, server.server_port, tmp_path) as (http, https):
                shown = _ask(
                    https, "GET", "/", name=REGISTRATION_NAME, Forwarded="for=203.0.113.9",
                    traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
                )  # fmt: skip
                assert shown == (200, f"{REGISTRATION_NAME} None None".encode())
                assert (
                    _redirect(http, REGISTRATION_NAME) == f"https://{REGISTRATION_NAME}/signin?a=b"
                )
        finally:
            server.shutdown()


def _keeping_traces(address: str, folder: Path) -> None:
    """The proxies' files in ``folder``, changed as the manual says for pushes from this address."""
    manual = (ROOT / "docs" / "operations.md").read_text().replace("10.0.0.14", address)
    blocks = dict(
        re.findall(r"^```(nginx|caddyfile)\n(.+?)^```$", manual, re.MULTILINE | re.DOTALL)
    )
    proxy = "\treverse_proxy {$GATEWAY_UPSTREAM"
    changes = {
        "nginx.conf.template": {'  proxy_set_header traceparent "";\n': blocks["nginx"]},
        "Caddyfile": {"\t\theader_up -traceparent\n": "", proxy: blocks["caddyfile"] + proxy},
    }
    for one in (*DEPLOY.glob("nginx*.conf.template"), DEPLOY / "Caddyfile"):
        text = one.read_text()
        for old, new in changes.get(one.name, {}).items():
            assert old in text
            text = text.replace(old, new, 1)
        (folder / one.name).write_text(text)


@pytest.mark.independent
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
@pytest.mark.parametrize(("address", "is_kept"), [("127.0.0.1", True), ("10.0.0.14", False)])
def test_the_proxy_keeps_the_trace_of_pushes_and_of_nobody_else(
    kind: str, address: str, is_kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed as the manual says. Both names lead to the same server here."""
    _keeping_traces(address, tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "DEPLOY", tmp_path)
    sent = f"00-{'a' * 32}-{'b' * 16}-01"
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        Thread(target=server.serve_forever).start()
        try:
            with proxied(kind, server.server_port, tmp_path) as (_, https):
                for name in (NAME, REGISTRATION_NAME):
                    kept = sent if is_kept and name == NAME else None
                    shown = _ask(https, "GET", "/", name=name, traceparent=sent)
                    assert shown == (200, f"{name} None {kept}".encode())
        finally:
            server.shutdown()


def _container(name: str, folder: Path, ports: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a service of compose.yaml; only the ports and the folder of the
    secrets are others."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name]
    known = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known |= {"GATEWAY_HOST": NAME, "REGISTRATION_HOST": REGISTRATION_NAME}
    known |= {"IDP_ENVIRONMENT": "sandbox"}
    environ = {
        key: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: known[found[1]], str(value)).replace(
            "/run/secrets", str(folder / "secrets")
        )
        for key, value in service["environment"].items()
    }
    words = [ports.get(word, word) for word in service["command"]]
    program = PROGRAMS[service["entrypoint"][0]]
    return [sys.executable, "-m", program.module, *words], {"PATH": os.defpath} | environ


@contextmanager
def started_registration(folder: Path) -> Iterator[tuple[Served, dict[str, str], int]]:
    """Registration as its containers start it, on SQLite: the upgrade, then pages and worker. The
    pages, the environment, and the port of the worker."""
    shutil.copy(DEPLOY / "new-secrets", folder)
    (folder / "secrets").mkdir()
    subprocess.run(["sh", folder / "new-secrets"], check=True, capture_output=True)
    url = folder / "secrets" / "registration_database_url"
    url.write_text(f"sqlite:///{folder}/registration.db\n")
    first = free_ports(2)
    ports = {"8005": str(first), "8006": str(first + 1), "0.0.0.0": "127.0.0.1"}  # noqa: S104
    upgrade, environ = _container("registration-upgrade", folder, ports)
    subprocess.run(upgrade, check=True, capture_output=True, cwd=ROOT, env=environ)
    with ExitStack() as running:
        served = []
        for name in ("registration", "registration-worker"):
            command, environ = _container(name, folder, ports)
            process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            running.callback(process.wait, PATIENCE)
            running.callback(process.terminate)
            served.append(process)
        pages = Served(served[0], first, running, REGISTRATION_NAME)
        pages.wait_until(pages.answers)
        yield pages, environ, first + 1


@pytest.mark.independent
@pytest.mark.xdist_group("wire")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_n88_registration_runs_as_its_containers_start_it(tmp_path: Path) -> None:
    """Upgrade, pages and worker with the secrets that are made for them; both health checks. N88:
    behind each proxy, bodies that never come reach the pages in no part, and those that are too
    long are refused."""
    name = REGISTRATION_NAME
    with started_registration(tmp_path) as (pages, environ, worker):
        for port in (pages.port, worker):
            check = [sys.executable, str(DEPLOY / "healthcheck.py"), str(port)]
            pages.wait_until(
                lambda check=check: subprocess.run(check, env=environ).returncode == 0  # type: ignore[misc]
            )
        for kind in ("nginx", "caddy"):
            with proxied(kind, pages.port, tmp_path, name) as (_, https), ExitStack() as held:
                for _ in range(60):
                    slow = held.enter_context(closing(_tls(https, name)))
                    slow.sendall(
                        request("POST", "/language", Host=name, Content_Length="1000") + b"a="
                    )
                assert _ask(https, "GET", "/signed-out", name=name)[0] == 200
                assert pages.established() < 20
                assert _ask(https, "GET", "/readyz", name=name)[0] == 404
                assert _ask(https, "POST", "/language", b"a" * 300_000, name=name)[0] == 413


def _redirect(port: int, name: str = NAME) -> str | None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/signin?a=b", headers={"Host": name})
        with closing(connection.getresponse()) as answer:
            answer.read()
            return answer.headers["Location"]
