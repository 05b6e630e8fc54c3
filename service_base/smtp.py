"""Mail transfer: SMTP in production, the outbox page in the demo."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from typing import Protocol

TIMEOUT_SECONDS = 15
log = logging.getLogger("gateway.outbox")


class MailServer(Protocol):
    """The settings of the mail server."""

    @property
    def smtp_host(self) -> str: ...

    @property
    def smtp_port(self) -> int: ...

    @property
    def smtp_security(self) -> str: ...

    @property
    def smtp_username(self) -> str: ...

    @property
    def smtp_password(self) -> str: ...


@contextmanager
def connected(settings: MailServer, seconds: float) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server, with TLS and signed in as the settings say. Raises OSError
    or smtplib.SMTPException."""
    context = ssl.create_default_context()
    address = (settings.smtp_host, settings.smtp_port)
    server: smtplib.SMTP
    if settings.smtp_security == "tls":
        server = smtplib.SMTP_SSL(*address, timeout=seconds, context=context)
    else:
        server = smtplib.SMTP(*address, timeout=seconds)
    with closing(server):
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password)
        yield server


class SmtpMailer:
    """Sends by SMTP, with verified TLS unless the server is on this machine."""

    def __init__(self, settings: MailServer) -> None:
        self._settings = settings

    def send(self, message: EmailMessage) -> None:
        """Transfer one message. Raises OSError or smtplib.SMTPException."""
        with connected(self._settings, TIMEOUT_SECONDS) as server:
            server.send_message(message)
            # The server accepted the message; an error in QUIT must not cause a second delivery.
            with suppress(OSError):
                server.quit()


class DemoMailer:
    """Sends nothing: the outbox page of the demo shows the message."""

    def send(self, message: EmailMessage) -> None:  # noqa: ARG002 - named by the port
        """Accept the message."""
        log.info("mail handed to the demo outbox")
