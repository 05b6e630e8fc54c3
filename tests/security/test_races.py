"""N26, N34, A1: what is spent once is spent once, by 16 requests at once over two processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.app import create_app, db
from idp.clients import registry
from idp.credentials import links
from idp.credentials.links import Purpose
from idp.directory import accounts, activation
from idp.grants import authorization_codes, grant_lifecycle
from idp.models import AccountState
from idp.session import sessions
from idp.settings import Settings
from tests.live import free_ports
from tests.world import NEW_PASSWORD, VERIFIER, Rp, World, challenge_of

PARALLEL = 16
ROUNDS = 3
Answers = list[tuple[int, dict[str, Any]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The servers are reached at a loopback address, so the issuer is one."""
    return replace(settings, issuer="http://localhost:1")


@pytest.fixture
def servers(world: World) -> Iterator[tuple[int, int]]:
    """Two server processes on the database of the test, told the time by the real clock."""
    first = free_ports(2)
    s = world.settings
    environ = os.environ | {
        "IDP_ISSUER": s.issuer,
        "IDP_DATABASE_URL": s.database_url,
        "IDP_SECRET_KEY": s.secret_key,
        "IDP_KEY_ENCRYPTION_KEYS": s.key_encryption_keys[0],
        "IDP_PASSWORD_PEPPERS": s.password_peppers[0],
        "IDP_BCRYPT_COST": "4",
        "IDP_LOG_LEVEL": "ERROR",
    }
    root = Path(__file__).resolve().parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "idp.cli", "serve", "--port", str(port), "--workers", "1"],
            env=environ,
            cwd=root,
            start_new_session=True,
        )
        for port in (first, first + 1)
    ]
    try:
        for port in (first, first + 1):
            _wait(port)
        yield first, first + 1
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def _wait(port: int) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            if _send(port, "GET", "/healthz", "", {})[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no server on port {port}")


def _send(
    port: int, method: str, path: str, body: str, headers: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body or None, {"Host": "localhost:1"} | headers)
        response = connection.getresponse()
        raw = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(raw) if is_json else {}
    finally:
        connection.close()


def at_once(ports: tuple[int, int], rp: Rp, form: dict[str, str]) -> Answers:
    """The same token request 16 times at the same moment, half of them to each server."""
    barrier = threading.Barrier(PARALLEL, timeout=60)
    answers: Answers = []
    headers = rp.basic() | {"Content-Type": "application/x-www-form-urlencoded"}

    def run(number: int) -> None:
        barrier.wait()
        answers.append(
            _send(ports[number % 2], "POST", "/oauth2/v1/token", urlencode(form), headers)
        )

    threads = [threading.Thread(target=run, args=(n,)) for n in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == PARALLEL
    return answers


@pytest.fixture
def real_time(world: World) -> World:
    """The test's own writes are stamped by the same clock as the servers'."""
    from datetime import UTC, datetime

    world.clock.moment = datetime.now(UTC)
    return world


def loopback_client(world: World) -> Rp:
    """A relying party that a plain http issuer can have."""
    return world.relying_party(
        redirect_uris=("http://localhost/cb",), home_url="", post_logout_redirect_uris=()
    )


def new_code(world: World, rp: Rp, username: str) -> str:
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        session, _ = sessions.start(
            work,
            accounts.by_username(work, username),
            methods=["pwd"],
            own=None,
        )
        found = grant_lifecycle.Authorization(
            session=session,
            client=client,
            scopes=["openid", "offline_access"],
            claims={},
            nonce=None,
        )
        grant = grant_lifecycle.create_for_person(work, found)
        return authorization_codes.issue(
            work, grant, redirect_uri=rp.redirect_uri, code_challenge=challenge_of(VERIFIER)
        )


def test_n26_n34_one_concurrent_use_of_a_code_or_refresh_token_succeeds(
    real_time: World, servers: tuple[int, int]
) -> None:
    """N26: exactly one 200, the rest invalid_grant, no 5xx. N34: one successor, no 5xx, and the
    chain goes on from it."""
    world = real_time
    rp, username = loopback_client(world), world.account()
    for _ in range(ROUNDS):
        form = {
            "grant_type": "authorization_code",
            "code": new_code(world, rp, username),
            "redirect_uri": rp.redirect_uri,
            "code_verifier": VERIFIER,
        }
        answers = at_once(servers, rp, form)
        assert sorted(status for status, _ in answers) == [200] + [400] * (PARALLEL - 1)
        assert {body["error"] for status, body in answers if status == 400} == {"invalid_grant"}
        form["code"] = new_code(world, rp, username)
        headers = rp.basic() | {"Content-Type": "application/x-www-form-urlencoded"}
        _, tokens = _send(servers[0], "POST", "/oauth2/v1/token", urlencode(form), headers)
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        answers = at_once(servers, rp, refresh)
        assert {status for status, _ in answers} == {200}
        (successor,) = {body["refresh_token"] for _, body in answers}
        assert successor != tokens["refresh_token"]
        refresh["refresh_token"] = successor
        status, _ = _send(servers[1], "POST", "/oauth2/v1/token", urlencode(refresh), headers)
        assert status == 200


def test_n68_one_of_sixteen_concurrent_uses_of_a_link_succeeds(world: World) -> None:
    """N68: 16 browsers choose a password with the same link; one password is set."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        path = activation.invite(work, accounts.by_username(work, username))
    token = path.split("token=")[1]
    barrier = threading.Barrier(PARALLEL, timeout=60)
    outcomes: list[object] = []

    def run(number: int) -> None:
        with world.app.app_context():
            work = world.app.extensions["runtime"].work()
            found = links.look_up_with_account(work, Purpose.ACTIVATE, token)
            barrier.wait()
            try:
                assert isinstance(found, tuple)
                hasher = world.app.extensions["hasher"]
                outcome = activation.complete(work, hasher, *found, f"{NEW_PASSWORD}-{number:02}")
                db.session.commit()
            except Exception as error:
                db.session.rollback()
                outcome = type(error).__name__
            outcomes.append(outcome)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(()) == 1
    assert outcomes.count("used") == PARALLEL - 1
    assert len(world.events("link.spent")) == 1


def test_two_processes_pick_up_a_rotation(world: World) -> None:
    """Every process signs with the new key a few seconds later, and both verify both."""
    from idp.grants import signing_keys

    other = create_app(world.settings, world.app.extensions["runtime"].ports)
    rp, username = loopback_client(world), world.account()
    second = replace_app(world, other)
    before = world.signed_in_tokens(rp, username)["access_token"]
    assert second.introspect(rp, before)["active"] is True
    with world.work() as work:
        signing_keys.rotate(work, "ES256")
    world.clock.advance(world.settings.key_cache)
    after = second.signed_in_tokens(rp, username)["access_token"]
    assert after.split(".")[0] != before.split(".")[0]
    for app in (world, second):
        assert app.introspect(rp, before)["active"] is True
        assert app.introspect(rp, after)["active"] is True
    with other.app_context():
        db.engine.dispose()


def replace_app(world: World, app: Any) -> World:
    return World(app, world.settings, world.clock, world.mailer)
