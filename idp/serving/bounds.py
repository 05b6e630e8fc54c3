"""What one process holds, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Beyond these a request is refused, or its answer ends."""

    #: Requests that wait for a thread, and how many seconds they do.
    waiting: int = 256
    wait_seconds: float = 10
    #: The whole body comes within so many seconds.
    body_seconds: float = 30
    #: Bytes that the bodies of all requests take together.
    held: int = 64 << 20
    #: A client takes a piece of an answer within so many seconds.
    send_seconds: float = 30
