"""A port for supervisors and monitoring: health, and metrics for Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@contextmanager
def answering(
    host: str,
    port: int,
    state: Callable[[], dict[str, Any]],
    metrics: Callable[[], tuple[bytes, str]] | None = None,
) -> Iterator[None]:
    """Serve ``GET /healthz`` with the state: 200 if its ``status`` is ok, else 503; and ``GET
    /metrics``, if there are any, as text and media type. Raises OSError if the port is in use."""

    class Handler(BaseHTTPRequestHandler):
        #: A client that sends nothing holds a thread only briefly.
        timeout = 5

        def do_GET(self) -> None:
            if self.path == "/metrics" and metrics is not None:
                self._answer(200, *metrics())
                return
            found = state() if self.path == "/healthz" else {"status": "unknown"}
            status = {"ok": 200, "unknown": 404}.get(found["status"], 503)
            self._answer(status, json.dumps(found).encode(), "application/json")

        def _answer(self, status: int, body: bytes, media_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Do not log health checks."""

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, name="monitoring", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
