"""Scores how far a sign-in differs from the habits of its account holder (docs/risk.md).

The module is pure. Its input is the attempt, the bounded history of the person, the population and
the tuning; its output is a score with evidence. The caller requires a second factor after an error.

Hard rules always require a second factor. The score is a sum of natural log ratios:

- Equation 7 without attack data of Freeman, Jain, Duermuth, Biggio and Giacinto, "Who Are You? A
  Statistical Approach to Measuring User Authenticity" (NDSS 2016).
- Smoothing as published by Wiefling et al. (ACM TOPS 2022).
- A network that the person has not used before, against how often the person uses new ones: the
  estimate of Good, "The Population Frequencies of Species" (Biometrika 1953).
- The hour of the day as a density on the circle (``hour_density``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from idp.mfa.hour_density import hour_density, is_unusual_hour
from idp.mfa.prompt_reasons import AFTER, EvidenceCode, Feature, PromptReason
from idp.mfa.risk_values import (
    NO_COUNTS,
    Agent,
    Attempt,
    Band,
    Counts,
    Device,
    Evidence,
    History,
    Hour,
    Place,
    Population,
    Risk,
    Tuning,
)

#: The levels of a feature and their weights, the most specific level first.
NETWORK = (("ip", 0.6), ("asn", 0.3), ("country", 0.1))
AGENT = (("version", 0.54), ("family", 0.27), ("system", 0.185), ("kind", 0.005))
#: A browser newer by at most this many major versions counts as the same one after an update.
UPDATES = 6
EARTH_KM = 6371.0
#: The weight of a provider that the person has not used before, as a part of the log ratio. A new
#: network of a provider that the person uses has the whole ratio.
NEW_PROVIDER = 0.75
#: The weight of the browser as a part of the log ratio, if its cookie is known: the cookie was
#: issued to this family, and who copied it can copy the rest.
KNOWN_BROWSER = 0.5
#: The limits of the weight of an hour. An unusual hour at the upper one requires a second factor at
#: any score: neither the person nor others sign in then.
HOUR_LIMITS = (-1.5, 4.0)
#: The weight of a proved key.
PROVED_KEY = -1.0
#: So many sign-ins with a second factor make a provider trusted for a new account.
PROOFS_OF_PROVIDER = 2
#: By feature: the evidence code of a usual value, and that of an unusual one.
COMPARED = {
    Feature.NETWORK: (EvidenceCode.USUAL_NETWORK, EvidenceCode.NEW_NETWORK),
    Feature.BROWSER: (EvidenceCode.USUAL_BROWSER, EvidenceCode.NEW_BROWSER),
}


def assess(attempt: Attempt, history: History, population: Population, tuning: Tuning) -> Risk:
    """Score one attempt. A rule in ``STRONG_FACTOR_RULES`` makes the band high, any other hard rule
    at least medium."""
    evidence = tuple(_evidence(attempt, history, population, tuning))
    hits = (*_hits(attempt, history, tuning), *_hits_of_hour(evidence))
    score = sum(entry.weight for entry in evidence)
    needs_strong = any(hit in STRONG_FACTOR_RULES for hit in hits)
    band = Band.LOW
    if score >= tuning.high or needs_strong:
        band = Band.HIGH
    elif score >= tuning.medium or hits:
        band = Band.MEDIUM
    return Risk(score, band, evidence, hits)


#: The hard rules that require a strong factor.
STRONG_FACTOR_RULES = (
    PromptReason.STOLEN_DEVICE,
    PromptReason.IMPOSSIBLE_TRAVEL,
    PromptReason.NEW_COUNTRY,
)


def _hits(attempt: Attempt, history: History, tuning: Tuning) -> Iterable[PromptReason]:
    if attempt.device is not Device.KNOWN:
        yield {
            Device.UNKNOWN: PromptReason.NEW_DEVICE,
            Device.OF_ANOTHER: PromptReason.NEW_DEVICE,
            Device.REVOKED: PromptReason.FORGOTTEN_DEVICE,
            Device.UNPROVED: PromptReason.STOLEN_DEVICE,
            Device.COPIED: PromptReason.STOLEN_DEVICE,
        }[attempt.device]
    elif attempt.device_family and attempt.agent.family != attempt.device_family:
        yield PromptReason.STOLEN_DEVICE
    if history.sign_ins == 0:
        yield PromptReason.FIRST_SIGN_IN
    else:
        yield from _hits_of_history(attempt, history, tuning)
    if attempt.after:
        yield AFTER[attempt.after]


def _hits_of_history(attempt: Attempt, history: History, tuning: Tuning) -> Iterable[PromptReason]:
    country = attempt.place.country
    seen = history.counts.get("country", NO_COUNTS)
    if country and any(seen) and country not in seen:
        yield PromptReason.NEW_COUNTRY
    if is_impossible_travel(attempt, history):
        yield PromptReason.IMPOSSIBLE_TRAVEL
    is_young = history.first_at and attempt.at - history.first_at < timedelta(tuning.young_days)
    if is_young and not has_early_trust(attempt, history):
        yield PromptReason.YOUNG_ACCOUNT
    if history.last_at and attempt.at - history.last_at > timedelta(days=tuning.dormant_days):
        yield PromptReason.DORMANT_ACCOUNT


def _hits_of_hour(evidence: Iterable[Evidence]) -> Iterable[PromptReason]:
    for entry in evidence:
        if entry.code is EvidenceCode.UNUSUAL_HOUR and entry.weight >= HOUR_LIMITS[1]:
            yield PromptReason.UNUSUAL_HOUR


def has_early_trust(attempt: Attempt, history: History) -> bool:
    """Whether a new account needs no second factor in this browser. One was verified in it, and
    there is evidence of the place: the browser proves its key, a factor was verified from this
    network, or twice from this provider. Never for accounts with far-reaching rights."""
    if attempt.device is not Device.KNOWN or attempt.is_privileged or not attempt.is_proved:
        return False
    networks = history.proofs.get("ip", NO_COUNTS)
    providers = history.proofs.get("asn", NO_COUNTS)
    return (
        attempt.has_key
        or networks.get(attempt.ip, 0) >= 1
        or providers.get(attempt.asn, 0) >= PROOFS_OF_PROVIDER
    )


def is_impossible_travel(attempt: Attempt, history: History) -> bool:
    """Whether the last sign-in was at least 100 km away, and the journey needs 900 km/h or more.
    False if a location is unknown."""
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
    yield _compared(Feature.NETWORK, network, network, NETWORK, history, population)
    if attempt.has_key:
        yield Evidence(Feature.KEY, EvidenceCode.PROVED_KEY, "", PROVED_KEY)
    else:
        yield from _novelty(attempt, history)
    yield _browser_evidence(attempt, history, population)
    yield Evidence(Feature.RARITY, EvidenceCode.HOW_OFTEN, "", _rarity(history, population))
    yield _hour_evidence(attempt, history, population, tuning)
    if attempt.failures:
        weight = min(2.0, 0.6 * math.log1p(attempt.failures))
        yield Evidence(
            Feature.FAILURES, EvidenceCode.FAILURES_BEFORE, str(attempt.failures), weight
        )
    if attempt.network_failures:
        weight = min(2.0, 0.4 * math.log1p(attempt.network_failures))
        yield Evidence(
            Feature.FAILURES,
            EvidenceCode.FAILURES_OF_NETWORK,
            str(attempt.network_failures),
            weight,
        )
    if attempt.is_listed:
        yield Evidence(Feature.NETWORK, EvidenceCode.LISTED_NETWORK, attempt.ip, 2.0)


def _novelty(attempt: Attempt, history: History) -> Iterable[Evidence]:
    """``-ln`` of the probability that a sign-in of this person comes from a new provider, times a
    factor; or, with a known provider, of the probability that a sign-in through it comes from a new
    network: often with a mobile telephone, seldom at home. The equation of ``_compared`` does not
    find it, since the country of the network was seen before."""
    networks = history.counts.get("ip", NO_COUNTS)
    providers = history.counts.get("asn", NO_COUNTS)
    if attempt.asn and providers and attempt.asn not in providers:
        shown, weight = attempt.asn, NEW_PROVIDER * _surprise(providers)
    elif attempt.ip and networks and attempt.ip not in networks:
        shown = attempt.ip
        weight = _surprise(history.networks.get(attempt.asn, NO_COUNTS))
    else:
        return
    yield Evidence(Feature.NOVELTY, EvidenceCode.NEW_NETWORK, shown, weight)


def _surprise(seen: Counts) -> float:
    """``-ln`` of the probability of a new value, which is the share of values that were seen once
    (Good 1953)."""
    once = sum(count == 1 for count in seen.values())
    return math.log((sum(seen.values()) + 1) / (once + 1))


def agent_values(agent: Agent) -> dict[str, str]:
    """The values of a browser by level, for the counts in a history."""
    return {
        "version": f"{agent.family} {agent.major}" if agent.family else "",
        "family": agent.family,
        "system": agent.system,
        "kind": agent.kind,
    }


def _as_seen(agent: Agent, history: History) -> Agent:
    """The browser, with the latest version in the person's history if it was only updated since."""
    versions = history.counts.get("version", NO_COUNTS)
    majors = [
        int(value.rpartition(" ")[2])
        for value in versions
        if value.rpartition(" ")[0] == agent.family
    ]
    candidates = [major for major in majors if 0 <= agent.major - major <= UPDATES]
    if not candidates:
        return agent
    return Agent(agent.family, max(candidates), agent.system, agent.kind)


