"""Each runbook of docs/operations.md is run from its own text, and what it promises holds."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from idp.app import create_app, db
from idp.audit import chain
from idp.cli import main
from idp.models import AccountState
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from tests.factor_steps import code, half_signed_in, paper_on, secret_on, set_up_app
from tests.security.test_enrolment import CHOICE, answer_question, send
from tests.security.test_signed_tokens import header_of, userinfo
from tests.world import NEW_PASSWORD, Browser, Rp, World

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (ROOT / "docs/operations.md").read_text().split("\n## Runbooks\n")[1].split("\n## ")[0]
#: The blocks of each runbook, as lists of lines.
RUNBOOKS = {
    part.splitlines()[0]: [
        block.strip().replace("\\\n", " ").splitlines()
        for block in re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
    ]
    for part in CHAPTER.split("\n### ")[1:]
}
#: What is not run here, and why.
ELSEWHERE = {
    "systemctl": "needs systemd; a new application on the same files takes its place",
    "/opt/gateway/bin/pip": "needs the wheel of another release",
}
SECRETS = ("database_url", "secret_key", "key_encryption_keys", "password_peppers")


class Desk:
    """Types what the document says, in an installation with its settings in files."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.etc = world, folder / "etc"
        (self.etc / "secrets").mkdir(parents=True)
        settings = world.settings
        for name in SECRETS:
            value = getattr(settings, name)
            shown = value if isinstance(value, str) else ",".join(value)
            (self.etc / "secrets" / name).write_text(shown + "\n")
        lines = {
            "IDP_ENVIRONMENT": settings.environment,
            "IDP_ISSUER": settings.issuer,
            "IDP_PAIRWISE_SECRET": settings.pairwise_secret,
            "IDP_BCRYPT_COST": "4",
            "IDP_ENROLMENT": settings.enrolment,
            "IDP_LOG_LEVEL": "CRITICAL",
        }
        written = "".join(f"{name}={value}\n" for name, value in lines.items())
        (self.etc / "gateway.env").write_text(written)

    def environ(self) -> dict[str, str]:
        """As ``deploy/systemd/run`` gives it to a command."""
        lines = (self.etc / "gateway.env").read_text().splitlines()
        files = {f"IDP_{name.upper()}_FILE": str(self.etc / "secrets" / name) for name in SECRETS}
        return dict(line.split("=", 1) for line in lines) | files

    def type(self, lines: list[str], **names: str) -> list[str]:
        """Run the lines of a block, with names instead of words in capitals. Returns what the
        commands of ``gateway`` printed."""
        with self.world.app.app_context():
            db.session.remove()
            db.engine.dispose()
        printed = []
        for line in lines:
            if line.split()[0] in ELSEWHERE:
                continue
            if not line.startswith("gateway "):
                environ = os.environ | {"ETC": str(self.etc)}
                subprocess.run(["sh", "-ec", line], check=True, env=environ)
                continue
            words = [names.get(word, word) for word in shlex.split(line)[1:]]
            target = words.pop() if ">" in words else None
            result = CliRunner().invoke(main, words[:-1] if target else words, env=self.environ())
            assert result.exit_code == 0, (line, result.output)
            printed.append(result.stdout)
            if target:
                Path(target).write_text(result.stdout)
        return printed

    def restarted(self) -> World:
        """The gateway after a restart, with what the files say now."""
        world = self.world
        settings = replace(
            Settings.from_environ(self.environ()), redis_url=world.settings.redis_url
        )
        ports = Ports(world.clock, SystemTokens(), world.mailer, world.sms, logouts=world.logouts)
        return World(create_app(settings, ports), settings, world.clock, world.mailer, world.sms)


