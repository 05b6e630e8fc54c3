"""Replay a sign-in log and compare four risk engines in one pass.

Prequential evaluation: in chronological order, each row is scored with what was learned before it.
Thresholds are chosen on the first half and evaluated on the second. Confidence intervals by
bootstrap over people.
"""

from __future__ import annotations

import bisect
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from statistics import median

from idp.mfa.features import HOME_ZONE, hour_of
from idp.risk_lab.compared_models import Model
from idp.risk_lab.score_store import OWN, ScoreStore
from idp.risk_lab.sign_in_log import Row

PROMPT_RATES = (0.01, 0.02, 0.05, 0.10)
STOPPED = (0.98, 0.99, 0.995, 0.999)
BOOTSTRAP = 200
WARM_UP = 12
#: In seconds.
WEEK = timedelta(days=7).total_seconds()


@dataclass(frozen=True)
class Scored:
    """The scores of a model: ``own`` for people's own sign-ins, ``attacks`` by kind. They are read
    from the store each time: there may be more than fit into memory."""

    model: Model
    store: ScoreStore
    #: The place of the model among the models of the replay.
    engine: int = 0

    @property
    def own(self) -> Iterator[tuple[int, str, int, float]]:
        """Time, user, the how many-th sign-in of the user, and score, in order of time."""
        return self.store.rows(self.engine)

    @property
    def attacks(self) -> dict[str, Iterator[tuple[int, str, float]]]:
        """Time, user and score, by kind, in order of time."""
        return {kind: self._attacks(kind) for kind in self.store.kinds()}

    def _attacks(self, kind: str) -> Iterator[tuple[int, str, float]]:
        return ((when, user, score) for when, user, _, score in self.store.rows(self.engine, kind))

    @property
    def sign_ins(self) -> int:
        """How many own sign-ins there are."""
        return self.store.count(self.engine)

    def sorted_own(self, begin: int | None, end: int | None, beyond: int = 0) -> Iterator[float]:
        """The scores of own sign-ins from ``begin`` to ``end``, the lowest first, without each
        person's first ones."""
        found = self.store.select(
            "SELECT score FROM score WHERE engine = ?1 AND kind = '' AND number > ?2"
            " AND (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4) ORDER BY score",
            self.engine,
            beyond,
            begin,
            end,
        )
        return (score for (score,) in found)

    def sorted_attacks(self, kind: str, begin: int) -> Iterator[float]:
        """The scores of attacks since ``begin``, the lowest first."""
        found = self.store.select(
            "SELECT score FROM score WHERE engine = ? AND kind = ? AND at >= ? ORDER BY score",
            self.engine,
            kind,
            begin,
        )
        return (score for (score,) in found)


def run(
    rows: Iterable[Row], models: Sequence[Model], store: ScoreStore, already: int = 0
) -> Iterator[int]:
    """Score all rows in order; yields the number of rows done. The first ones are in the store
    ``already``: the models learn from them again, and nothing is scored twice."""
    numbers: Counter[str] = Counter()
    for done, row in enumerate(rows, 1):
        if not row.attack and row.success:
            numbers[row.user] += 1
        elif not row.attack:
            yield done
            continue
        # Models count what becomes of copied cookies.
        if done > already or row.copied_at is not None:
            scores = [model.score(row) for model in models]
        if done > already:
            when = int(row.attempt.at.timestamp())
            store.add(row.attack or OWN, when, row.user, numbers[row.user], scores)
        if not row.attack:
            for model in models:
                model.learn(row)
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
    ((first, last),) = scored.store.select(
        "SELECT coalesce(min(at), 0), coalesce(max(at), 0) FROM score"
        " WHERE engine = ? AND kind = ''",
        scored.engine,
    )
    return int(first + last) // 2


