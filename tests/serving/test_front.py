"""The front by itself: what it takes, what it refuses, how answers leave it (N36, N87, N88)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest
from flask import Response, request
from flask.typing import ResponseReturnValue

from idp.credentials.hashing import HashingLimiter, PasswordHasher
from idp.errors import Overloaded
from idp.serving import thread_pools
from idp.serving.asgi_adapter import AsgiAdapter
from idp.serving.bounds import Bounds
from idp.serving.refusals import RefusedRequest
from idp.web.forward_auth import REALM
from tests.world import World

T = TypeVar("T")
PATIENCE = 60
DISCONNECT = {"type": "http.disconnect"}


class Client:
    """A client of an ASGI application, in the hands of the test."""

    def __init__(self, method: str, path: str, *headers: tuple[str, str]) -> None:
        self.scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "scheme": "http",
            "query_string": b"", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8000),
            "headers": [(k.encode(), v.encode()) for k, v in (("host", "gateway.test"), *headers)],
        }  # fmt: skip
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        #: Cleared, the client reads nothing more.
        self.reads = asyncio.Event()
        self.reads.set()
        self.got_something = asyncio.Event()

    def body(self, piece: bytes, *, more: bool = False) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self) -> None:
        self.incoming.put_nowait(DISCONNECT)

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.sent.append(message)
        self.got_something.set()

    async def ask(self, front: AsgiAdapter) -> None:
        await asyncio.wait_for(front(self.scope, self.incoming.get, self.send), PATIENCE)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def text(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


def in_a_loop(played: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run in another thread: browser tests leave a loop running in
    that of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, played).result()


def long_body(path: str, length: int = 20, *headers: tuple[str, str]) -> Client:
    form = ("content-type", "application/x-www-form-urlencoded")
    return Client("POST", path, form, ("content-length", str(length)), *headers)


@pytest.fixture
def gate(world: World) -> dict[str, Any]:
    """Pages of the test: one that waits for ``open``, downloads that tell when they end."""
    state: dict[str, Any] = {
        "open": threading.Event(), "inside": threading.Event(), "closed": threading.Event(),
        "runs": 0,
    }  # fmt: skip

    def hold() -> str:
        state["runs"] += 1
        state["inside"].set()
        assert state["open"].wait(PATIENCE)
        return "held"

    def lines(count: int) -> Iterator[str]:
        try:
            for number in range(count):
                yield f"line {number}\n"
                if number == 3 and request.args.get("fails"):
                    raise RuntimeError("in the middle")
        finally:
            state["closed"].set()

    def download(count: int) -> ResponseReturnValue:
        from flask import stream_with_context

        return Response(stream_with_context(lines(count)), mimetype="text/plain")

    world.app.add_url_rule("/hold", "hold", hold)
    world.app.add_url_rule("/download/<int:count>", "download", download)
    return state


def test_n88_a_missing_body_is_408_in_the_form_of_its_path(world: World) -> None:
    """N88: OAuth JSON, a SCIM error, a page in the reader's language."""

    async def play() -> list[Client]:
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(body_seconds=0.01))
        french = ("accept-language", "fr-CA,fr;q=0.9")
        clients = [
            long_body("/oauth2/v1/token"),
            long_body("/scim/v2/Users"),
            long_body("/signin"),
            long_body("/signin", 20, french),
        ]
        for client in clients:
            client.body(b"a=", more=True)
            await client.ask(front)
        return clients

    token, scim, english, french = in_a_loop(play())
    assert {c.status for c in (token, scim, english, french)} == {408}
    assert json.loads(token.text) == {
        "error": "invalid_request",
        "error_description": "The request took too long to arrive.",
    }
    assert json.loads(scim.text)["status"] == "408"
    assert b'<html lang="en">' in english.text
    assert b"took too long to arrive" in english.text
    assert b'<html lang="fr">' in french.text
    assert b"trop de temps" in french.text
    assert english.headers[b"cache-control"] == b"no-store"


def test_n87_the_memory_of_all_bodies_is_bounded(world: World) -> None:
    """N87: the bodies of all requests together are bounded; the next one is told to come again."""

    async def play() -> tuple[Client, Client, Client]:
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(held=100))
        first, second, third = (long_body("/oauth2/v1/token", 80) for _ in range(3))
        first.body(b"a=" + b"b" * 70, more=True)
        held = asyncio.ensure_future(first.ask(front))
        await asyncio.sleep(0)
        second.body(b"a=" + b"b" * 70, more=True)
        await second.ask(front)
        first.leave()
        await held
        third.body(b"a=" + b"b" * 70)
        await third.ask(front)
        return first, second, third

    first, second, third = in_a_loop(play())
    assert first.status == 400
    assert (second.status, second.headers[b"retry-after"]) == (503, b"5")
    assert json.loads(second.text)["error"] == "temporarily_unavailable"
    assert third.status == 400


