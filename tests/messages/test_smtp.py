"""Transfer to a real SMTP server on this machine."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from idp.settings import Settings
from service_base import smtp
from service_base.smtp import DemoMailer, SmtpMailer
from tests.live import free_ports

Serve = Callable[..., Controller]


class Sink:
    """Keeps what arrives; may answer the data or the farewell in its own way."""

    def __init__(self, *, data: str = "250 OK", farewell: str = "221 Bye") -> None:
        self.envelopes: list[Any] = []
        self.data, self.farewell = data, farewell

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        if self.data == "drop":
            server.transport.close()
        return self.data

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802
        return self.farewell


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "g@gateway.test", "a@p.example", "Été"
    made["Message-ID"] = "<1@gateway.test>"
    made.set_content("Bonjour")
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, and stops them afterwards."""
    with ExitStack() as running:

        def start(sink: Sink | None = None, **options: Any) -> Controller:
            controller = Controller(
                sink or Sink(), hostname="127.0.0.1", port=free_ports(1), **options
            )
            controller.start()
            running.callback(controller.stop)
            return controller

        yield start


@pytest.fixture
def server(serve: Serve) -> Controller:
    return serve()


def mailer(server: Controller, security: str) -> SmtpMailer:
    return SmtpMailer(
        Settings(smtp_host="127.0.0.1", smtp_port=server.port, smtp_security=security)
    )


@pytest.fixture
def tls_server(serve: Serve, certificate: Path) -> Controller:
    """A server that offers STARTTLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return serve(tls_context=context)


def test_a_mail_arrives_with_its_message_id(server: Controller) -> None:
    """R14: an accepted transfer returns."""
    mailer(server, "none").send(message())
    (envelope,) = server.handler.envelopes
    assert envelope.rcpt_tos == ["a@p.example"]
    assert b"Message-ID: <1@gateway.test>" in envelope.content


def test_a_server_without_tls_gets_no_mail_if_tls_is_required(server: Controller) -> None:
    """No silent fall-back to plain text."""
    with pytest.raises(smtplib.SMTPException):
        mailer(server, "starttls").send(message())
    assert server.handler.envelopes == []


def test_a_trusted_server_gets_the_mail_by_tls(
    tls_server: Controller, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STARTTLS with a certificate that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mailer(tls_server, "starttls").send(message())
    assert len(tls_server.handler.envelopes) == 1


def test_a_server_with_an_untrusted_certificate_gets_no_mail(tls_server: Controller) -> None:
    """The certificate is verified: a server in the middle reads no link."""
    with pytest.raises(ssl.SSLCertVerificationError):
        mailer(tls_server, "starttls").send(message())
    assert tls_server.handler.envelopes == []


@pytest.mark.parametrize(("answer", "code"), [("451 Later", 451), ("554 Never", 554)])
def test_r14_a_refused_mail_raises(serve: Serve, answer: str, code: int) -> None:
    """R14: 4xx and 5xx leave the message with the caller, who tries again."""
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        mailer(serve(Sink(data=answer)), "none").send(message())
    assert refusal.value.smtp_code == code


def test_r14_a_dropped_connection_counts_as_not_sent(serve: Serve) -> None:
    """R14: no answer to the data is no acceptance."""
    with pytest.raises(smtplib.SMTPServerDisconnected):
        mailer(serve(Sink(data="drop")), "none").send(message())


def test_r14_an_error_after_acceptance_counts_as_sent(serve: Serve) -> None:
    """R14: once accepted it is sent; raising here would have it sent again and again."""
    controller = serve(Sink(farewell="421 Going down"))
    mailer(controller, "none").send(message())
    assert len(controller.handler.envelopes) == 1


def test_r14_a_server_that_does_not_answer_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """R14: a tarpit costs the time-out, not the worker."""
    monkeypatch.setattr(smtp, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(
            smtp_host="127.0.0.1", smtp_port=silent.getsockname()[1], smtp_security="none"
        )
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            SmtpMailer(settings).send(message())


def test_the_demo_logs_no_content_of_a_mail(caplog: pytest.LogCaptureFixture) -> None:
    """No address, subject or link in the log."""
    with caplog.at_level(logging.INFO, "gateway.outbox"):
        DemoMailer().send(message())
    assert caplog.messages == ["mail handed to the demo outbox"]
