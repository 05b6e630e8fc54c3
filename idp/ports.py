"""Interfaces to the outside: clock, randomness, mail, text messages. Tests use fakes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Protocol

from idp.mfa.risk_values import Place
from idp.policy.addresses import Address
from idp.sampling import Sampler


class Clock(Protocol):
    """Provides the time."""

    def now(self) -> datetime:
        """The current time in UTC, timezone-aware."""


class Tokens(Protocol):
    """Generates random values."""

    def token(self, nbytes: int = 32) -> str:
        """``nbytes`` random bytes as unpadded base64url text."""

    def random_below(self, bound: int) -> int:
        """A random integer from 0 to ``bound`` - 1."""


class Mailer(Protocol):
    """Transfers mails."""

    def send(self, message: EmailMessage) -> None:
        """Transfer the message; raises if it can be retried."""


class SmsSender(Protocol):
    """Transfers text messages."""

    def send(self, number: str, text: str) -> None:
        """Send to an E.164 number; raises if it can be retried."""


class LogoutSender(Protocol):
    """Sends logout tokens to relying parties."""

    def send(self, uri: str, logout_token: str) -> None:
        """Send the token; raises if it can be retried."""


class EventSender(Protocol):
    """Pushes security events to receivers."""

    def send(self, uri: str, token: str, authorization: str) -> None:
        """Push the token; raises if it can be retried."""


class KeyHosts(Protocol):
    """Keeps the keys that clients publish at a ``jwks_uri``."""

    def keys(self, uri: str, now: datetime) -> tuple[dict[str, Any], ...]:
        """The keys that count now, without fetching."""

    def is_due(self, uri: str, names: Iterable[str], now: datetime) -> bool:
        """Whether to fetch them before a token of the key ``names`` is verified."""

    def fetch(self, uri: str, now: datetime) -> None:
        """Fetch them, for some seconds at most."""


class GeoLocator(Protocol):
    """Locates IP addresses."""

    def look_up(self, address: Address | None) -> tuple[Place, str]:
        """The location and the autonomous system number; empty if unknown."""


class NullGeoLocator:
    """Locates nothing."""

    def look_up(self, address: Address | None) -> tuple[Place, str]:  # noqa: ARG002 - by name
        return Place(), ""


NULL_GEO_LOCATOR = NullGeoLocator()


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemTokens:
    """The random generator of the operating system."""

    def token(self, nbytes: int = 32) -> str:
        return secrets.token_urlsafe(nbytes)

    def random_below(self, bound: int) -> int:
        return secrets.randbelow(bound)


@dataclass(frozen=True)
class Ports:
    """All ports of the application."""

    clock: Clock
    tokens: Tokens
    mailer: Mailer
    #: None if no SMS gateway is configured; then nothing that needs one is offered.
    sms: SmsSender | None = None
    #: Locations of addresses; networks that raise the risk; networks that are refused.
    geo_locator: GeoLocator = NULL_GEO_LOCATOR
    suspicious_networks: Container[Address | None] = ()
    denied_networks: Container[Address | None] = ()
    #: None if no logout tokens are sent, as in a trial without a network.
    logouts: LogoutSender | None = None
    #: None if no security events are pushed, as in a trial without a network.
    events: EventSender | None = None
    #: None if no keys of clients are fetched, as in a trial without a network.
    key_hosts: KeyHosts | None = None
    #: Samples events of unauthenticated callers.
    sampler: Sampler = field(default_factory=Sampler)
    #: Waits for so many seconds.
    pause: Callable[[float], None] = time.sleep
