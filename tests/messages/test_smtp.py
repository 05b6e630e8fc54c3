"""Transfer to a real SMTP server on this machine."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from idp.messages.smtp import SmtpMailer
from idp.settings import Settings
from tests.live import free_ports


class Sink:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "g@gateway.test", "a@p.example", "Été"
    made["Message-ID"] = "<1@gateway.test>"
    made.set_content("Bonjour")
    return made


@pytest.fixture
def server() -> Any:
    controller = Controller(Sink(), hostname="127.0.0.1", port=free_ports(1))
    controller.start()
    yield controller
    controller.stop()


def mailer(server: Controller, security: str) -> SmtpMailer:
    return SmtpMailer(
        Settings(smtp_host="127.0.0.1", smtp_port=server.port, smtp_security=security)
    )


def test_a_mail_arrives_with_its_message_id(server: Controller) -> None:
    """R14: an accepted transfer returns."""
    mailer(server, "none").send(message())
    (envelope,) = server.handler.envelopes
    assert envelope.rcpt_tos == ["a@p.example"]
    assert b"Message-ID: <1@gateway.test>" in envelope.content


def test_a_server_without_tls_gets_nothing_when_tls_is_asked(server: Controller) -> None:
    """No silent fall-back to plain text."""
    with pytest.raises(smtplib.SMTPException):
        mailer(server, "starttls").send(message())
    assert server.handler.envelopes == []
