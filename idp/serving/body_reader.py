"""Read complete request bodies before a thread is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from idp.serving.bounds import Bounds
from idp.serving.refusals import RefusedRequest

Receive = Callable[[], Awaitable[dict[str, Any]]]
BROKEN_OFF = "body_broken_off"


class BodyReader:
    """Limits the memory of all request bodies together."""

    def __init__(self, bounds: Bounds) -> None:
        self._left, self._seconds = bounds.held, bounds.body_seconds

    def release(self, held: bytearray) -> None:
        """The request has ended that ``held`` was read for."""
        self._left += len(held)

    async def read(self, receive: Receive, limit: int, held: bytearray) -> bool:
        """Read the body into ``held``, for ``release`` at the end of the request. False if it is
        longer than ``limit``. Raises RefusedRequest if it does not arrive in time (408), there is
        no memory left for it (503), or it breaks off (400)."""
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        # Or the chunks are malformed, and the client waits for a response.
                        raise RefusedRequest(400, BROKEN_OFF)
                    piece = message.get("body", b"")
                    held += piece
                    self._left -= len(piece)
                    if self._left < 0:
                        raise RefusedRequest(503, "no_room_for_bodies")
                    if len(held) > limit:
                        return False
                    if not message.get("more_body", False):
                        return True
        except TimeoutError as error:
            raise RefusedRequest(408, "body_too_slow") from error
