"""The log line of each request."""

from __future__ import annotations

import time

from service_base import logs

LOGGER = "gateway.request"


def write(
    *, request_id: str | None, method: str, path: str, status: int, started: float, ip: str | None
) -> None:
    """Log a request that was answered. ``started`` is its time by ``perf_counter``. The path comes
    without the query: links and codes travel in queries (N69)."""
    logs.write_info(
        LOGGER,
        "request",
        {
            "request_id": request_id,
            "method": method,
            "path": path,
            "status": status,
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "ip": ip,
        },
    )
