"""Replay a sign-in log and compare four risk engines in one pass.

Prequential evaluation: in chronological order, each row is scored with what was learned before it.
Thresholds are chosen on the first half and evaluated on the second. Confidence intervals by
bootstrap over people.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

from idp.mfa.features import HOME_ZONE, hour_of
from idp.risk_lab.compared_models import Model
from idp.risk_lab.sign_in_log import Row

PROMPT_RATES = (0.01, 0.02, 0.05, 0.10)
STOPPED = (0.98, 0.99, 0.995, 0.999)
BOOTSTRAP = 200
WARM_UP = 12


@dataclass
class Scored:
    """The scores of a model: ``own`` for people's own sign-ins, ``attacks`` by kind."""

    model: Model
    own: list[tuple[int, str, int, float]] = field(default_factory=list)
    attacks: dict[str, list[tuple[int, str, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )


def run(rows: Iterable[Row], found: list[Scored]) -> Iterator[int]:
    """Score all rows in order; yields the number of rows done, for a progress bar."""
    numbers: Counter[str] = Counter()
    for done, row in enumerate(rows, 1):
        when = int(row.attempt.at.timestamp())
        if row.attack:
            for entry in found:
                entry.attacks[row.attack].append((when, row.user, entry.model.score(row)))
        elif row.success:
            numbers[row.user] += 1
            for entry in found:
                score = entry.model.score(row)
                entry.own.append((when, row.user, numbers[row.user], score))
                entry.model.learn(row)
        yield done


@dataclass(frozen=True)
class Point:
    """The results on the second half, for a threshold from the first half."""

    #: The prompt rate for which the threshold was chosen; None for the model's own.
    wanted: float | None
    threshold: float
    prompts: float
    #: Share stopped by kind of attack, with its 95 per cent interval.
    stopped: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Friction:
    """The cost of stopping a share of the attacks of one kind: a person's median number of prompts
    in the first 12 and 39 sign-ins, and the rate at 39."""

    kind: str
    stopped: float
    first_12: float
    first_39: float
    rate: float


def midpoint(scored: Scored) -> int:
    """The time between the two halves."""
    return (scored.own[0][0] + scored.own[-1][0]) // 2 if scored.own else 0


def points(scored: Scored, random: Random) -> list[Point]:
    """The trade-off at the model's own threshold and at fixed prompt rates. A threshold for a rate
    is chosen on the first half, without each person's first sign-ins."""
    cut = midpoint(scored)
    early = sorted(
        score for when, _, number, score in scored.own if when < cut and number > WARM_UP
    )
    late = [score for when, _, _, score in scored.own if when >= cut]
    if not early or not late:
        return []
    wanted: list[tuple[float | None, float]] = []
    if scored.model.threshold is not None:
        wanted.append((None, scored.model.threshold))
    # A yes/no rule cannot be adjusted to a rate.
    if len(set(early)) > 2:
        wanted += [(rate, early[int(len(early) * (1 - rate))]) for rate in PROMPT_RATES]
    return [
        Point(
            rate,
            threshold,
            sum(score > threshold for score in late) / len(late),
            {kind: _share(rows, cut, threshold, random) for kind, rows in scored.attacks.items()},
        )
        for rate, threshold in wanted
    ]


def _share(
    rows: list[tuple[int, str, float]], cut: int, threshold: float, random: Random
) -> tuple[float, float, float]:
    """The share above the threshold, with a bootstrap over the people attacked."""
    people: dict[str, list[bool]] = defaultdict(list)
    for when, user, score in rows:
        if when >= cut:
            people[user].append(score > threshold)
    tallies = [(sum(stops), len(stops)) for stops in people.values()]
    if not tallies:
        return (0.0, 0.0, 0.0)
    shares = []
    for _ in range(BOOTSTRAP):
        sample = random.choices(tallies, k=len(tallies))
        shares.append(sum(s for s, _ in sample) / sum(n for _, n in sample))
    shares.sort()
    exact = sum(s for s, _ in tallies) / sum(n for _, n in tallies)
    return (exact, shares[int(BOOTSTRAP * 0.025)], shares[int(BOOTSTRAP * 0.975) - 1])


def friction(scored: Scored) -> list[Friction]:
    """The cost as in the published papers, for each kind of attack and share stopped."""
    found = []
    first: dict[str, list[float]] = defaultdict(list)
    for _, user, _, score in scored.own:
        if len(first[user]) < 39:
            first[user].append(score)
    long = [scores for scores in first.values() if len(scores) >= 39]
    for kind, rows in scored.attacks.items():
        scores = sorted(score for _, _, score in rows)
        for share in STOPPED:
            threshold = scores[int(len(scores) * (1 - share))] if scores else 0.0
            asked = [[score >= threshold for score in one] for one in long]
            if not asked:
                break
            found.append(
                Friction(
                    kind,
                    share,
                    median(sum(one[:12]) for one in asked),
                    median(sum(one) for one in asked),
                    median(sum(one) / 39 for one in asked),
                )
            )
    return found


def curve(scored: Scored, kind: str) -> list[tuple[float, float]]:
    """Prompt rate and share stopped for falling thresholds, on the second half."""
    cut = midpoint(scored)
    own = sorted(score for when, _, _, score in scored.own if when >= cut)
    hits = sorted(score for when, _, score in scored.attacks[kind] if when >= cut)
    if not own or not hits:
        return []
    found = []
    for threshold in sorted({*own[:: max(1, len(own) // 400)], own[-1], own[0] - 1}, reverse=True):
        prompts = (len(own) - bisect.bisect_right(own, threshold)) / len(own)
        stopped = (len(hits) - bisect.bisect_right(hits, threshold)) / len(hits)
        found.append((prompts, stopped))
    return found


def slices(scored: Scored, threshold: float) -> dict[str, float]:
    """Prompt rates at one threshold in the first week, in the week after a daylight-saving change,
    and overall."""
    first: dict[str, int] = {}
    total: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for when, user, _, score in scored.own:
        first.setdefault(user, when)
        names = ["all"]
        if when - first[user] < timedelta(days=7).total_seconds():
            names.append("first week")
        if hour_of(datetime.fromtimestamp(when, UTC), HOME_ZONE).after_change:
            names.append("week after a change of clocks")
        total.update(names)
        asked.update(names if score > threshold else [])
    return {name: asked[name] / total[name] for name in total}