def _browser_evidence(attempt: Attempt, history: History, population: Population) -> Evidence:
    own = agent_values(_as_seen(attempt.agent, history))
    found = _compared(Feature.BROWSER, agent_values(attempt.agent), own, AGENT, history, population)
    if attempt.device is not Device.KNOWN:
        return found
    return replace(found, weight=found.weight * KNOWN_BROWSER)


def _compared(
    feature: Feature,
    values: Mapping[str, str],
    own_values: Mapping[str, str],
    levels: Sequence[tuple[str, float]],
    history: History,
    population: Population,
) -> Evidence:
    """``ln p(x) - ln p(x|u)``. The weight is low if the values are usual for the person and rare in
    the population. The person's term is not smoothed; if it is 0, a quarter of the population's
    term replaces it."""
    everybody = _likelihood(values, levels, population.counts, population.sign_ins, smooth=True)
    person = _likelihood(own_values, levels, history.counts, history.sign_ins, smooth=False)
    weight = math.log(everybody) - math.log(person or everybody / 4)
    usual, new = COMPARED[feature]
    code = usual if weight < 0 else new
    return Evidence(feature, code, own_values.get("family") or values.get("ip", ""), weight)


def _likelihood(
    values: Mapping[str, str],
    levels: Sequence[tuple[str, float]],
    counts: Mapping[str, Counts],
    total: int,
    *,
    smooth: bool,
) -> float:
    """The weighted sum of the likelihoods of all levels.

    With ``smooth``, a value that was seen c times out of n counts ``(c/n)(1 - m/(n+m))``, and an
    unseen one ``1/(n+m)``. At the last level m is 1; at the others, m is the m of the next level
    plus its number of values.
    """
    unseen = 1
    found = 0.0
    for level, weight in reversed(levels):
        known = counts.get(level, NO_COUNTS)
        seen = known.get(values[level], 0)
        if smooth:
            part = seen / total * (1 - unseen / (total + unseen)) if seen else 1 / (total + unseen)
        else:
            part = seen / total if total else 0.0
        found += weight * part
        unseen += len(known)
    return found


