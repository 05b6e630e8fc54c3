"""The log line of each request, and its count."""

from __future__ import annotations

import logging
import time

from service_base import logs, request_metrics
from service_base.logs import member
from service_base.request_ids import RequestIds

LOGGER = logging.getLogger("gateway.request")


def write(
    *,
    ids: RequestIds | None,
    endpoint: str | None,
    method: str,
    path: str,
    status: int,
    started: float,
    ip: str | None,
) -> None:
    """Log and count a request that was answered. ``started`` is its time by ``perf_counter``. The
    path comes without the query: links and codes travel in queries (N69)."""
    seconds = time.perf_counter() - started
    request_metrics.count(endpoint, status, seconds)
    of_ids = ids.in_line() if ids is not None else {}
    logs.write_info(
        LOGGER,
        "request",
        "".join([member(name, value) for name, value in of_ids.items()])
        + member("method", method)
        + member("path", path)
        + f'"status": {status}, "ms": {round(seconds * 1000, 1)}, '
        + member("ip", ip),
    )
