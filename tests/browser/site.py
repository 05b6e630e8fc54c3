"""A gateway of a test's own for a real browser, with applications at other origins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.serving import make_server

from idp.app import create_app, db
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from tests.fakes import FakeClock, FakeLogouts, FakeMailer, FakeSms
from tests.live import free_ports
from tests.world import AUTHORIZE, Rp, World


@dataclass
class Application:
    """A relying party of few words: its callback redirects on to another origin, as many do, and
    every other page is what a test wrote."""

    port: int
    pages: dict[str, str] = field(default_factory=dict)
    #: Over https it is another site than the gateway, not only another origin.
    is_secure: bool = False

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}" if self.is_secure else self._local

    @property
    def _local(self) -> str:
        return f"{'https' if self.is_secure else 'http'}://localhost:{self.port}"

    @property
    def elsewhere(self) -> str:
        """Where the callback redirects on to: the same server under another origin."""
        other = self._local if self.is_secure else f"http://127.0.0.1:{self.port}"
        return f"{other}/landed"

    def answer(self, path: str) -> tuple[int, str, str]:
        """Status, Location and body."""
        parts = urlsplit(path)
        if parts.path in ("/callback", "/signed-out"):
            return 302, f"{self.elsewhere}{parts.path}?{parts.query}", ""
        return 200, "", self.pages.get(parts.path, f"<title>app</title><p>at {parts.path}</p>")


@dataclass
class Site:
    """The gateway in this process, its address, and an application."""

    world: World
    origin: str
    app: Application

    def register(self, name: str = "EMI", **changes: Any) -> Rp:
        """The application as a relying party."""
        return self.world.relying_party(
            name,
            **{
                "redirect_uris": (f"{self.app.url}/callback",),
                "post_logout_redirect_uris": (f"{self.app.url}/signed-out",),
                "home_url": "",
                **changes,
            },
        )

    def address(self, rp: Rp, **changes: str) -> str:
        """Of an authorization request."""
        return f"{self.origin}{AUTHORIZE}?{urlencode(rp.authorize_params(**changes))}"


@contextmanager
def open_site(settings: Settings, tls: SSLContext | None = None) -> Iterator[Site]:
    """Serve a gateway and an application on ports of their own, over https with ``tls``."""
    first = free_ports(2)
    origin = f"{'https' if tls else 'http'}://localhost:{first}"
    clock, mailer, sms, logouts = FakeClock(), FakeMailer(), FakeSms(), FakeLogouts()
    app = create_app(
        replace(settings, issuer=origin), Ports(clock, SystemTokens(), mailer, sms, logouts=logouts)
    )
    world = World(app, replace(settings, issuer=origin), clock, mailer, sms, logouts)
    application = Application(first + 1, is_secure=tls is not None)
    gateway = make_server("localhost", first, app, threaded=True, ssl_context=tls)
    other = ThreadingHTTPServer(("", first + 1), _handler(application))
    if tls is not None:
        other.socket = tls.wrap_socket(other.socket, server_side=True)
    threads = [Thread(target=server.serve_forever, daemon=True) for server in (gateway, other)]
    for thread in threads:
        thread.start()
    try:
        yield Site(world, origin, application)
    finally:
        for server in (gateway, other):
            server.shutdown()
        for thread in threads:
            thread.join()
        gateway.server_close()
        other.server_close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def _handler(application: Application) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, location, body = application.answer(self.path)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - the name that the base class looks for

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    return Handler