def _rarity(history: History, population: Population) -> float:
    """``ln((1/|U|) / (n_u/N))``: the more often a person signs in, the lower the weight."""
    if not history.sign_ins or not population.people or not population.sign_ins:
        return 0.0
    share = history.sign_ins / population.sign_ins
    return math.log(1 / population.people) - math.log(share)


def _hour_evidence(
    attempt: Attempt, history: History, population: Population, tuning: Tuning
) -> Evidence:
    """``ln((1/24) / f_u)`` within ``HOUR_LIMITS``. For a week after a daylight-saving change, the
    lowest weight of the hour and its two neighbours counts."""
    hour = attempt.hour
    around = (-1.0, 0.0, 1.0) if hour.after_change else (0.0,)
    density = max(
        hour_density(Hour((hour.of_day + d) % 24, hour.is_free), history, population, tuning)
        for d in around
    )
    least, most = HOUR_LIMITS
    weight = max(least, min(most, math.log((1 / 24) / density)))
    unusual = weight > 0 and is_unusual_hour(hour, history, population, tuning)
    code = EvidenceCode.UNUSUAL_HOUR if unusual else EvidenceCode.HOUR
    shown = f"{int(hour.of_day):02}:{int(hour.of_day % 1 * 60):02}"
    return Evidence(Feature.HOUR, code, shown, weight)
