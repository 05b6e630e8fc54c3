"""``gateway doctor``: each check where all is well and where it is not, and what it says to do."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from cryptography.fernet import Fernet
from sqlalchemy import delete, text, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import accounts
from idp.doctor import checkup, local_checks, reach_checks, stored_checks
from idp.doctor.checkup import Finding, Installation, Level
from idp.doctor.findings import Check, ok
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import MessageChannel, MessageState, OutboxMessage, SigningKey
from idp.vault import Vault
from tests.live import free_ports
from tests.shell import Run, good
from tests.world import World

DISCOVERED = reach_checks.DISCOVERY


@dataclass
class Public:
    """What answers at the public address."""

    statuses: dict[str, int] = field(default_factory=dict)
    issuer: str = ""
    hsts: str = "max-age=31536000; includeSubDomains"


@contextmanager
def public(certificate: Path | None = None) -> Iterator[tuple[Public, str]]:
    """A server in the place of proxy and gateway, and its address."""
    answers = Public()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"issuer": answers.issuer}).encode()
            self.send_response(answers.statuses.get(self.path, 200))
            self.send_header("Strict-Transport-Security", answers.hsts)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        scheme = "https" if certificate else "http"
        answers.issuer = f"{scheme}://127.0.0.1:{server.server_port}"
        try:
            yield answers, answers.issuer
        finally:
            server.shutdown()
            thread.join()


def found(
    world: World, check: Check, environ: Mapping[str, str] | None = None, **settings: Any
) -> list[Finding]:
    changed = replace(world.settings, **settings)
    runtime = replace(world.worker_runtime, settings=changed)
    return list(check(Installation(changed, environ or {}, runtime)))


def one(world: World, check: Check, **settings: Any) -> tuple[str, str]:
    """The only finding: level and text."""
    (finding,) = found(world, check, **settings)
    assert (finding.advice != "") is (finding.level in (Level.WARNING, Level.FAULT))
    return str(finding.level), finding.text


def test_the_command_says_what_it_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table for people, JSON for programs, and the exit code 1 if there is a fault."""
    with public() as (answers, issuer):
        monkeypatch.setenv("IDP_ISSUER", issuer)
        answers.statuses = {"/auth/verify": 403, "/scim/v2/Users": 401}
        done = run("doctor")
        assert done.exit_code == 0, done.output
        rows = good(run("doctor", "--json"))
        assert {row["check"] for row in rows} == set(checkup.CHECKS)
        assert "fault" not in {row["level"] for row in rows}
        answers.statuses["/scim/v2/Users"] = 200
        bad = run("doctor", "--only", "scim", "--only", "database")
    assert bad.exit_code == 1
    assert "ok       database " in bad.output
    assert "fault    scim            /scim/v2/Users lets in a request without" in bad.output
    assert "\n                         Something in front of the gateway" in bad.output
    unknown = run("doctor", "--only", "stars")
    assert (unknown.exit_code, "No such check: stars" in unknown.output) == (2, True)
    monkeypatch.setenv("IDP_BCRYPT_COST", "many")
    invalid = run("doctor")
    assert (invalid.exit_code, "IDP_BCRYPT_COST must be" in invalid.output) == (2, True)


def test_a_check_that_hangs_or_fails_is_a_fault_and_the_others_run(world: World) -> None:
    """Without the text of the error, which could hold a secret (N84)."""
    release = threading.Event()

    def hangs(_installation: Installation) -> Iterator[Finding]:
        release.wait(30)
        yield ok("too late")

    def fails(_installation: Installation) -> Iterator[Finding]:
        raise ValueError("a secret")

    checks: dict[str, Check] = {"hangs": hangs, "fails": fails, "disk": lambda _: [ok("room")]}
    begun: list[str] = []
    installation = Installation(world.settings, {}, world.worker_runtime)
    started = time.monotonic()
    results = dict(checkup.run(installation, checks=checks, seconds=0.05, begins=begun.append))
    release.set()
    assert time.monotonic() - started < 10
    assert begun == ["hangs", "fails", "disk"]
    assert results["hangs"].text == "no result within 0.05 seconds"
    assert results["fails"].text == "the check failed: ValueError"
    assert [one.level for one in results.values()] == [Level.FAULT, Level.FAULT, Level.OK]