def points(scored: Scored, random: Random) -> list[Point]:
    """The trade-off at the model's own threshold and at fixed prompt rates. A threshold for a rate
    is chosen on the first half, without each person's first sign-ins."""
    cut = midpoint(scored)
    early = array("d", scored.sorted_own(None, cut, WARM_UP))
    late = array("d", scored.sorted_own(cut, None))
    if not early or not late:
        return []
    wanted: list[tuple[float | None, float]] = []
    if scored.model.threshold is not None:
        wanted.append((None, scored.model.threshold))
    # A yes/no rule cannot be adjusted to a rate.
    if len({early[0], early[-1], early[bisect.bisect_right(early, early[0]) % len(early)]}) > 2:
        wanted += [(rate, early[int(len(early) * (1 - rate))]) for rate in PROMPT_RATES]
    return [
        Point(
            rate,
            threshold,
            _above(late, threshold),
            {kind: _share(scored, kind, cut, threshold, random) for kind in scored.store.kinds()},
        )
        for rate, threshold in wanted
    ]


def _above(scores: array[float], threshold: float) -> float:
    """The share of sorted scores above a threshold."""
    return (len(scores) - bisect.bisect_right(scores, threshold)) / len(scores)


def _share(
    scored: Scored, kind: str, cut: int, threshold: float, random: Random
) -> tuple[float, float, float]:
    """The share above the threshold, with a bootstrap over the people attacked."""
    tallies = list(
        scored.store.select(
            "SELECT sum(score > ?), count(*) FROM score"
            " WHERE engine = ? AND kind = ? AND at >= ? GROUP BY user ORDER BY min(id)",
            threshold,
            scored.engine,
            kind,
            cut,
        )
    )
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
    long = list(_first_39(scored))
    for kind in scored.store.kinds():
        scores = array("d", scored.sorted_attacks(kind, 0))
        for share in STOPPED:
            threshold = scores[int(len(scores) * (1 - share))]
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


def _first_39(scored: Scored) -> Iterator[array[float]]:
    """The first scores of each person with so many sign-ins."""
    rows = scored.store.select(
        "SELECT user, score FROM score WHERE engine = ? AND kind = '' AND number <= 39"
        " ORDER BY user, number",
        scored.engine,
    )
    for _, group in groupby(rows, key=lambda row: row[0]):
        scores = array("d", (score for _, score in group))
        if len(scores) == 39:
            yield scores


def curve(scored: Scored, kind: str) -> list[tuple[float, float]]:
    """Prompt rate and share stopped for falling thresholds, on the second half."""
    cut = midpoint(scored)
    own = array("d", scored.sorted_own(cut, None))
    hits = array("d", scored.sorted_attacks(kind, cut))
    if not own or not hits:
        return []
    thresholds = sorted({*own[:: max(1, len(own) // 400)], own[-1], own[0] - 1}, reverse=True)
    return [(_above(own, threshold), _above(hits, threshold)) for threshold in thresholds]


def slices(scored: Scored, threshold: float) -> dict[str, float]:
    """Prompt rates at one threshold in the first week, after it, in the week after a
    daylight-saving change, and overall."""
    first = _first_times(scored)
    total: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for when, user, _, score in scored.own:
        names = ["all", "first week" if when - first[user] < WEEK else "after it"]
        if hour_of(datetime.fromtimestamp(when, UTC), HOME_ZONE).after_change:
            names.append("week after a change of clocks")
        total.update(names)
        asked.update(names if score > threshold else [])
    return {name: asked[name] / total[name] for name in total}


def stopped_in_first_week(scored: Scored, threshold: float) -> dict[str, float]:
    """The share of attacks stopped within a week of the person's first sign-in, by kind."""
    first = _first_times(scored)
    found = {}
    for kind, rows in scored.attacks.items():
        early = [
            score > threshold for when, user, score in rows if _is_early(when, first.get(user))
        ]
        if early:
            found[kind] = sum(early) / len(early)
    return found


def _is_early(when: int, first: int | None) -> bool:
    return first is not None and when - first < WEEK


def _first_times(scored: Scored) -> dict[str, int]:
    first: dict[str, int] = {}
    for when, user, _, _ in scored.own:
        first.setdefault(user, when)
    return first
