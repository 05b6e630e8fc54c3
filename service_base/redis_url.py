"""The address of Redis or Valkey: one server, or Sentinels that know which server is the primary.

``redis://``, ``rediss://`` and ``unix://`` name a server,
``redis+sentinel://[:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE`` the Sentinels and what they call the
server. The password is that of both."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

SENTINEL = "redis+sentinel"
SCHEMES = ("redis", "rediss", "unix", SENTINEL)


def fault(url: str) -> str | None:
    """Why it is no such address; never a part of it."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        return f"must begin with one of {', '.join(f'{name}://' for name in SCHEMES)}"
    if scheme == SENTINEL and not urlsplit(url).path.strip("/"):
        return f"must name the service: {SENTINEL}://HOST:PORT,HOST:PORT/SERVICE"
    return None


def options(url: str, seconds: float) -> dict[str, Any]:
    """How ``limits`` opens it: nothing waits longer than ``seconds`` for a server."""
    bounds = {"socket_connect_timeout": seconds, "socket_timeout": seconds}
    if not url.startswith(SENTINEL):
        return bounds
    # A replica is behind: its counts would allow more.
    return bounds | {"use_replicas": False, "sentinel_kwargs": bounds}
