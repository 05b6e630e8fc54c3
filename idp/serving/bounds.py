"""Limits of one process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Beyond these limits a request is refused, or its response is aborted."""

    #: Requests waiting for a thread, and the maximum wait in seconds.
    waiting: int = 256
    wait_seconds: float = 10
    #: Seconds for the complete body.
    body_seconds: float = 30
    #: Total bytes of all request bodies.
    held: int = 64 << 20
    #: Seconds for a client to read a chunk of the response.
    send_seconds: float = 30
