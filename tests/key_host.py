"""A host of keys on the loopback interface, as clients have one at their ``jwks_uri``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from joserfc.jwk import ECKey


def key_set(**keys: ECKey) -> bytes:
    """A document with these public keys by ``kid``."""
    members = [{**key.as_dict(private=False), "kid": kid} for kid, key in keys.items()]
    return json.dumps({"keys": members}).encode()


@dataclass
class KeyHost:
    """What the host answers, and what it was asked."""

    document: bytes = b""
    #: Sends something else than the document, if set.
    behaviour: Callable[[BaseHTTPRequestHandler], None] | None = None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    #: Set at the end: slow answers stop.
    over: Event = field(default_factory=Event)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        self.headers.append(dict(handler.headers))
        if self.behaviour is not None:
            self.behaviour(handler)
            return
        send(handler, 200, self.document)


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """An answer with a length."""
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def running() -> Iterator[KeyHost]:
    """A host that runs for the block."""
    host = KeyHost()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                host.answer(self)
            except OSError:
                # The gateway closed the connection.
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """No lines in the output of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        host.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield host
        finally:
            host.over.set()
            server.shutdown()
            thread.join()
