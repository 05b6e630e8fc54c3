"""The ASGI application in front of the gateway: reads the whole request, then waits for a
thread."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from flask import Flask

from idp import metrics
from idp.policy.addresses import client_address
from idp.serving.body_reader import BROKEN_OFF, BodyReader, Receive
from idp.serving.bounds import Bounds
from idp.serving.environ import environ_of
from idp.serving.exchange import Answer, RequestRun, Send, answer_of
from idp.serving.refusals import Refusals, RefusedRequest
from idp.serving.thread_pools import Job, ThreadPools
from service_base import logs, request_ids

log = logs.Logger("gateway.request")
#: Seconds between two looks for requests whose clients may have left.
SOON = 0.1


class ClientDisconnected(Exception):
    """The client disconnected before the response."""


class AsgiAdapter:
    """Runs the WSGI application under an ASGI server. Open connections and slow bodies cost memory,
    but no thread. Requests beyond the limits are refused at once, with ``Retry-After``."""

    def __init__(
        self, app: Flask, *, threads: int, spare: int = 0, bounds: Bounds | None = None
    ) -> None:
        self.app, self._bounds = app, bounds or Bounds()
        self._pools = ThreadPools(threads, spare, self._bounds.waiting)
        self._intake = BodyReader(self._bounds)
        self._refusals = Refusals(app)
        self._trusted = app.extensions["runtime"].settings.trusted_proxies
        self._kept = app.extensions["kept_documents"]
        self._limits: dict[str, int] = app.config.get("LARGER_BODIES", {})
        #: What has no response yet and is not watched, with the time of its start.
        self._unanswered: dict[Job[Answer | None], tuple[float, RequestRun, Receive]] = {}
        self._soon = min(SOON, self._bounds.wait_seconds)
        self._looks = False
        self._watches: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        if scope["type"] != "http":
            raise ValueError("only http is served")
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, send)
        except RefusedRequest as refusal:
            await self._refuse(scope, send, refusal, started)
        except ClientDisconnected:
            _log(scope, 499, "client_left", started, self._trusted)

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not (announced := _announced(scope["headers"])):
            await self._exchange(scope, receive, send, b"")
            return
        usual = self.app.config["MAX_CONTENT_LENGTH"]
        limit = self._limits.get(scope["path"].rstrip("/"), usual)
        if announced > limit:
            await self._exchange(scope, receive, send, None, limit)
            return
        held = bytearray()
        try:
            is_whole = await self._intake.read(receive, limit, held)
            await self._exchange(scope, receive, send, bytes(held) if is_whole else None, limit)
        finally:
            self._intake.release(held)

    async def _exchange(
        self,
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
        body: bytes | None,
        limit: int = 0,
    ) -> None:
        """Answer a request with its body; None is one that is longer than ``limit``, so that the
        application refuses it in the form of its endpoint."""
        environ = environ_of(scope, body or b"", limit + 1 if body is None else None)
        if (kept := self._kept.answer(environ)) is not None:
            await answer_of(kept.status, kept.headers, kept.body).send(send)
            return
        exchange = RequestRun(self.app, environ, send, self._bounds.send_seconds)
        job = self._pools.of(scope["method"], scope["path"]).submit(exchange.run)
        answer = await self._wait(job, exchange, receive if body is not None else _never)
        if answer:
            await answer.send(send)

    async def _wait(
        self, job: Job[Answer | None], exchange: RequestRun, receive: Receive
    ) -> Answer | None:
        """The response, once a thread has produced it. If the client disconnects, a queued request
        is dropped and a streamed response stops."""
        # Most responses take less time. Looking whether the client is still there costs more than
        # they do.
        self._unanswered[job] = (time.monotonic(), exchange, receive)
        self._look_soon()
        try:
            return await job.result
        except (ClientDisconnected, RefusedRequest):
            raise
        except Exception as error:
            log.error("unanswered", exc_info=error)
            if exchange.begun:
                # The server closes the connection, so that no client takes a partial response for a
                # complete one.
                raise
            raise RefusedRequest(500, type(error).__name__) from error
        finally:
            self._unanswered.pop(job, None)

    def _look_soon(self) -> None:
        if self._unanswered and not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(self._soon, self._look)

    def _look(self) -> None:
        """Watch each request that has waited for ``_soon``. One timer serves all requests."""
        self._looks = False
        now = time.monotonic()
        for job, (since, exchange, receive) in list(self._unanswered.items()):
            if now - since < self._soon:
                break
            del self._unanswered[job]
            left = self._bounds.wait_seconds - (now - since)
            watch = asyncio.ensure_future(self._watch(job, exchange, receive, left))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
        self._look_soon()

    async def _watch(
        self, job: Job[Answer | None], exchange: RequestRun, receive: Receive, seconds: float
    ) -> None:
        """Wait until the response is there or the client has disconnected. A request that no thread
        has begun ends with ClientDisconnected or RefusedRequest."""
        left = asyncio.ensure_future(_wait_for_disconnect(receive))
        both = (job.result, left)
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait(both, timeout=max(0, seconds), return_when=first)
            if not job.result.done() and job.withdraw():
                gone = left.done()
                job.fail(ClientDisconnected() if gone else RefusedRequest(503, "waited_too_long"))
                return
            await asyncio.wait(both, return_when=first)
            if left.done():
                exchange.leave()
        finally:
            left.cancel()

    def broken_off(self, scope: dict[str, Any]) -> Answer:
        """The response to a request whose body is no HTTP."""
        return self._refused(scope, RefusedRequest(400, BROKEN_OFF))

    def _refused(self, scope: dict[str, Any], refusal: RefusedRequest) -> Answer:
        language = dict(scope["headers"]).get(b"accept-language", b"")
        return self._refusals.answer(scope["path"], language, refusal)

    async def _refuse(
        self, scope: dict[str, Any], send: Send, refusal: RefusedRequest, started: float
    ) -> None:
        answer = self._refused(scope, refusal)
        await answer.send(send)
        _log(scope, answer.status, refusal.reason, started, self._trusted)


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """The announced body length in bytes; 1 if unknown, 0 for no body."""
    fields = dict(headers)
    if b"transfer-encoding" in fields:
        return 1
    length = fields.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def _wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _never() -> dict[str, Any]:
    await asyncio.get_running_loop().create_future()
    raise ClientDisconnected


def _log(
    scope: dict[str, Any], status: int, reason: str, started: float, trusted: tuple[str, ...]
) -> None:
    """Log the request as the application does: the path without its query (N69). Count it. Its ids
    are new: a proxy is not asked for those of what is refused."""
    metrics.UNSERVED.add(reason)
    log.info(
        "request",
        **request_ids.of_request(None).in_line(),
        method=scope["method"],
        path=scope["path"],
        status=status,
        reason=reason,
        ms=round((time.perf_counter() - started) * 1000, 1),
        ip=_sender(scope, trusted),
    )


def _sender(scope: dict[str, Any], trusted: tuple[str, ...]) -> str | None:
    """The client's address, as the application determines it."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    forwarded = b",".join(values).decode("latin-1")
    return client_address((scope.get("client") or ("",))[0], forwarded, trusted).ip
