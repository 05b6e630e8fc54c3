"""The risk engines that are compared: the gateway's, a published one and two common rules."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import replace
from typing import Protocol

from idp.mfa.risk_engine import assess
from idp.mfa.risk_values import Attempt, Device, Tuning
from idp.mfa.sign_in_histories import SignInHistories
from idp.risk_lab.sign_in_log import Row

#: Added to the score by a hard rule, so that one number orders all attempts.
HARD = 100.0


class Model(Protocol):
    """A risk model. A higher score means less like the person."""

    name: str
    #: The model's own threshold; None if it is used at given prompt rates only.
    threshold: float | None

    def score(self, row: Row) -> float:
        """Score a row with what was learned so far."""

    def learn(self, row: Row) -> None:
        """Learn a completed sign-in of the person."""


class Engine:
    """The gateway's engine: hard rules, network, browser, hour."""

    name = "this engine"

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.tuning = tuning or Tuning()
        self.threshold: float | None = self.tuning.medium
        self._ledger = SignInHistories(self.tuning.kappa)
        self._devices: dict[str, dict[str, str]] = defaultdict(dict)
        self._elsewhere: Counter[str] = Counter()

    def score(self, row: Row) -> float:
        """The score; hard rules rank above all other scores."""
        found = assess(
            self._recognised(row),
            self._ledger.history(row.user, row.attempt.at),
            self._ledger.population(),
            self.tuning,
        )
        return found.score + (HARD if found.hits else 0.0)

    def _recognised(self, row: Row) -> Attempt:
        family = self._devices[row.user].get(row.cookie) if row.cookie else None
        if family is not None:
            return replace(row.attempt, device=Device.KNOWN, device_family=family)
        other = bool(row.cookie) and self._elsewhere[row.cookie] > 0
        return replace(row.attempt, device=Device.OF_ANOTHER if other else Device.UNKNOWN)

    def learn(self, row: Row) -> None:
        """Add to the history, and give the browser its cookie."""
        self._ledger.add(row.user, row.attempt)
        if row.cookie and row.cookie not in self._devices[row.user]:
            self._devices[row.user][row.cookie] = row.attempt.agent.family
            self._elsewhere[row.cookie] += 1


class Freeman:
    """The published model of address and browser, without cookie, hour and hard rules."""

    name = "Freeman/Wiefling"
    threshold: float | None = None

    def __init__(self) -> None:
        self._ledger = SignInHistories(6.0)

    def score(self, row: Row) -> float:
        """Network, browser and rarity, from the same calculation."""
        history = self._ledger.history(row.user, row.attempt.at)
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
        self._known: dict[str, set[str]] = defaultdict(set)

    def score(self, row: Row) -> float:
        """1 if it requires a second factor."""
        return 0.0 if row.cookie and row.cookie in self._known[row.user] else 1.0

    def learn(self, row: Row) -> None:
        """Remember the cookie."""
        if row.cookie:
            self._known[row.user].add(row.cookie)


def models() -> list[Model]:
    """The models to compare."""
    return [Engine(), Freeman(), Rule(), Cookie()]
