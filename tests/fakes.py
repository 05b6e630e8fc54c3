"""Stand-ins for the outside world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Move on by seconds, or by ``days=``, ``hours=`` and so on."""
        self.moment += timedelta(seconds=seconds, **more)


class FakeMailer:
    """Keeps what was handed over."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> None:
        self.sent.append(message)


class FakeLogouts:
    """Keeps the logout tokens that were handed over, by address; some addresses fail."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.failing: dict[str, Exception] = {}
        self.failing_once: list[Exception] = []
        self.tried: list[str] = []

    def send(self, uri: str, logout_token: str) -> None:
        self.tried.append(uri)
        if error := self.failing.get(uri):
            raise error
        if self.failing_once:
            raise self.failing_once.pop()
        self.sent.append((uri, logout_token))


class FakeSms:
    """Keeps the texts that were handed over, by number."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, number: str, text: str) -> None:
        self.sent.append((number, text))