@pytest.fixture
def desk(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """A shell in an empty directory, with the clock of the world."""
    return _desk(world, monkeypatch, tmp_path)


@pytest.fixture
def strict_desk(strict: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """The same with enrolment required."""
    return _desk(strict, monkeypatch, tmp_path)


def _desk(world: World, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Desk:
    monkeypatch.setattr("idp.foundation.SystemClock", lambda: world.clock)
    (folder / "shell").mkdir()
    monkeypatch.chdir(folder / "shell")
    return Desk(world, folder)


def _seal(world: World) -> None:
    with world.app.app_context():
        chain.seal_all(world.app.extensions["runtime"])


@contextmanager
def _tables_of(world: World, version: str) -> Iterator[None]:
    """The tables say that they have this version."""
    engine = create_engine(world.settings.database_url)

    def write(to: str) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": to})

    with engine.begin() as connection:
        before = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    write(version)
    try:
        yield
    finally:
        write(before)
        engine.dispose()


def _secret(said: str) -> str:
    """The new secret that a command shows."""
    return str(re.findall(r"^client_secret +(\S+)$", said, re.MULTILINE)[0])


def _is_still_in(later: World, browser: Browser) -> bool:
    """Whether the cookies of a browser are a session at the gateway after its restart."""
    same = later.browser()
    same.client._cookies = browser.client._cookies
    return bool(same.client.get("/settings", base_url=same.base).status_code == 200)


def _error(world: World, rp: Rp, token: str) -> str | None:
    """Why a refresh is refused; None if it is not."""
    return (world.refresh(rp, token).json or {}).get("error")


def test_every_runbook_is_run() -> None:
    """No runbook without a test, and no block of another kind."""
    source = Path(__file__).read_text()
    assert len(RUNBOOKS) >= 7
    assert [title for title in RUNBOOKS if f'RUNBOOKS["{title}"]' not in source] == []
    assert CHAPTER.count("```") == 2 * sum(len(blocks) for blocks in RUNBOOKS.values())


def test_changed_secrets_end_nothing(desk: Desk, world: World) -> None:
    """Sessions, tokens, passwords, keys and seals from before are valid; new values are in use."""
    rp = world.relying_party()
    world.account("anna")
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, "anna")).json or {}
    _seal(world)
    (block,) = RUNBOOKS["Change the secrets"]
    _, verified = desk.type(block)
    assert verified.startswith("Integrity check passed: ")
    later = desk.restarted()
    was, now = world.settings, later.settings
    assert now.secret_key != was.secret_key
    assert now.secret_key_fallbacks == (was.secret_key,)
    assert now.key_encryption_keys[1:] == was.key_encryption_keys
    assert now.password_peppers[1:] == was.password_peppers
    assert (desk.etc / "gateway.env").stat().st_mode & 0o777 == 0o600
    assert userinfo(later, tokens["access_token"]).status_code == 200
    assert _error(later, rp, tokens["refresh_token"]) is None
    assert _is_still_in(later, browser)
    assert later.signed_in_tokens(rp, "anna")


def test_the_secret_key_of_several_hosts(desk: Desk, world: World) -> None:
    """While one host accepts the new key and the other one uses it, and afterwards, each accepts
    what was made with either (``tests/faults/test_secrets.py``: with processes, under load)."""
    make, accept, use = RUNBOOKS["Change the secret key of several hosts"]
    rp = world.relying_party()
    world.account("anna")
    first = world.redeem(rp, world.browser().code(rp, "anna")).json or {}
    desk.type(make)
    desk.type(accept)
    accepts = desk.restarted()
    desk.type(use)
    uses = desk.restarted()
    was, now = world.settings.secret_key, uses.settings.secret_key
    assert (accepts.settings.secret_key, accepts.settings.secret_key_fallbacks) == (was, (now,))
    assert uses.settings.secret_key_fallbacks == (was,)
    for here, there in ((uses, accepts), (accepts, uses)):
        # A form of one is sent to the other one.
        browser, same = there.browser(), here.browser()
        page = browser.get("/signin")
        same.client._cookies = browser.client._cookies
        same.sign_in("anna", page=page)
        assert _is_still_in(there, same)
        tokens = there.redeem(rp, here.browser().code(rp, "anna")).json or {}
        assert _error(here, rp, tokens["refresh_token"]) is None
    assert _error(uses, rp, first["refresh_token"]) is None


def test_the_encryption_key_of_several_hosts(desk: Desk, world: World) -> None:
    """While one host accepts the new key and the other one encrypts with it, and without the former
    key, each reads what was encrypted (``tests/faults/test_secrets.py``: with processes, under
    load)."""
    make, accept, use, again, remove = RUNBOOKS["Change the encryption key of several hosts"]
    rp = world.relying_party(auth_method="client_secret_jwt")
    secret, _ = set_up_app(world, world.account("berta"))
    for name in ("anna", "carla", "dora"):
        world.account(name)
    desk.type(make)
    desk.type(accept)
    accepts = desk.restarted()
    desk.type(use)
    uses = desk.restarted()
    (was,), (new, _) = world.settings.key_encryption_keys, uses.settings.key_encryption_keys
    assert accepts.settings.key_encryption_keys == (was, new)
    assert uses.settings.key_encryption_keys == (new, was)
    for here, there, name in ((uses, accepts, "carla"), (accepts, uses, "dora")):
        added, _ = set_up_app(here, name)
        _signs_in_by_app(there, name, added)
    encrypted, none = desk.type(again)
    assert re.search(r"(?m)^[1-9]\d* values are encrypted again\.$", encrypted)
    assert "Dry run: 0 values would be encrypted again." in none
    desk.type(remove)
    later = desk.restarted()
    assert later.settings.key_encryption_keys == (new,)
    _signs_in_by_app(later, "berta", secret)
    tokens = later.signed_in_tokens(rp, "anna")
    assert userinfo(later, tokens["access_token"]).status_code == 200
    assert later.mails()


def _signs_in_by_app(world: World, username: str, secret: str) -> None:
    world.clock.advance(days=100)
    browser, page = half_signed_in(world, username)
    page = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert page.request.path == "/"


def test_a_disclosed_secret_of_an_application(desk: Desk, world: World) -> None:
    """The former secret is refused, what was issued has ended, and the new one works."""
    rp = world.relying_party()
    world.account("anna")
    tokens = world.signed_in_tokens(rp, "anna")
    (block,) = RUNBOOKS["The secret of an application was disclosed"]
    said = desk.type(block, ID=rp.client_id)
    assert _error(world, rp, tokens["refresh_token"]) == "invalid_client"
    new = replace(rp, secret=_secret(said[0]))
    assert _error(world, new, tokens["refresh_token"]) == "invalid_grant"
    assert world.introspect(new, tokens["access_token"]) == {"active": False}
    assert world.signed_in_tokens(new, "anna")


def test_n89_a_disclosed_signing_key(desk: Desk, world: World) -> None:
    """N89: what it signed is refused without a restart; the next key signs."""
    rp = world.relying_party()
    world.account("anna")
    tokens = world.signed_in_tokens(rp, "anna")
    kid = header_of(tokens["access_token"])["kid"]
    (block,) = RUNBOOKS["A signing key was disclosed"]
    before, _, after, _ = desk.type(block, KID=kid)
    assert re.search(rf"{kid}\W+\w+\W+active", before)
    assert re.search(rf"{kid}\W+\w+\W+revoked", after)
    world.clock.advance(world.settings.key_cache)
    assert userinfo(world, tokens["access_token"]).status_code == 401
    published = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer)
    assert kid not in {key["kid"] for key in (published.json or {})["keys"]}
    renewed = world.refresh(rp, tokens["refresh_token"]).json or {}
    assert userinfo(world, renewed["access_token"]).status_code == 200


