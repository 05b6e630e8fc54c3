"""HTTP on a connection: uvicorn's, with bounds on request heads and on the number of
connections."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from idp.serving.asgi_adapter import AsgiAdapter
from idp.serving.exchange import Answer
from idp.serving.refusals import RETRY_AFTER

#: Connections per process; each costs memory, but no thread.
CONNECTIONS = 1024
#: Seconds for a request head, also the next one on a connection that is kept alive.
HEAD_SECONDS = 10
#: Bytes of a request head: room for an ID token of 150 role groups as id_token_hint.
MAX_HEAD = 65_536


def configuration(app: AsgiAdapter, **options: Any) -> Config:
    """uvicorn's, for an application of the gateway."""
    return Config(
        app,
        http=GatewayProtocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=CONNECTIONS * 2,
        timeout_keep_alive=HEAD_SECONDS,
        **options,
    )


class GatewayProtocol(HttpToolsProtocol):
    """uvicorn's protocol bounds neither the size of a head nor the time that it takes."""

    #: Closes the connection, unless the head has come by then.
    _deadline: asyncio.TimerHandle | None = None
    #: Whether a head has begun and is not complete, and the bytes that came for it.
    _in_head = False
    _head = 0
    _is_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, retry_after=RETRY_AFTER)
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head = 0
        elif self._head > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._expect_nothing()
        # With a colon, a space and the end of the line.
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD:
            self._is_too_large = True
            raise ValueError("head")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:
            # The rest of a body that was not waited for is read and dropped.
            self._expect_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it names no cause
        """Refuse what is no HTTP. If it is a body, in the form of its path."""
        # uvicorn has no cycle before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        if self._is_too_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif cycle is None or cycle.response_complete:
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif cycle.more_body and not cycle.response_started:
            self._close_with(self.app.broken_off(cycle.scope))
        else:
            # A response before it is not complete yet.
            self.transport.close()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus, **fields: Any) -> None:
        headers = [(name.replace("_", "-").encode(), b"%d" % fields[name]) for name in fields]
        kind = (b"content-type", b"text/plain; charset=utf-8")
        self._close_with(Answer(status, [kind, *headers], f"{status.phrase}\n".encode()))

    def _close_with(self, answer: Answer) -> None:
        """Send an answer that no application gives, and close the connection."""
        own = {b"content-length": b"%d" % len(answer.body), b"connection": b"close"}
        fields = dict([*self.server_state.default_headers, *answer.headers]) | own
        head = [STATUS_LINE[answer.status], *(b"%s: %s\r\n" % pair for pair in fields.items())]
        self.transport.write(b"".join([*head, b"\r\n", answer.body]))
        self.transport.close()
