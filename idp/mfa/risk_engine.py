"""How far a sign-in differs from what its person does, with reasons.

Pure: the attempt, the person's bounded history, the population and the tuning come in, a score with
its evidence comes out. Hard rules say what always asks for a factor; the score is the sum of log
ratios, natural logarithm, in the manner of Freeman, Jain, Duermuth, Biggio and Giacinto, "Who Are
You? A Statistical Approach to Measuring User Authenticity" (NDSS 2016), equation 7 without attack
data, with the smoothing published by Wiefling et al. (ACM TOPS 2022), and the hour of the day as a
density on the circle. The caller treats an error here as "ask for a factor".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from idp.mfa.features import Agent, Hour
from idp.mfa.prompt_reasons import PromptReason

MODEL = "2026-11"
NO_AGENT = Agent()
GRID = 96


class Device(StrEnum):
    """The state of the browser's cookie."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    #: The cookie is known for other accounts only, as on a shared workstation.
    OF_ANOTHER = "of_another"
    #: Ended by the holder or a password change.
    REVOKED = "revoked"


class Band(StrEnum):
    """The risk level."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True)
class Place:
    """The location of an address; empty and None if the database does not have it."""

    country: str = ""
    region: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A sign-in with a correct password."""

    at: datetime
    hour: Hour
    ip: str
    asn: str = ""
    place: Place = Place()
    agent: Agent = NO_AGENT
    device: Device = Device.UNKNOWN
    #: The browser family that got the cookie; another one indicates theft.
    device_family: str = ""
    #: Refused sign-ins of this account, and of this network, in the last hour.
    failures: int = 0
    network_failures: int = 0
    #: On the operator's list of suspicious networks.
    is_listed: bool = False
    #: The name of an event since the last completed sign-in that requires a second factor.
    after: str = ""


@dataclass(frozen=True)
class PastSignIn:
    """The hour of an earlier sign-in."""

    of_day: float
    is_free: bool
    age_days: float


Counts = Mapping[str, int]
_NO_COUNTS: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class History:
    """A person's completed sign-ins as counts; the caller limits its size."""

    sign_ins: int = 0
    #: How often each value was seen, by level: ``ip``, ``asn``, ``country``, ``version``,
    #: ``family``, ``system``, ``kind``.
    counts: Mapping[str, Counts] = field(default_factory=dict)
    hours: Sequence[PastSignIn] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    last_place: Place = Place()


@dataclass(frozen=True, kw_only=True)
class Population:
    """The same for all persons together."""

    people: int = 0
    sign_ins: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    #: Density of sign-ins over the hours of a working day and of a free day, ``GRID`` values.
    working: Sequence[float] = ()
    free: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Parameters that an operator can change. ``docs/risk.md`` describes the thresholds."""

    medium: float = 0.0
    high: float = 3.0
    #: Sharpness of the kernel of hours, weight of everybody's habits, half-life in days.
    kappa: float = 6.0
    alpha: float = 4.0
    half_life: float = 60.0
    other_class: float = 0.3
    young_days: int = 5
    dormant_days: int = 90


@dataclass(frozen=True)
class Evidence:
    """One feature's part of the score; ``shown`` is the text for the person."""

    feature: str
    code: str
    shown: str
    weight: float


@dataclass(frozen=True)
class Risk:
    """The result, for the audit trail and the console."""

    score: float
    band: Band
    evidence: tuple[Evidence, ...]
    #: Hard rules that apply: each requires a second factor, whatever the score.
    hits: tuple[str, ...]
    model: str = MODEL

    @property
    def asks(self) -> bool:
        """Whether a second factor is required."""
        return bool(self.hits) or self.band is not Band.LOW


#: Level, and its weight among the levels of its feature.
NETWORK = (("ip", 0.6), ("asn", 0.3), ("country", 0.1))
AGENT = (("version", 0.54), ("family", 0.27), ("system", 0.185), ("kind", 0.005))
#: The number of major versions that a browser may update between two sign-ins.
UPDATES = 6
EARTH_KM = 6371.0


def assess(attempt: Attempt, history: History, population: Population, tuning: Tuning) -> Risk:
    """Score one attempt."""
    hits = tuple(_hits(attempt, history, tuning))
    evidence = tuple(_evidence(attempt, history, population, tuning))
    score = sum(entry.weight for entry in evidence)
    grave = any(hit in GRAVE for hit in hits)
    band = Band.LOW
    if score >= tuning.high or grave:
        band = Band.HIGH
    elif score >= tuning.medium or hits:
        band = Band.MEDIUM
    return Risk(score, band, evidence, hits)


#: Rules that require a strong factor.
GRAVE = (PromptReason.STOLEN_DEVICE, PromptReason.IMPOSSIBLE_TRAVEL, PromptReason.NEW_COUNTRY)


