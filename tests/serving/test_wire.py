"""``gateway serve`` on real sockets: what holds one request up holds no other (N88, R01)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from idp.oidc.jwks import MAX_TOKEN
from idp.serving.http_protocol import MAX_HEAD
from tests.security.test_large_tokens import hold
from tests.serving.wire import PATIENCE, ROOT, answer_on, answered, request, serve
from tests.world import World, environ_of

pytestmark = pytest.mark.xdist_group("wire")
FORM = "application/x-www-form-urlencoded"


def held_body(path: str) -> bytes:
    """A request whose body never comes whole."""
    return request("POST", path, Content_Type=FORM, Content_Length="1000") + b"username="


def test_n88_incomplete_bodies_occupy_no_thread_and_do_not_delay_a_stop(world: World) -> None:
    """N88: 60 bodies that never come; everything else is answered while none of them is, and the
    gateway stops although they are open."""
    with serve(world, "--workers", "1", "--threads", "4", "--stop-seconds", "1") as served:
        held = [
            served.send(held_body(path))
            for path in ("/signin", "/oauth2/v1/token", "/scim/v2/Bulk")
            for _ in range(20)
        ]
        for path in ("/healthz", "/readyz", "/oauth2/v1/keys", "/signin"):
            assert served.get(path).status == 200
        assert answered(held) == []
        assert os.path.exists(f"/proc/{served.process.pid}")


def test_n88_incomplete_headers_occupy_no_thread(world: World) -> None:
    """N88: 60 half heads, and 60 connections on which nothing is sent."""
    with serve(world, "--workers", "1", "--threads", "4") as served:
        held = [served.send(b"GET /signin HTTP/1.1\r\nHost: ") for _ in range(60)]
        held += [served.send(b"") for _ in range(60)]
        assert served.get("/signin").status == 200
        # The server closes them by itself, without an answer.
        assert [connection.recv(1) for connection in held] == [b""] * 120


def test_r01_a_killed_child_process_is_restarted(world: World) -> None:
    """R01: the other child goes on answering, the main process lives, and a new child comes."""
    with serve(world, "--workers", "2") as served:
        served.wait_until(lambda: len(served.children()) == 2)
        first = served.children()
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        served.wait_until(lambda: victim not in served.children())
        for _ in range(10):
            assert served.get("/healthz").status == 200
        served.wait_until(lambda: len(served.children()) == 2)
        assert len(served.children() & first) == 1
        assert len(served.children() - first) == 1


def test_r01_a_process_that_ends_again_stops_everything(world: World) -> None:
    """R01: the supervisor learns of it by exit code 1."""
    with serve(world, "--workers", "1", code=1) as served:
        first = served.children()
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        served.wait_until(lambda: bool(served.children() - first))
        for pid in served.children() - first:
            os.kill(pid, signal.SIGKILL)
        served.process.wait(PATIENCE)


def test_a_port_that_is_in_use_is_refused(world: World) -> None:
    """Two gateways on one port would each get a part of the requests."""
    with serve(world, "--workers", "1") as served:
        command = [sys.executable, "-m", "idp.cli", "serve", "--port", str(served.port)]
        second = subprocess.run(
            command, env=os.environ | environ_of(world), cwd=ROOT, capture_output=True, text=True
        )
        assert second.returncode == 2
        assert f"the port 127.0.0.1:{served.port} is not free" in second.stderr
        assert served.get("/healthz").status == 200


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_a_stop_finishes_what_runs(
    world: World, by: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that has begun is answered. Variables for gunicorn change nothing."""
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--bind 127.0.0.1:1 --workers 3")
    with serve(world, "--workers", "1", by=by) as served:
        assert len(served.children()) == 1
        begun = served.send(
            request("POST", "/oauth2/v1/token", Content_Type=FORM, Content_Length="4",
                    Expect="100-continue")
        )  # fmt: skip
        assert begun.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        os.kill(served.process.pid, by)
        begun.sendall(b"a=bc")
        assert answer_on(begun)[0].status == 400


def test_requests_that_the_server_accepts_and_refuses(world: World) -> None:
    """N28, N87 and RFC 9110: Expect, HEAD, repeated headers, lengths, and underscores."""
    with serve(world, "--workers", "1") as served:
        expecting = served.send(
            request("POST", "/oauth2/v1/token", Content_Type=FORM, Content_Length="4",
                    Expect="100-continue")
        )  # fmt: skip
        assert expecting.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        expecting.sendall(b"a=bc")
        assert answer_on(expecting)[0].status == 400
        too_long = served.send(
            request("POST", "/oauth2/v1/token", Content_Type=FORM, Content_Length="300000",
                    Expect="100-continue")
        )  # fmt: skip
        answer, body = answer_on(too_long)
        assert (answer.status, b"too large" in body) == (413, True)
        head = answer_on(served.send(request("HEAD", "/signin")), "HEAD")
        assert (head[0].status, head[1]) == (200, b"")
        assert int(head[0].headers["Content-Length"]) > 1000
        twice = request("GET", "/auth/verify?service=x").replace(
            b"\r\n\r\n", b"\r\nAuthorization: Basic YTpi\r\nauthorization: Basic Yzpk\r\n\r\n"
        )
        assert answer_on(served.send(twice))[0].status == 401
        hosts = request("GET", "/signin").replace(b"\r\n\r\n", b"\r\nHost: evil.test\r\n\r\n")
        assert answer_on(served.send(hosts))[0].status == 400
        chunked = request(
            "POST", "/oauth2/v1/token", Content_Type=FORM, Transfer_Encoding="chunked"
        )
        assert answer_on(served.send(chunked + b"3\r\na=b\r\n0\r\n\r\n"))[0].status == 400
        endless = served.send(
            chunked + b"40000\r\n" + b"a" * 0x40000 + b"\r\n40000\r\n" + b"a" * 99
        )
        assert answer_on(endless)[0].status == 413
        unreadable = answer_on(served.send(chunked + b"zz\r\na=b\r\n0\r\n\r\n"))
        assert (unreadable[0].status, json.loads(unreadable[1])["error"]) == (
            400,
            "invalid_request",
        )
        assert served.get("/%ff%2F..%00").status == 404


def test_n38_tokens_with_many_role_groups_are_accepted(world: World) -> None:
    """N38, N57: in the header and in the address, as long as the gateway signs them."""
    world.clock.moment = datetime.now(UTC)
    rp, username = world.relying_party(), world.account()
    hold(world, rp, username, 150)
    tokens = world.signed_in_tokens(rp, username)
    with serve(world, "--workers", "1") as served:
        authorization = f"Bearer {tokens['access_token']}"
        bearer = request("GET", "/oauth2/v1/userinfo", Authorization=authorization)
        answer, body = answer_on(served.send(bearer))
        assert (answer.status, len(json.loads(body)["groups"])) == (200, 150)
        back = "https://emi.rp.test/signed-out"
        asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": back}
        query = urlencode(asked)
        answer, _ = answer_on(served.send(request("GET", f"/oauth2/v1/logout?{query}")))
        assert answer.headers["Location"] == back
    assert len(bearer) < 2 * MAX_HEAD // 3 < MAX_TOKEN <= MAX_HEAD
