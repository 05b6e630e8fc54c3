"""The address of Redis or Valkey: one server, Sentinels that know which server is the primary, or a
cluster.

``redis://``, ``rediss://`` and ``unix://`` name a server,
``redis+sentinel://[:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE`` the Sentinels and what they call the
server; the password is that of both. ``redis+cluster://[:PASSWORD@]HOST:PORT,HOST:PORT`` names some
servers of a cluster, which know the others."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

SENTINEL, CLUSTER = "redis+sentinel", "redis+cluster"
SCHEMES = ("redis", "rediss", "unix", SENTINEL, CLUSTER)
#: Servers with their ports, and no database: a cluster has one only.
_SERVERS = re.compile(r"([^@/]*@)?[^@/,]+:[0-9]+(,[^@/,]+:[0-9]+)*")


def fault(url: str) -> str | None:
    """Why it is no such address; never a part of it."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        return f"must begin with one of {', '.join(f'{name}://' for name in SCHEMES)}"
    if scheme == SENTINEL and not urlsplit(url).path.strip("/"):
        return f"must name the service: {SENTINEL}://HOST:PORT,HOST:PORT/SERVICE"
    if scheme == CLUSTER and not _SERVERS.fullmatch(rest):
        return f"must name servers with ports, and nothing more: {CLUSTER}://HOST:PORT,HOST:PORT"
    return None


def options(url: str, seconds: float) -> dict[str, Any]:
    """How ``limits`` opens it: nothing waits longer than ``seconds`` for a server. Where one can
    replace another, a command is sent once more; the client would try ten times, with pauses."""
    bounds: dict[str, Any] = {"socket_connect_timeout": seconds, "socket_timeout": seconds}
    if not url.startswith((SENTINEL, CLUSTER)):
        return bounds
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    bounds["retry"] = Retry(NoBackoff(), 1)
    if url.startswith(CLUSTER):
        # It registers its storage under the scheme.
        import_module("service_base.redis_cluster")
        return bounds
    # A replica is behind: its counts would allow more.
    return bounds | {"use_replicas": False, "sentinel_kwargs": bounds}