def _hits(attempt: Attempt, history: History, tuning: Tuning) -> Iterable[str]:
    if attempt.device is not Device.KNOWN:
        yield {
            Device.UNKNOWN: PromptReason.NEW_DEVICE,
            Device.OF_ANOTHER: PromptReason.NEW_DEVICE,
            Device.REVOKED: PromptReason.FORGOTTEN_DEVICE,
        }[attempt.device]
    elif attempt.device_family and attempt.agent.family != attempt.device_family:
        yield PromptReason.STOLEN_DEVICE
    if history.sign_ins == 0:
        yield PromptReason.FIRST_SIGN_IN
    else:
        yield from _hits_of_history(attempt, history, tuning)
    if attempt.after:
        yield f"after_{attempt.after}"


def _hits_of_history(attempt: Attempt, history: History, tuning: Tuning) -> Iterable[str]:
    country = attempt.place.country
    seen = history.counts.get("country", _NO_COUNTS)
    if country and any(seen) and country not in seen:
        yield PromptReason.NEW_COUNTRY
    if is_impossible_travel(attempt, history):
        yield PromptReason.IMPOSSIBLE_TRAVEL
    if history.first_at and attempt.at - history.first_at < timedelta(days=tuning.young_days):
        yield PromptReason.YOUNG_ACCOUNT
    if history.last_at and attempt.at - history.last_at > timedelta(days=tuning.dormant_days):
        yield PromptReason.DORMANT_ACCOUNT


def is_impossible_travel(attempt: Attempt, history: History) -> bool:
    """At least 100 km at 900 km/h or more since the last sign-in. False if a location is
    unknown."""
    km = distance_km(history.last_place, attempt.place)
    if km is None or km < 100 or history.last_at is None:
        return False
    hours = (attempt.at - history.last_at).total_seconds() / 3600
    return hours <= 0 or km / hours >= 900


def distance_km(one: Place, other: Place) -> float | None:
    """The great-circle distance (haversine), or None if a location is unknown."""
    if None in (one.latitude, one.longitude, other.latitude, other.longitude):
        return None
    lat1, lon1, lat2, lon2 = (
        math.radians(value or 0.0)
        for value in (one.latitude, one.longitude, other.latitude, other.longitude)
    )
    a = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(a)))


def _evidence(
    attempt: Attempt, history: History, population: Population, tuning: Tuning
) -> Iterable[Evidence]:
    network = {"ip": attempt.ip, "asn": attempt.asn, "country": attempt.place.country}
    yield _compared("network", network, network, NETWORK, history, population)
    own = agent_values(_as_seen(attempt.agent, history))
    yield _compared("browser", agent_values(attempt.agent), own, AGENT, history, population)
    yield Evidence("rarity", "how_often", "", _rarity(history, population))
    yield _hour_evidence(attempt, history, population, tuning)
    if attempt.failures:
        weight = min(2.0, 0.6 * math.log1p(attempt.failures))
        yield Evidence("failures", PromptReason.FAILURES_BEFORE, str(attempt.failures), weight)
    if attempt.network_failures:
        weight = min(2.0, 0.4 * math.log1p(attempt.network_failures))
        yield Evidence(
            "failures", PromptReason.FAILURES_OF_NETWORK, str(attempt.network_failures), weight
        )
    if attempt.is_listed:
        yield Evidence("network", PromptReason.LISTED_NETWORK, attempt.ip, 2.0)


def agent_values(agent: Agent) -> dict[str, str]:
    """The values of a browser by level."""
    return {
        "version": f"{agent.family} {agent.major}" if agent.family else "",
        "family": agent.family,
        "system": agent.system,
        "kind": agent.kind,
    }


def _as_seen(agent: Agent, history: History) -> Agent:
    """The browser as in the person's history: an automatic update does not make it a new one."""
    versions = history.counts.get("version", _NO_COUNTS)
    majors = [
        int(value.rpartition(" ")[2])
        for value in versions
        if value.rpartition(" ")[0] == agent.family
    ]
    fitting = [major for major in majors if 0 <= agent.major - major <= UPDATES]
    if not fitting:
        return agent
    return Agent(agent.family, max(fitting), agent.system, agent.kind)


def _compared(
    feature: str,
    values: Mapping[str, str],
    own_values: Mapping[str, str],
    levels: Sequence[tuple[str, float]],
    history: History,
    population: Population,
) -> Evidence:
    """``ln p(x) - ln p(x|u)``: the rarer for everybody and the usual for the person, the lower.
    The person's own term is not smoothed; where it is nothing, it is a quarter of everybody's."""
    everybody = _likelihood(values, levels, population.counts, population.sign_ins, smooth=True)
    person = _likelihood(own_values, levels, history.counts, history.sign_ins, smooth=False)
    weight = math.log(everybody) - math.log(person or everybody / 4)
    code = f"usual_{feature}" if weight < 0 else f"new_{feature}"
    return Evidence(feature, code, own_values.get("family") or values.get("ip", ""), weight)