def test_disclosed_secrets_of_the_gateway(desk: Desk, world: World) -> None:
    """Sessions, tokens, codes, recovery codes and secrets of applications have ended; passwords,
    authenticator apps and seals have not."""
    rp = world.relying_party()
    world.account("anna")
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, "anna")).json or {}
    spare = browser.code(rp, "anna")
    app, paper = set_up_app(world, world.account("berta"))
    _seal(world)
    first, then = RUNBOOKS["The secrets of the gateway were disclosed"]
    assert desk.type(first)[0].startswith("Integrity check passed: ")
    later = desk.restarted()
    assert _error(later, rp, tokens["refresh_token"]) == "invalid_client"
    kid = header_of(tokens["access_token"])["kid"]
    new = replace(rp, secret=_secret(desk.type(then, ID=rp.client_id, KID=kid)[0]))
    later.clock.advance(later.settings.key_cache)
    assert _error(later, new, tokens["refresh_token"]) == "invalid_grant"
    assert (later.redeem(new, spare).json or {})["error"] == "invalid_grant"
    assert later.introspect(new, tokens["access_token"]) == {"active": False}
    assert not _is_still_in(later, browser)
    assert later.signed_in_tokens(new, "anna")
    later.clock.advance(days=100)
    own, page = half_signed_in(later, "berta")
    assert own.submit(page, "/signin/factor", code=paper[0]).status_code == 400
    page = own.submit(page, "/signin/factor", code=code(later, app))
    assert page.request.path == "/"


