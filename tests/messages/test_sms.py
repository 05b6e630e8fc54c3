"""Text messages: the form API, and the way through the outbox."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from idp.directory import accounts
from idp.errors import ConfigurationError
from idp.messages import delivery, queue
from idp.messages.message_kinds import TextMessageKind
from idp.messages.sms import DemoSmsSender, FormSmsSender
from idp.models import MessageState, OutboxMessage
from idp.settings import Settings
from tests.world import World


class Provider(BaseHTTPRequestHandler):
    """A provider that keeps what it gets and answers as told."""

    status = 201
    got: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append({"auth": self.headers["Authorization"], **parse_qs(body)})
        self.send_response(self.status)
        if 300 <= self.status < 400:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def provider() -> Iterator[tuple[type[Provider], Settings]]:
    """A provider on this machine, and settings that name it."""
    handler = type("Handler", (Provider,), {"got": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield (
        handler,
        Settings(
            sms_url=f"http://127.0.0.1:{server.server_port}/Messages",
            sms_username="account",
            sms_password="key",
            sms_from="+14165550000",
        ),
    )
    server.shutdown()
    thread.join()
    server.server_close()


def test_nt08_a_text_message_is_posted_as_a_form(provider: tuple[type[Provider], Settings]) -> None:
    """NT-08: To, From, Body, Basic authentication."""
    handler, settings = provider
    FormSmsSender(settings).send("+14169671111", "Code 123456 – été")
    (got,) = handler.got
    assert got["auth"] == "Basic YWNjb3VudDprZXk="
    assert (got["To"], got["From"]) == (["+14169671111"], ["+14165550000"])
    assert got["Body"] == ["Code 123456 – été"]


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500])
def test_r14_any_status_but_success_is_retried(
    provider: tuple[type[Provider], Settings], status: int
) -> None:
    """R14: a refusal raises; a redirect is not followed with the credentials."""
    handler, settings = provider
    handler.status = status
    with pytest.raises(requests.RequestException):
        FormSmsSender(settings).send("+14169671111", "x")
    assert len(handler.got) == 1


def test_the_demo_sends_no_text_messages() -> None:
    """The outbox page shows it."""
    DemoSmsSender().send("+14169671111", "x")


def test_text_messages_are_sent_from_the_outbox(world: World) -> None:
    """Sealed, sent by the worker, noted; without a sender kept and tried again."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        row = queue.enqueue_sms(
            work, TextMessageKind.RESET_CODE, account, "+14169671111", code="123456"
        )
        work.db.flush()
        pk = row.id
        assert "123456" not in row.body_sealed + row.subject
    runtime = world.app.extensions["runtime"]
    with world.app.app_context():
        delivery.deliver_due(replace(runtime, ports=replace(runtime.ports, sms=None)))
    with world.work() as work:
        row = work.db.get_one(OutboxMessage, pk)
        assert (row.state, row.last_error) == (MessageState.QUEUED, ConfigurationError.__name__)
    world.clock.advance(minutes=5)
    world.run_worker()
    assert world.sms.sent == [
        ("+14169671111", "[Sandbox] IESO Gateway: 123456 is your code to reset your password. "
         "It expires in 10 minutes. Do not share it.\n\n@gateway.test #123456")
    ]  # fmt: skip


def test_an_insecure_provider_is_refused() -> None:
    """Codes are not sent over plain http."""
    settings = Settings(sms_url="http://sms.example/")
    with pytest.raises(ConfigurationError, match="IDP_SMS_URL must be https"):
        settings.validate()