def test_secrets_are_random_and_for_one_user(world: World, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    environ = {"IDP_SECRET_KEY_FILE": str(path)}
    strong = {"secret_key": Fernet.generate_key().decode(), "password_peppers": (),
              "pairwise_secret": ""}  # fmt: skip
    path.chmod(0o600)
    (well,) = found(world, local_checks.check_secrets, environ, **strong)
    assert well.level is Level.OK
    path.chmod(0o640)
    (open_file,) = found(world, local_checks.check_secrets, environ, **strong)
    assert (open_file.level, "(0640)" in open_file.text) == (Level.WARNING, True)
    assert open_file.advice == f"Run: chmod 600 {path}"
    strong["secret_key"] = "ab" * 20
    (weak,) = found(world, local_checks.check_secrets, **strong)
    assert weak.text == "IDP_SECRET_KEY has few different characters"
    assert "ab" * 20 not in weak.text


def test_the_clock_of_this_machine(world: World) -> None:
    def none() -> tuple[bool, int]:
        raise OSError

    installation = Installation(world.settings, {}, world.worker_runtime)
    cases = [((True, 2000), "ok"), ((False, 2000), "warning"), ((True, 5_000_000), "warning")]
    for read, level in cases:
        (finding,) = local_checks.check_clock(installation, lambda read=read: read)
        assert finding.level == level
    (unknown,) = local_checks.check_clock(installation, none)
    assert unknown.level is Level.SKIPPED
    (real,) = local_checks.check_clock(installation)
    assert real.level in (Level.OK, Level.WARNING, Level.SKIPPED)


def test_room_on_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(world, local_checks.check_disk)[0].text.endswith("left")
    monkeypatch.setattr(local_checks, "LEAST_FREE", 1.1)
    assert {each.level for each in found(world, local_checks.check_disk)} == {Level.FAULT}


def test_the_proxy_is_named(world: World) -> None:
    check = local_checks.check_proxies
    assert one(world, check)[0] == "warning"
    assert one(world, check, trusted_proxies=("10.0.0.0/8",))[0] == "ok"
    assert one(world, check, issuer="http://localhost:8000")[0] == "skipped"


def test_accepted_risks_are_named(world: World) -> None:
    assert one(world, local_checks.check_settings)[0] == "ok"


def test_database_and_tables(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of an older release, and a database that does not answer."""
    assert one(world, stored_checks.check_database)[0] == "ok"
    assert one(world, stored_checks.check_migrations)[0] == "ok"
    with world.work() as work:
        present = work.run(text("SELECT version_num FROM alembic_version")).scalar_one()
    expected = {"0002": Level.FAULT, "9999": Level.WARNING, present: Level.OK}
    for version, level in expected.items():
        with world.work() as work:
            work.run(text("UPDATE alembic_version SET version_num = :now"), {"now": version})
        found_now = found(world, stored_checks.check_migrations)
        assert [each.level for each in found_now] == [level]
    away = f"postgresql+psycopg://nobody:secret-word@127.0.0.1:{free_ports(1)}/none"
    monkeypatch.setenv("IDP_DATABASE_URL", away)
    names = ("database", "migrations", "keys", "audit", "worker", "pushers")
    done = run("doctor", "--json", *(word for name in names for word in ("--only", name)))
    rows = {row["check"]: row["level"] for row in json.loads(done.stdout)}
    assert rows == dict.fromkeys(names, "skipped") | {"database": "fault", "migrations": "fault"}
    assert "secret-word" not in done.output


def test_the_clock_of_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    check = stored_checks.check_clock
    if world.settings.database_url.startswith("sqlite"):
        assert one(world, check)[0] == "skipped"
        return
    assert one(world, check)[0] == "ok"
    monkeypatch.setattr(stored_checks, "MOST_APART", -1.0)
    assert one(world, check)[0] == "warning"


def test_keys_sign_and_can_be_decrypted(world: World) -> None:
    check = stored_checks.check_keys
    assert {each.level for each in found(world, check)} == {Level.OK}
    world.clock.advance(days=200)
    assert "RS256 key has signed for 201 days" in str(found(world, check))
    settings = replace(world.settings, key_encryption_keys=(Fernet.generate_key().decode(),))
    foreign = replace(world.worker_runtime, vault=Vault(settings))
    findings = list(check(Installation(settings, {}, foreign)))
    assert {each.level for each in findings} == {Level.FAULT}
    assert "IDP_KEY_ENCRYPTION_KEYS" in findings[0].advice
    with world.work() as work:
        work.db.execute(delete(SigningKey))
    assert one(world, check) == ("fault", "no key signs")


def test_the_worker_runs(world: World) -> None:
    """What waits for its seal or for delivery, and what was given up."""
    username = world.account()
    world.run_worker()
    assert one(world, stored_checks.check_audit)[0] == "ok"
    assert one(world, stored_checks.check_worker)[0] == "ok"
    with world.work() as work:
        queue.enqueue(work, MailKind.ACCOUNT_RESTORED, accounts.by_username(work, username))
        events.record(work, AuditAction.TRAIL_VERIFIED)
    world.clock.advance(minutes=6)
    assert one(world, stored_checks.check_worker)[0] == "fault"
    assert "wait for their seal" in one(world, stored_checks.check_audit)[1]
    with world.work() as work:
        # What its receiver fetches waits for no worker.
        work.db.execute(update(OutboxMessage).values(channel=MessageChannel.KEPT_EVENT))
    assert one(world, stored_checks.check_worker)[0] == "ok"
    with world.work() as work:
        work.db.execute(update(OutboxMessage).values(state=MessageState.DEAD))
    levels = [each.level for each in found(world, stored_checks.check_worker)]
    assert levels == [Level.OK, Level.WARNING]


def test_the_registration_system_was_here(world: World) -> None:
    check = stored_checks.check_pushers
    assert one(world, check) == ("skipped", "no client may push accounts")
    rp = world.relying_party(
        "registration", grant_types=("client_credentials",), scopes=("scim",), redirect_uris=()
    )
    with world.work() as work:
        work.run(text("DELETE FROM event"))
    name = rp.client_id
    assert one(world, check) == ("warning", f"{name} has never been here")
    world.post(rp, grant_type="client_credentials", scope="scim")
    assert one(world, check)[1].startswith(f"{name} was last here at 2026-")


def test_redis_answers(world: World) -> None:
    check = reach_checks.check_redis
    assert one(world, check, redis_url="")[0] == "skipped"
    dead = f"redis://:secret-word@127.0.0.1:{free_ports(1)}/0"
    level, said = one(world, check, redis_url=dead)
    assert (level, "secret-word" in said) == ("fault", False)
    for several in ("redis+sentinel://{}/gateway", "redis+cluster://{}"):
        url = several.format(f":secret-word@127.0.0.1:{free_ports(1)}")
        assert one(world, check, redis_url=url) == (level, said)
    if world.settings.redis_url:
        assert one(world, check)[0] == "ok"


def test_the_mail_server_lets_the_gateway_in_and_gets_no_mail(
    world: World, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = reach_checks.check_mail
    assert one(world, check, smtp_host="")[0] == "skipped"
    port = free_ports(1)
    here = {"smtp_host": "127.0.0.1", "smtp_port": port}
    assert "Connection refused" in one(world, check, **here)[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Controller(Sink(), "127.0.0.1", port, tls_context=context)
    server.start()
    try:
        assert one(world, check, **here, smtp_security="none")[0] == "ok"
        assert "no TLS with 127.0.0.1" in one(world, check, **here)[1]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert one(world, check, **here)[0] == "ok"
        level, said = one(world, check, **here, smtp_username="a", smtp_password="secret-word")
        assert (level, "secret-word" in said) == ("fault", False)
    finally:
        server.stop()


def test_the_provider_of_text_messages_can_be_reached(
    world: World, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = reach_checks.check_text_messages
    assert one(world, check, sms_url="")[0] == "skipped"
    assert one(world, check, sms_url=f"https://127.0.0.1:{free_ports(1)}/x")[0] == "fault"
    with public(certificate) as (_, address):
        assert one(world, check, sms_url=f"{address}/x")[0] == "fault"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert one(world, check, sms_url=f"{address}/x")[0] == "ok"


def test_tls_as_seen_from_outside(
    world: World, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain, the end of the certificate, and HSTS."""
    check = reach_checks.check_tls
    assert one(world, check, issuer="http://localhost:8000")[0] == "skipped"
    away = f"https://127.0.0.1:{free_ports(1)}"
    refused = f"{away} does not answer: Connection refused"
    assert one(world, check, issuer=away) == ("fault", refused)
    with public(certificate) as (answers, issuer):
        assert "the certificate is not valid" in one(world, check, issuer=issuer)[1]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        soon, hsts = found(world, check, issuer=issuer)
        assert (soon.level, hsts.level) == (Level.WARNING, Level.OK)
        monkeypatch.setattr(reach_checks, "EXPIRES_SOON", -1)
        answers.hsts = "max-age=60"
        valid, short = found(world, check, issuer=issuer)
        assert (valid.level, short.level) == (Level.OK, Level.WARNING)


def test_the_public_address_leads_to_this_gateway(world: World) -> None:
    """OpenID Connect Discovery 1.0 section 4.3: the issuer is the one that was asked."""
    check = reach_checks.check_discovery
    with public() as (answers, issuer):
        assert one(world, check, issuer=issuer)[0] == "ok"
        answers.issuer = "https://other.example"
        assert "names the issuer https://other.example" in one(world, check, issuer=issuer)[1]
        answers.issuer = None  # type: ignore[assignment]
        answers.statuses[DISCOVERED] = 404
        assert one(world, check, issuer=issuer)[0] == "fault"
    assert one(world, check, issuer=issuer)[0] == "fault"


@pytest.mark.parametrize(
    ("check", "path", "right"),
    [
        (reach_checks.check_forward_auth, "/auth/verify", (401, 403, 404)),
        (reach_checks.check_scim, "/scim/v2/Users", (401,)),
    ],
)
def test_nobody_comes_in_without_credentials(
    world: World, check: Check, path: str, right: tuple[int, ...]
) -> None:
    with public() as (answers, issuer):
        for status in (200, 204, 401, 403, 404, 502):
            answers.statuses[path] = status
            expected = "ok" if status in right else "fault"
            assert one(world, check, issuer=issuer)[0] == expected, status
    assert one(world, check, issuer=issuer)[0] == "fault"
