"""The outside world as arguments: clock, randomness, mail, text messages. Tests pass fakes."""

from __future__ import annotations

import secrets
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Protocol

from idp.mfa.risk_engine import Place
from idp.policy.addresses import Address
from idp.sampling import Sampler


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, in UTC."""


class Tokens(Protocol):
    """Makes unguessable values."""

    def token(self, nbytes: int = 32) -> str:
        """``nbytes`` random bytes as unpadded base64url text."""

    def random_below(self, bound: int) -> int:
        """A random whole number from 0 up to but without ``bound``."""


class Mailer(Protocol):
    """Hands one message over for delivery."""

    def send(self, message: EmailMessage) -> None:
        """Deliver or raise; raising means that it can be tried again."""


class SmsSender(Protocol):
    """Hands one text message over for delivery."""

    def send(self, number: str, text: str) -> None:
        """Deliver to an E.164 number or raise; raising means that it can be tried again."""


class LogoutSender(Protocol):
    """Tells one relying party that a session has ended."""

    def send(self, uri: str, logout_token: str) -> None:
        """Deliver or raise; raising means that it can be tried again."""


class GeoLocator(Protocol):
    """Knows where addresses lie."""

    def look_up(self, address: Address | None) -> tuple[Place, str]:
        """The place and the number of the network (ASN); empty where they are not known."""


class NullGeoLocator:
    """Knows no place."""

    def look_up(self, address: Address | None) -> tuple[Place, str]:  # noqa: ARG002 - by name
        return Place(), ""


NULL_GEO_LOCATOR = NullGeoLocator()


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemTokens:
    """Randomness of the operating system."""

    def token(self, nbytes: int = 32) -> str:
        return secrets.token_urlsafe(nbytes)

    def random_below(self, bound: int) -> int:
        return secrets.randbelow(bound)


@dataclass(frozen=True)
class Ports:
    """All ports that the application is wired with."""

    clock: Clock
    tokens: Tokens
    mailer: Mailer
    #: None where no SMS gateway is configured: nothing is offered that needs one.
    sms: SmsSender | None = None
    #: Where addresses lie, and which have a bad name or are kept out.
    geo_locator: GeoLocator = NULL_GEO_LOCATOR
    suspicious_networks: Container[Address | None] = ()
    denied_networks: Container[Address | None] = ()
    #: None where nobody is told: a trial without a network.
    logouts: LogoutSender | None = None
    #: Counts what callers did whom nobody knows.
    sampler: Sampler = field(default_factory=Sampler)