def _likelihood(
    values: Mapping[str, str],
    levels: Sequence[tuple[str, float]],
    counts: Mapping[str, Counts],
    total: int,
    *,
    smooth: bool,
) -> float:
    """The levels' likelihoods by their weights. Smoothed, a value seen c times of n counts
    ``(c/n)(1 - m/(n+m))`` and an unseen one ``1/(n+m)``: m is 1 at the last level, else the
    number of values of the next one and its m."""
    unseen = 1
    found = 0.0
    for level, weight in reversed(levels):
        known = counts.get(level, _NO_COUNTS)
        seen = known.get(values[level], 0)
        if smooth:
            part = seen / total * (1 - unseen / (total + unseen)) if seen else 1 / (total + unseen)
        else:
            part = seen / total if total else 0.0
        found += weight * part
        unseen += len(known)
    return found


def _rarity(history: History, population: Population) -> float:
    """``ln((1/|U|) / (n_u/N))``: a person who signs in often is a likelier target of guessing."""
    if not history.sign_ins or not population.people or not population.sign_ins:
        return 0.0
    share = history.sign_ins / population.sign_ins
    return math.log(1 / population.people) - math.log(share)


def _hour_evidence(
    attempt: Attempt, history: History, population: Population, tuning: Tuning
) -> Evidence:
    """``ln((1/24) / f_u)`` between -1.5 and 2; after a daylight-saving change, the best of the
    neighbouring hours."""
    hour = attempt.hour
    around = (-1.0, 0.0, 1.0) if hour.after_change else (0.0,)
    density = max(
        hour_density(Hour((hour.of_day + d) % 24, hour.is_free), history, population, tuning)
        for d in around
    )
    weight = max(-1.5, min(2.0, math.log((1 / 24) / density)))
    unusual = weight > 0 and is_unusual_hour(hour, history, population, tuning)
    code = PromptReason.UNUSUAL_HOUR if unusual else "hour"
    return Evidence("hour", code, f"{int(hour.of_day):02}:{int(hour.of_day % 1 * 60):02}", weight)


def hour_density(hour: Hour, history: History, population: Population, tuning: Tuning) -> float:
    """How likely the person is to sign in at this hour of such a day, per hour: a kernel density
    on the circle over the own hours, with everybody's as a prior (2 per cent of it uniform)."""
    scale = 1 / (24 * _bessel_i0(tuning.kappa))
    theta = hour.of_day * math.tau / 24
    mass = weighted = 0.0
    for seen in history.hours:
        weight = 0.5 ** (seen.age_days / tuning.half_life)
        if seen.is_free != hour.is_free:
            weight *= tuning.other_class
        mass += weight
        apart = theta - seen.of_day * math.tau / 24
        weighted += weight * scale * math.exp(tuning.kappa * math.cos(apart))
    return (weighted + tuning.alpha * _prior(hour, population)) / (mass + tuning.alpha)


def _prior(hour: Hour, population: Population) -> float:
    grid = population.free if hour.is_free else population.working
    if not grid:
        return 1 / 24
    return 0.9 * grid[int(hour.of_day * GRID / 24) % GRID] + 0.1 / 24


def is_unusual_hour(hour: Hour, history: History, population: Population, tuning: Tuning) -> bool:
    """Whether to report the hour to the person: fewer than 2 per cent of their sign-ins are at less
    likely hours, there are at least five, and none was within two hours of it."""
    effective = sum(0.5 ** (seen.age_days / tuning.half_life) for seen in history.hours)
    near = any(_apart(hour.of_day, seen.of_day) <= 2 for seen in history.hours)
    if effective < 5 or near:
        return False
    here = hour_density(hour, history, population, tuning)
    grid = (
        hour_density(Hour(step * 24 / GRID, hour.is_free), history, population, tuning)
        for step in range(GRID)
    )
    return sum(value * 24 / GRID for value in grid if value < here) < 0.02


def _apart(one: float, other: float) -> float:
    """The shorter distance between two hours of the day."""
    away = abs(one - other) % 24
    return min(away, 24 - away)


def density_grid(hours: Iterable[float], kappa: float) -> list[float]:
    """The population's density over the day, from the hours of sign-ins: ``GRID`` values."""
    bins = [0] * GRID
    for hour in hours:
        bins[bin_of(hour)] += 1
    return density_of(bins, kappa)


def bin_of(hour: float) -> int:
    """The bin of ``GRID`` for an hour."""
    return int(hour * GRID / 24) % GRID


def density_of(bins: Sequence[int], kappa: float) -> list[float]:
    """The same from the number of sign-ins in each bin."""
    total = sum(bins)
    if not total:
        return []
    scale = 1 / (24 * _bessel_i0(kappa))
    kernel = [scale * math.exp(kappa * math.cos(k * math.tau / GRID)) for k in range(GRID)]
    return [
        sum(count * kernel[(step - at) % GRID] for at, count in enumerate(bins) if count) / total
        for step in range(GRID)
    ]


def _bessel_i0(x: float) -> float:
    """Modified Bessel function of the first kind, order 0, by its series."""
    term = total = 1.0
    for k in range(1, 60):
        term *= (x / (2 * k)) ** 2
        total += term
    return total
