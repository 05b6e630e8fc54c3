"""Connections and heads of requests, on real sockets (N36, N87, N88)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from uvicorn.server import ServerState

from idp.serving import http_protocol
from idp.serving.asgi_adapter import AsgiAdapter
from idp.serving.bounds import Bounds
from idp.serving.http_protocol import GatewayProtocol
from tests.serving.test_front import in_a_loop
from tests.serving.wire import request
from tests.world import World

FORM = "application/x-www-form-urlencoded"
PATIENCE = 60


@asynccontextmanager
async def listening(world: World, **bounds: float) -> AsyncIterator[tuple[int, ServerState]]:
    """The port of one process, and what it knows of its connections."""
    front = AsgiAdapter(world.app, threads=1, bounds=Bounds(**bounds))  # type: ignore[arg-type]
    config = http_protocol.configuration(front)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GatewayProtocol(config, state, {}), "127.0.0.1", 0, start_serving=True
    )
    try:
        yield server.sockets[0].getsockname()[1], state
    finally:
        server.close()


async def answer(port: int, *pieces: bytes) -> bytes:
    """Send pieces, one after the other; return what comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    coming = asyncio.ensure_future(received(reader))
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
    try:
        return await asyncio.wait_for(coming, PATIENCE)
    finally:
        writer.close()


async def received(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed or reset."""
    found = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            found += piece
    return found


def asked(world: World, *pieces: bytes, **bounds: float) -> bytes:
    """What one connection gets."""

    async def play() -> bytes:
        async with listening(world, **bounds) as (port, _):
            return await answer(port, *pieces)

    return in_a_loop(play())


def status(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1])


@pytest.mark.parametrize("pieces", [1, 9], ids=["at once", "in pieces"])
def test_n87_a_large_head_is_refused(world: World, pieces: int) -> None:
    """N87: 431, whether its end comes or not; the connection is closed."""
    whole = request("GET", "/signin", X_Large="x" * (http_protocol.MAX_HEAD + 1))
    if pieces > 1:
        whole = whole[:-4]
    size = -(-len(whole) // pieces)
    found = asked(world, *[whole[n : n + size] for n in range(0, len(whole), size)])
    assert status(found) == 431
    assert b"connection: close" in found


def test_n87_many_headers_are_bounded_by_their_bytes(world: World) -> None:
    many = "".join(f"X-{n}: 1\r\n" for n in range(9_000))
    assert status(asked(world, f"GET /signin HTTP/1.1\r\n{many}\r\n".encode())) == 431


def test_n88_a_head_has_a_time_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """N88: whatever comes meanwhile, on a new connection and on one that is kept alive."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    assert asked(world) == b""
    trickle = [b"GET /healthz HTTP/1.1\r\n", *[b"X-A: 1\r\n"] * 30]
    assert asked(world, *trickle) == b""
    assert asked(world, request("GET", "/healthz"), *trickle).count(b"HTTP/1.1") == 1


def test_n88_the_rest_of_a_body_has_a_time_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N88: of a body that nobody waits for any more."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    head = request("POST", "/oauth2/v1/token", Content_Type=FORM, Content_Length="1000")
    found = asked(world, head, *[b"a"] * 30, body_seconds=0.05)
    assert (status(found), found.count(b"HTTP/1.1")) == (408, 1)


def test_n88_connections_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """N88: the next one gets 503 with Retry-After; those that are open go on, and make room."""
    monkeypatch.setattr(http_protocol, "CONNECTIONS", 2)

    async def play() -> list[bytes]:
        async with listening(world) as (port, state):
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            while len(state.connections) < 2:
                await asyncio.sleep(0.01)
            refused = await answer(port)
            found = []
            for reader, writer in held:
                writer.write(request("GET", "/healthz", Connection="close"))
                found.append(await asyncio.wait_for(reader.read(), PATIENCE))
                writer.close()
            while state.connections:
                await asyncio.sleep(0.01)
            return [
                refused,
                *found,
                await answer(port, request("GET", "/none", Connection="close")),
            ]

    found = in_a_loop(play())
    assert [status(raw) for raw in found] == [503, 200, 200, 404]
    assert b"retry-after: 5\r\n" in found[0]


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ids=["words", "connect", "tls"],
)  # fmt: skip
def test_what_is_no_request_is_400(world: World, sent: bytes) -> None:
    """Nothing of it reaches the application."""
    found = asked(world, sent)
    assert status(found) == 400
    assert found.endswith(b"Bad Request\n")


@pytest.mark.parametrize(
    "lengths",
    [b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
     b"Content-Length: 3\r\nContent-Length: 4\r\n",
     b"Content-Length: -1\r\n", b"Content-Length: 3,3\r\n",
     b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: x\r\n"],
)  # fmt: skip
def test_n87_a_body_with_two_lengths_is_refused(world: World, lengths: bytes) -> None:
    """RFC 9112 section 6.3: a proxy may have believed the other one. What follows is not read as a
    request."""
    head = request("POST", "/oauth2/v1/token", Content_Type=FORM)[:-2] + lengths + b"\r\n"
    found = asked(world, head + b"a=b", request("GET", "/healthz", Connection="close"))
    assert (status(found), found.count(b"HTTP/1.1")) == (400, 1)


def test_a_malformed_chunk_is_refused_in_the_form_of_its_path(world: World) -> None:
    """OAuth JSON, a SCIM error; and the connection is closed."""
    for path, key in (("/oauth2/v1/token", "error"), ("/scim/v2/Users", "schemas")):
        head = request("POST", path, Content_Type=FORM, Transfer_Encoding="chunked")
        found = asked(world, head, b"zz\r\na=b\r\n0\r\n\r\n")
        assert status(found) == 400
        assert found.count(b"HTTP/1.1") == 1
        assert key in json.loads(found.partition(b"\r\n\r\n")[2])


def test_what_follows_a_request_that_waits_is_not_answered_before_it(world: World) -> None:
    """A client that sends no HTTP behind a request loses the connection."""

    assert asked(world, request("GET", "/signin") + b"nonsense\r\n\r\n") == b""


def test_pipelined_requests_are_answered_in_their_order(world: World) -> None:
    whole = request("GET", "/none") + request("GET", "/healthz", Connection="close")
    found = asked(world, whole)
    assert [int(part[1:4]) for part in found.split(b"HTTP/1.1")[1:]] == [404, 200]


def test_an_upgrade_is_not_done(world: World) -> None:
    """The request is answered as any other."""
    asking = request("GET", "/healthz", Upgrade="websocket", Connection="Upgrade, close",
                     Sec_WebSocket_Version="13", Sec_WebSocket_Key="a" * 22 + "==")  # fmt: skip
    assert status(asked(world, asking)) == 200
