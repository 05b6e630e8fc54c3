"""The risk engines that are compared: the gateway's, a published one and two common rules."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from idp.mfa.risk_engine import assess
from idp.mfa.risk_values import Attempt, Device, Tuning
from idp.mfa.sign_in_histories import SignInHistories
from idp.risk_lab.sign_in_log import Row

#: Added to the score by a hard rule, so that one number orders all attempts.
HARD = 100.0
#: A browser is remembered for this time after the person's last sign-in in it (the default of
#: ``IDP_REMEMBER_DAYS``). Everybody is taken to want that.
REMEMBERED = timedelta(days=30)


class Model(Protocol):
    """A risk model. A higher score means less like the person."""

    name: str
    #: The model's own threshold; None if it is used at given prompt rates only.
    threshold: float | None

    def score(self, row: Row) -> float:
        """Score a row with what was learned so far."""

    def learn(self, row: Row) -> None:
        """Learn a completed sign-in of the person."""


@dataclass
class _Cookie:
    """What the gateway knows about a browser with a cookie of an account."""

    family: str
    used_at: datetime
    has_key: bool = False
    is_proved: bool = False


class Engine:
    """The gateway's engine: hard rules, network, browser, hour. The cookie of a browser gets a new
    value at each sign-in, of whichever account."""

    name = "this engine"

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.tuning = tuning or Tuning()
        self.threshold: float | None = self.tuning.medium
        self._ledger = SignInHistories(self.tuning.kappa)
        self._devices: dict[str, dict[str, _Cookie]] = defaultdict(dict)
        #: When the cookie got its last value.
        self._renewed: dict[str, datetime] = {}
        self._first: dict[str, datetime] = {}
        #: The row that was scored last, and whether a second factor was required.
        self._last: Row | None = None
        self._asked = False
        self._used: dict[str, list[datetime]] = defaultdict(list)
        #: Copies of cookies without a key that were used without a second factor, and after how
        #: many hours the next sign-in in the browser itself showed it.
        self.copies = 0
        self.hours_to_find: list[float] = []

    def score(self, row: Row) -> float:
        """The score; hard rules rank above all other scores."""
        found = assess(
            self._recognised(row),
            self._ledger.history(row.user, row.attempt.at),
            self._ledger.population(),
            self.tuning,
        )
        known = self._devices[row.user].get(row.cookie)
        is_over = known is not None and row.attempt.at - known.used_at > REMEMBERED
        self._last, self._asked = row, found.asks or is_over
        if row.copied_at is not None and not row.has_key and not self._asked:
            self.copies += 1
            self._used[row.cookie].append(row.attempt.at)
        return found.score + (HARD if found.hits or is_over else 0.0)

    def _recognised(self, row: Row) -> Attempt:
        known = self._devices[row.user].get(row.cookie)
        if known is None:
            other = row.cookie in self._renewed
            return replace(row.attempt, device=Device.OF_ANOTHER if other else Device.UNKNOWN)
        device = Device.KNOWN
        if row.copied_at is not None and row.copied_at < self._renewed[row.cookie]:
            device = Device.COPIED
        elif known.has_key and not row.has_key:
            device = Device.UNPROVED
        return replace(
            row.attempt,
            device=device,
            device_family=known.family,
            has_key=known.has_key and row.has_key,
            is_proved=known.is_proved,
        )

    def learn(self, row: Row) -> None:
        """Add to the history, and give the browser its cookie."""
        first = self._first.setdefault(row.user, row.attempt.at)
        # A continued replay learns without scoring. Proofs matter for new accounts only.
        if row is not self._last and row.attempt.at - first < timedelta(self.tuning.young_days):
            self.score(row)
        asked = row is self._last and self._asked
        self._ledger.add(row.user, row.attempt, with_factor=asked)
        if row.cookie:
            known = self._devices[row.user].setdefault(
                row.cookie, _Cookie(row.attempt.agent.family, row.attempt.at)
            )
            known.used_at = row.attempt.at
            known.has_key = known.has_key or row.has_key
            known.is_proved = known.is_proved or asked
            self._renewed[row.cookie] = row.attempt.at
            for used_at in self._used.pop(row.cookie, []):
                hours = (row.attempt.at - used_at).total_seconds() / 3600
                self.hours_to_find.append(hours)


class Freeman:
    """The published model of address and browser, without cookie, hour and hard rules."""

    name = "Freeman/Wiefling"
    threshold: float | None = None

    def __init__(self) -> None:
        self._ledger = SignInHistories(6.0)

    def score(self, row: Row) -> float:
        """Network, browser and rarity, from the same calculation."""
        history = replace(self._ledger.history(row.user, row.attempt.at), hours=())
        found = assess(row.attempt, history, self._ledger.population(), Tuning())
        wanted = ("network", "browser", "rarity")
        return sum(entry.weight for entry in found.evidence if entry.feature in wanted)

    def learn(self, row: Row) -> None:
        """Add to the history."""
        self._ledger.add(row.user, row.attempt)


class Rule:
    """The common rule: an address or a browser that is not among the last twenty."""

    name = "new device or new IP (20)"
    threshold: float | None = 0.5

    def __init__(self) -> None:
        self._last: dict[str, deque[tuple[str, str]]] = defaultdict(lambda: deque(maxlen=20))

    def score(self, row: Row) -> float:
        """1 if it requires a second factor."""
        last = self._last[row.user]
        known_ip = any(ip == row.attempt.ip for ip, _ in last)
        known_device = any(device == _device(row) for _, device in last)
        return 0.0 if known_ip and known_device else 1.0

    def learn(self, row: Row) -> None:
        """Keep the last twenty."""
        self._last[row.user].append((row.attempt.ip, _device(row)))


def _device(row: Row) -> str:
    agent = row.attempt.agent
    return f"{agent.family} {agent.major} {agent.system}"


class Cookie:
    """The device cookie only."""

    name = "device cookie alone"
    threshold: float | None = 0.5

    def __init__(self) -> None:
        self._used: dict[str, dict[str, datetime]] = defaultdict(dict)

    def score(self, row: Row) -> float:
        """1 if it requires a second factor."""
        used_at = self._used[row.user].get(row.cookie)
        return 0.0 if used_at is not None and row.attempt.at - used_at <= REMEMBERED else 1.0

    def learn(self, row: Row) -> None:
        """Remember the cookie."""
        if row.cookie:
            self._used[row.user][row.cookie] = row.attempt.at


def models() -> list[Model]:
    """The models to compare."""
    return [Engine(), Freeman(), Rule(), Cookie()]
