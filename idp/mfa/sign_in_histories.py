"""Sign-in histories in memory, per person and for the population.

Limited to a person's last 500 sign-ins within 180 days.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from idp.mfa.hour_density import GRID, bin_of, density_of
from idp.mfa.risk_engine import agent_values
from idp.mfa.risk_values import Attempt, History, Hour, PastSignIn, Population

KEPT = 500
KEPT_DAYS = 180
#: Recalculate the population's hours after this many sign-ins.
REFRESH = 500
LEVELS = ("ip", "asn", "country", "version", "family", "system", "kind")
#: The levels at which sign-ins with a second factor are counted.
PROVED_LEVELS = ("ip", "asn")


def values_of(attempt: Attempt) -> dict[str, str]:
    """The value of an attempt at each level; empty ones are not counted."""
    network = {"ip": attempt.ip, "asn": attempt.asn, "country": attempt.place.country}
    return network | agent_values(attempt.agent)


def _count(counts: dict[str, Counter[str]], attempt: Attempt) -> None:
    for level, value in values_of(attempt).items():
        if value and level in counts:
            counts[level][value] += 1


@dataclass
class _Person:
    kept: deque[Attempt] = field(default_factory=deque)
    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {level: Counter() for level in LEVELS}
    )
    proofs: dict[str, Counter[str]] = field(
        default_factory=lambda: {level: Counter() for level in PROVED_LEVELS}
    )
    networks: dict[str, Counter[str]] = field(default_factory=dict)
    first_at: datetime | None = None

    def add(self, attempt: Attempt, *, with_factor: bool) -> None:
        if with_factor:
            _count(self.proofs, attempt)
        self.first_at = self.first_at or attempt.at
        self.kept.append(attempt)
        _count(self.counts, attempt)
        if attempt.ip:
            self.networks.setdefault(attempt.asn, Counter())[attempt.ip] += 1
        oldest = attempt.at - timedelta(days=KEPT_DAYS)
        while len(self.kept) > KEPT or self.kept[0].at < oldest:
            self._forget(self.kept.popleft())

    def _forget(self, attempt: Attempt) -> None:
        for level, value in values_of(attempt).items():
            if value:
                self.counts[level][value] -= 1
                if not self.counts[level][value]:
                    del self.counts[level][value]
        if attempt.ip:
            self.networks[attempt.asn] -= Counter([attempt.ip])

    def history(self, now: datetime) -> History:
        last = self.kept[-1]
        return History(
            sign_ins=len(self.kept),
            counts=self.counts,
            networks=self.networks,
            proofs=self.proofs,
            hours=[
                PastSignIn(
                    one.hour.of_day, one.hour.is_free, (now - one.at).total_seconds() / 86400
                )
                for one in self.kept
            ],
            first_at=self.first_at,
            last_at=last.at,
            last_place=last.place,
        )


class SignInHistories:
    """The completed sign-ins of a log, in chronological order."""

    def __init__(self, kappa: float) -> None:
        self._kappa = kappa
        self._people: dict[str, _Person] = {}
        self._counts: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
        self._bins = {False: [0] * GRID, True: [0] * GRID}
        self._grids: dict[bool, list[float]] = {False: [], True: []}
        self._total = 0

    def history(self, user: str, now: datetime) -> History:
        """The person's history at this time."""
        person = self._people.get(user)
        return person.history(now) if person else History()

    def population(self) -> Population:
        """The history of the population."""
        return Population(
            people=len(self._people),
            sign_ins=self._total,
            counts=self._counts,
            working=self._grids[False],
            free=self._grids[True],
        )

    def add(self, user: str, attempt: Attempt, *, with_factor: bool = False) -> None:
        """Add a completed sign-in. Blocked attempts are never added."""
        self._people.setdefault(user, _Person()).add(attempt, with_factor=with_factor)
        _count(self._counts, attempt)
        self._note_hour(attempt.hour)
        self._total += 1

    def _note_hour(self, hour: Hour) -> None:
        self._bins[hour.is_free][bin_of(hour.of_day)] += 1
        if self._total % REFRESH == 0:
            for free, bins in self._bins.items():
                self._grids[free] = density_of(bins, self._kappa)