def test_n88_a_full_queue_refuses_at_once_and_health_still_answers(
    world: World, gate: dict[str, Any]
) -> None:
    """N88: one thread is held, one request waits; the next is 503, health and keys are 200."""

    async def play() -> tuple[list[Client], list[int]]:
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(waiting=1))
        running, waiting, late = (Client("GET", "/hold") for _ in range(3))
        tasks = [asyncio.ensure_future(running.ask(front))]
        await asyncio.to_thread(gate["inside"].wait, PATIENCE)
        tasks.append(asyncio.ensure_future(waiting.ask(front)))
        await asyncio.sleep(0)
        await late.ask(front)
        others = [Client("GET", p) for p in ("/healthz", "/readyz", "/oauth2/v1/keys")]
        for other in others:
            await other.ask(front)
        assert running.sent == waiting.sent == []
        gate["open"].set()
        await asyncio.gather(*tasks)
        return [running, waiting, late], [other.status for other in others]

    (running, waiting, late), others = in_a_loop(play())
    assert others == [200, 200, 200]
    assert (running.text, waiting.text) == (b"held", b"held")
    assert (late.status, late.headers[b"retry-after"]) == (503, b"5")
    assert b"not available right now" in late.text


def test_n88_a_request_that_waits_takes_no_turn_from_others(
    world: World, gate: dict[str, Any]
) -> None:
    """N88: three requests wait for a hash or a lock; the next one gets a thread all the same."""

    async def play() -> int:
        front = AsgiAdapter(world.app, threads=1, spare=3)
        held = [asyncio.ensure_future(Client("GET", "/hold").ask(front)) for _ in range(3)]
        other = Client("GET", "/signin")
        await other.ask(front)
        gate["open"].set()
        await asyncio.gather(*held)
        return other.status

    assert in_a_loop(play()) == 200


