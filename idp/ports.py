"""The outside world as arguments: clock, randomness, mail. Tests pass fakes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, in UTC."""


class Tokens(Protocol):
    """Makes unguessable values."""

    def token(self, nbytes: int = 32) -> str:
        """``nbytes`` random bytes as unpadded base64url text."""


class Mailer(Protocol):
    """Hands one message over for delivery."""

    def send(self, message: EmailMessage) -> None:
        """Deliver or raise; raising means that it can be tried again."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemTokens:
    """Randomness of the operating system."""

    def token(self, nbytes: int = 32) -> str:
        return secrets.token_urlsafe(nbytes)


@dataclass(frozen=True)
class Ports:
    """All ports that the application is wired with."""

    clock: Clock
    tokens: Tokens
    mailer: Mailer
