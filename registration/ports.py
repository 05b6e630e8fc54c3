"""Interfaces to the outside: clock, randomness, mail and the bridge of the gateway. Tests use
fakes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Protocol

from registration.settings import Settings
from service_base.smtp import DemoMailer, SmtpMailer

if TYPE_CHECKING:
    from registration_bridge.bridge_client import BridgeClient, Result


class Clock(Protocol):
    """Provides the time."""

    def now(self) -> datetime:
        """The current time in UTC, timezone-aware."""


class Mailer(Protocol):
    """Transfers mails."""

    def send(self, message: EmailMessage) -> None:
        """Transfer the message; raises if it can be retried."""


class Bridge(Protocol):
    """The gateway's bridge. Its calls raise BridgeError."""

    def find(self, attribute: str, value: str) -> dict[str, Any] | None:
        """The User of which an attribute is this, or None."""

    def participant(self, number: str) -> dict[str, Any] | None:
        """The Participant of this number, or None."""

    def users(self) -> Iterator[dict[str, Any]]:
        """All Users."""

    def participants(self) -> Iterator[dict[str, Any]]:
        """All Participants."""

    def bulk(self, operations: list[dict[str, Any]], *, is_dry: bool = False) -> list[Result]:
        """What came of each of these operations; a dry run changes nothing."""


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def system_token(nbytes: int = 32) -> str:
    """A new random token, base64url."""
    return secrets.token_urlsafe(nbytes)


@dataclass(frozen=True)
class Ports:
    """All ports of the application."""

    clock: Clock
    mailer: Mailer
    #: Opens a connection to the bridge.
    bridge: Callable[[], AbstractContextManager[Bridge]]
    token: Callable[[], str] = system_token

    @classmethod
    def of(cls, settings: Settings) -> Ports:
        """The ports of production. The demo shows mails on a page and sends none."""
        mailer: Mailer = DemoMailer() if settings.demo else SmtpMailer(settings)

        def bridge() -> BridgeClient:
            from registration_bridge.bridge_client import BridgeClient

            return BridgeClient(settings.issuer, settings.push_client_id, key=settings.push_key)

        return cls(SystemClock(), mailer, bridge)