def test_only_so_many_requests_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare threads take nothing while no request is slow, and no request is forgotten. One that
    was slow is counted again when it has ended."""
    monkeypatch.setattr(thread_pools, "SLOW_SECONDS", 0.0)
    active: set[int] = set()
    most: list[int] = []

    def call(number: int) -> int:
        active.add(number)
        most.append(len(active))
        threading.Event().wait(0.001)
        active.remove(number)
        return number

    async def play() -> list[int]:
        pool = thread_pools.ThreadPool("test", 2, 100, spare=4)
        opened = threading.Event()
        slow = [pool.submit(lambda: opened.wait(PATIENCE)) for _ in range(3)]
        # It gets a thread once all three have theirs and are not counted any more.
        await pool.submit(lambda: 0).result
        opened.set()
        for job in slow:
            assert await job.result
        monkeypatch.setattr(thread_pools, "SLOW_SECONDS", PATIENCE)
        jobs = [pool.submit(partial(call, number)) for number in range(40)]
        return [await job.result for job in jobs]

    assert in_a_loop(play()) == list(range(40))
    assert max(most) == 2


def test_a_request_that_nobody_waits_for_any_more_is_not_run() -> None:
    """One that was withdrawn from the queue, and one whose task was cancelled. Of one that runs
    already, the result is dropped."""
    runs: list[str] = []

    async def play() -> None:
        pool = thread_pools.ThreadPool("test", 1, 100)
        inside, opened = threading.Event(), threading.Event()

        def hold() -> bool:
            inside.set()
            return opened.wait(PATIENCE)

        first = pool.submit(hold)
        await asyncio.to_thread(inside.wait, PATIENCE)
        withdrawn, cancelled = (pool.submit(partial(runs.append, name)) for name in "ab")
        assert withdrawn.withdraw()
        assert not withdrawn.withdraw()
        assert not first.withdraw()
        cancelled.result.cancel()
        first.result.cancel()
        opened.set()
        await pool.submit(partial(runs.append, "c")).result
        withdrawn.fail(RefusedRequest(503, "waited_too_long"))
        with pytest.raises(RefusedRequest):
            await withdrawn.result

    in_a_loop(play())
    assert runs == ["c"]


def test_r08_a_hanging_database_check_does_not_delay_the_keys(
    world: World, gate: dict[str, Any]
) -> None:
    """R08: probes of the database wait for each other only."""
    world.app.view_functions["pages.readyz"] = world.app.view_functions["hold"]

    async def play() -> list[int]:
        front = AsgiAdapter(world.app, threads=1)
        probes = [Client("GET", "/readyz") for _ in range(4)]
        asked = [asyncio.ensure_future(probe.ask(front)) for probe in probes]
        await asyncio.to_thread(gate["inside"].wait, PATIENCE)
        others = [Client("GET", p) for p in ("/healthz", "/oauth2/v1/keys", "/signin")]
        for other in others:
            await other.ask(front)
        assert all(probe.sent == [] for probe in probes)
        gate["open"].set()
        await asyncio.gather(*asked)
        return [other.status for other in others]

    assert in_a_loop(play()) == [200, 200, 200]


def test_n88_requests_that_timed_out_or_were_abandoned_are_not_run(
    world: World, gate: dict[str, Any]
) -> None:
    """N88: the application runs once, for the one that got the thread."""

    async def play() -> tuple[Client, Client]:
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(wait_seconds=0.01))
        patient = AsgiAdapter(world.app, threads=1)
        # The same pools: only how long requests wait differs.
        patient._pools = front._pools
        running, waiting, gone = (Client("GET", "/hold") for _ in range(3))
        held = asyncio.ensure_future(running.ask(patient))
        await asyncio.to_thread(gate["inside"].wait, PATIENCE)
        await waiting.ask(front)
        leaving = asyncio.ensure_future(gone.ask(patient))
        gone.leave()
        await leaving
        gate["open"].set()
        await held
        assert running.text == b"held"
        return waiting, gone

    waiting, gone = in_a_loop(play())
    assert waiting.status == 503
    assert gone.sent == []
    assert gate["runs"] == 1


def test_a_download_is_sent_while_it_is_made(world: World, gate: dict[str, Any]) -> None:
    """The first line comes at once, then pieces, in order and whole."""

    async def play() -> Client:
        client = Client("GET", "/download/20000")
        await client.ask(AsgiAdapter(world.app, threads=1))
        return client

    client = in_a_loop(play())
    assert client.sent[1]["body"] == b"line 0\n"
    assert len(client.sent) > 10
    assert client.text == b"".join(b"line %d\n" % n for n in range(20000))
    assert not client.sent[-1]["more_body"]
    assert gate["closed"].is_set()


def test_a_client_that_goes_away_ends_the_download(world: World, gate: dict[str, Any]) -> None:
    """The generator is closed, with the database connection that it holds."""

    async def play() -> Client:
        client = Client("GET", "/download/1000000000")
        asked = asyncio.ensure_future(client.ask(AsgiAdapter(world.app, threads=1)))
        await client.got_something.wait()
        client.leave()
        await asked
        return client

    client = in_a_loop(play())
    assert gate["closed"].is_set()
    assert client.sent[-1].get("more_body", True)


def test_a_client_that_reads_nothing_ends_the_download(world: World, gate: dict[str, Any]) -> None:
    """N88: a thread waits for a reader no longer than the bound."""

    async def play() -> None:
        client = Client("GET", "/download/1000000000")
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(send_seconds=0.05))
        asked = asyncio.ensure_future(client.ask(front))
        await client.got_something.wait()
        client.reads.clear()
        with pytest.raises(TimeoutError):
            await asked

    in_a_loop(play())
    assert gate["closed"].is_set()


def test_a_download_that_fails_aborts_the_connection(world: World, gate: dict[str, Any]) -> None:
    """What is a part must not pass for the whole: the server cuts the connection."""

    async def play() -> Client:
        client = Client("GET", "/download/1000")
        client.scope["query_string"] = b"fails=1"
        with pytest.raises(RuntimeError):
            await client.ask(AsgiAdapter(world.app, threads=1))
        return client

    client = in_a_loop(play())
    assert all(message.get("more_body", True) for message in client.sent)
    assert gate["closed"].is_set()


@pytest.mark.parametrize("name", ["authorization", "host", "content-type", "origin"])
def test_n28_a_repeated_header_is_refused(world: World, name: str) -> None:
    """N28: of two, a proxy may have judged the other one."""
    client = Client("GET", "/oauth2/v1/userinfo", (name, "a"), (name, "a"))
    in_a_loop(client.ask(AsgiAdapter(world.app, threads=1)))
    assert client.status == 400


@pytest.mark.parametrize(
    ("name", "status", "field"),
    [
        ("authorization", 401, (b"www-authenticate", REALM.encode())),
        ("origin", 403, (b"x-gateway-error", b"invalid_request")),
    ],
)
def test_n28_a_proxy_with_two_credentials_gets_401_or_403(
    world: World, name: str, status: int, field: tuple[bytes, bytes]
) -> None:
    """N28, MA-11: two credentials are as good as none."""
    client = Client("GET", "/auth/verify", (name, "a"), (name, "a"))
    in_a_loop(client.ask(AsgiAdapter(world.app, threads=1)))
    assert (client.status, client.text) == (status, b"")
    assert field in client.headers.items()


def test_n88_a_proxy_gets_403_when_the_queue_is_full(world: World, gate: dict[str, Any]) -> None:
    """N88, MA-11: with the time to wait; so does a script hear of it, and it may ask first."""

    async def play() -> tuple[Client, Client, Client]:
        front = AsgiAdapter(world.app, threads=1, bounds=Bounds(waiting=0))
        held = asyncio.ensure_future(Client("GET", "/hold").ask(front))
        await asyncio.to_thread(gate["inside"].wait, PATIENCE)
        proxy, script = Client("GET", "/auth/verify"), Client("POST", "/oauth2/v1/token")
        asking = Client("OPTIONS", "/oauth2/v1/token", ("origin", "https://app.test"))
        for client in (proxy, script, asking):
            await client.ask(front)
        gate["open"].set()
        await held
        return proxy, script, asking

    world.relying_party(allowed_origins=("https://app.test",))
    proxy, script, asking = in_a_loop(play())
    assert (proxy.status, proxy.text) == (403, b"")
    assert proxy.headers[b"x-gateway-error"] == b"temporarily_unavailable"
    assert proxy.headers[b"retry-after"] == b"5"
    assert (script.status, script.headers[b"access-control-allow-origin"]) == (503, b"*")
    assert b"Retry-After" in script.headers[b"access-control-expose-headers"]
    assert asking.status == 200
    assert asking.headers[b"access-control-allow-origin"] == b"https://app.test"


def test_n60_headers_with_underscores_are_ignored(world: World) -> None:
    """N60: ``X_Forwarded_For`` is not ``X-Forwarded-For``, and ``Proxy`` is not HTTP_PROXY."""
    seen: dict[str, str] = {}

    def show() -> str:
        seen.update({k: v for k, v in request.environ.items() if k.startswith("HTTP_")})
        return ""

    world.app.add_url_rule("/show", "show", show)
    client = Client("GET", "/show", ("x_forwarded_for", "192.0.2.1"), ("proxy", "http://evil"),
                    ("cookie", "a=1"), ("cookie", "b=2"))  # fmt: skip
    in_a_loop(client.ask(AsgiAdapter(world.app, threads=1)))
    assert seen == {"HTTP_HOST": "gateway.test", "HTTP_COOKIE": "a=1; b=2"}


def test_n88_a_full_hashing_queue_refuses_before_it_hashes(world: World) -> None:
    """N88: two hash or wait, the third is told to come again; then there is room again."""
    limiter = HashingLimiter(1, 1)
    hasher = PasswordHasher(world.settings, limiter)
    entered, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with limiter.slot():
            entered.set()
            assert leave.wait(PATIENCE)

    threads = [threading.Thread(target=occupy)]
    threads[0].start()
    assert entered.wait(PATIENCE)
    threads.append(threading.Thread(target=hasher.hash, args=("another",)))
    threads[1].start()
    while limiter._admitted._value:
        pass
    with pytest.raises(Overloaded):
        hasher.verify("whatever", None)
    leave.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not hasher.verify("whatever", None)


def test_n88_waiting_for_a_hash_has_a_time_limit(world: World) -> None:
    """N88: whose turn does not come in time is told to come again, and has taken no place; hashes
    that are slow to begin with stop nobody for good."""
    limiter = HashingLimiter(1, 1, seconds=0)
    hasher = PasswordHasher(world.settings, limiter)
    with limiter.slot():
        for _ in range(3):
            with pytest.raises(Overloaded):
                hasher.verify("whatever", None)
    assert not hasher.verify("whatever", None)


def test_n88_a_full_hashing_queue_is_503_at_every_endpoint(world: World) -> None:
    """N88: a page for people, an OAuth error at the token endpoint; nothing counts as a failure."""
    username = world.account("someone")
    world.app.extensions["hasher"]._limiter._admitted = threading.Semaphore(0)
    browser = world.browser()
    page = browser.sign_in(username)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "Service temporarily unavailable" in page.text
    token = world.app.test_client().post(
        "/oauth2/v1/token",
        data={"grant_type": "client_credentials", "client_id": "APIIESO00001",
              "client_secret": "x" * 12, "resource": "emi"},
        base_url=world.settings.issuer,
    )  # fmt: skip
    assert (token.status_code, token.headers["Retry-After"]) == (503, "5")
    assert token.json == {
        "error": "temporarily_unavailable",
        "error_description": "Try again in a moment.",
    }
    assert world.events("signin.refused") == []