def test_a_lost_database_without_a_backup(desk: Desk, world: World, tmp_path: Path) -> None:
    """Applications, role groups and participants come back, with new secrets and keys; nothing of
    before is valid."""
    rp = world.relying_party()
    world.role_group("EMI Viewer", "emi")
    world.account("anna")
    world.grant_role("anna", "EMI Viewer")
    tokens = world.signed_in_tokens(rp, "anna")
    before, after = RUNBOOKS["The database is lost"]
    desk.type(before)
    (desk.etc / "secrets" / "database_url").write_text(f"sqlite:///{tmp_path}/empty.db")
    desk.type(after)
    later = desk.restarted()
    assert "emi" in Path("secrets.json").read_text()
    assert desk.type(["gateway account list", "gateway role-group list"])[0] == "No accounts.\n"
    assert desk.type(["gateway export > again.yaml"]) != []
    assert Path("again.yaml").read_text() == Path("gateway.yaml").read_text()
    assert userinfo(later, tokens["access_token"]).status_code == 401
    assert _error(later, rp, tokens["refresh_token"]) == "invalid_client"
    with later.app.app_context():
        db.engine.dispose()


def test_the_previous_release_on_newer_tables(desk: Desk, world: World) -> None:
    """It is ready and serves; its own upgrade refuses, as the page says."""
    rp = world.relying_party()
    world.account("anna")
    (block,) = RUNBOOKS["Go back to the previous release"]
    with _tables_of(world, "9999"):
        (said,) = desk.type(block)
        assert "newer" in said
        later = desk.restarted()
        ready = later.app.test_client().get("/readyz", base_url=later.settings.issuer)
        assert (ready.status_code, (ready.json or {})["database"]) == (200, "newer version")
        assert later.signed_in_tokens(rp, "anna")
        refused = CliRunner().invoke(main, ["db", "upgrade"], env=desk.environ())
        assert refused.exit_code == 1


def test_an_emergency_account(strict_desk: Desk, strict: World) -> None:
    """By a recovery code it opens the console and makes a sensitive change. No worker runs that
    could deliver a mail or text message."""
    strict.participant("IESO")
    strict.role_group("Gateway Access Management")
    create, show = RUNBOOKS["An emergency account"]
    strict_desk.type(create)
    strict.run_worker()
    (mail,) = strict.mails("account_created", to="emergency1")
    browser = strict.browser()
    page = browser.get(re.findall(r"/activate\?token=[\w-]+", mail.text)[0])
    page = browser.submit(page, "/activate", **CHOICE)
    page = send(browser, page, do="skip")
    page = browser.get(re.findall(r'href="(/enrol/totp\?[^"]+)"', page.text)[0])
    page = browser.submit(page, "/enrol/totp", do="begin")
    page = browser.submit(page, "/enrol/totp", code=code(strict, secret_on(page)))
    page = answer_question(strict, "emergency1", browser, send(browser, page))
    page = send(browser, page, do="show")
    paper = paper_on(page)
    send(browser, send(browser, page, do="kept"))
    assert strict.account_row("emergency1").state == AccountState.ACTIVE
    strict.clock.advance(days=100)

    later = strict.browser()
    page = later.sign_in("emergency1", NEW_PASSWORD)
    page = later.submit(page, "/signin/factor", code=paper[0])
    assert page.request.path == "/console"
    assert later.get("/console/people").status_code == 200
    page = later.submit(later.get("/console/keys"), "/console/keys/rotate", alg="RS256")
    later.submit(page, "/console/keys/rotate", reason="maintenance", ticket="T-1")
    (event,) = strict.events("key.rotated")
    assert event.actor == "emergency1"
    assert "signin.succeeded" in strict_desk.type(show)[0]
    again = strict.browser()
    page = again.sign_in("emergency1", NEW_PASSWORD)
    assert again.submit(page, "/signin/factor", code=paper[0]).status_code == 400, "used up"
