"""Run the application in a thread: the response is returned complete or streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
#: Longer responses are streamed.
MAX_WHOLE = 1 << 20
PIECE = 16_384
WITHOUT_BODY = (204, 304)


class Answer(NamedTuple):
    """A complete response."""

    status: int
    headers: Headers
    body: bytes

    async def send(self, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


@lru_cache(256)
def _name(of_field: str) -> bytes:
    return of_field.lower().encode("latin-1")


def answer_of(status: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
    """A response as WSGI writes it."""
    return Answer(int(status[:3]), _fields(headers), body)


def _fields(headers: list[tuple[str, str]]) -> Headers:
    return [(_name(name), value.encode("latin-1")) for name, value in headers]


class RequestRun:
    """One request in the application, which must call ``start_response`` before it returns, as
    Flask does."""

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        environ: dict[str, Any],
        send: Send,
        send_seconds: float,
    ) -> None:
        self._app, self._environ, self._send = app, environ, send
        self._send_seconds = send_seconds
        self._loop = asyncio.get_running_loop()
        self._is_gone = False
        self._status = 500
        self._headers: Headers = []
        #: Whether the head was sent; after that, an error cannot be reported any more.
        self.begun = False

    def leave(self) -> None:
        """Stop a streamed response, because the client disconnected."""
        self._is_gone = True

    def run(self) -> Answer | None:
        """Run the application. Returns None if the response was streamed. Raises TimeoutError if
        the client does not read."""
        chunks = self._app(self._environ, self._start)
        try:
            if self._is_short():
                return Answer(self._status, self._headers, b"".join(chunks))
            self._stream(chunks)
            return None
        finally:
            # Also closes the generator behind it, which releases its database connection.
            if close := getattr(chunks, "close", None):
                close()

    def _start(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._status, self._headers = int(status[:3]), _fields(headers)
        return _write

    def _is_short(self) -> bool:
        length = dict(self._headers).get(b"content-length")
        if length is not None:
            return int(length) <= MAX_WHOLE
        return self._status in WITHOUT_BODY or self._environ["REQUEST_METHOD"] == "HEAD"

    def _stream(self, chunks: Iterable[bytes]) -> None:
        """Send the head with the first chunk at once, then the rest as the client reads."""
        start = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        self._deliver(start)
        self.begun = True
        piece, least = bytearray(), 1
        for chunk in chunks:
            piece += chunk
            if self._is_gone:
                return
            if len(piece) >= least:
                self._deliver(_body(bytes(piece), more=True))
                piece, least = bytearray(), PIECE
        self._deliver(_body(bytes(piece), more=False))

    def _deliver(self, message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(self._sent(message), self._loop).result()

    async def _sent(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._send_seconds):
            await self._send(message)


def _body(piece: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def _write(_data: bytes) -> None:
    raise NotImplementedError("Flask returns its body")
