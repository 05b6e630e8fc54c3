"""How usual an hour of the day is: a kernel density on the circle of 24 hours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from idp.mfa.risk_values import History, Hour, Population, Tuning

GRID = 96


def hour_density(hour: Hour, history: History, population: Population, tuning: Tuning) -> float:
    """The density, per hour, of the person's sign-ins at this hour on such a day (working or free).

    It is a kernel density on the circle over the person's own hours. The prior is the population's
    density, mixed with 10 per cent of a uniform one."""
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
    """Whether to report the hour to the person: less than 2 per cent of the density is at less
    likely hours, and there are at least five sign-ins, none within two hours of it."""
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


def bin_of(hour: float) -> int:
    """The bin of ``GRID`` for an hour."""
    return int(hour * GRID / 24) % GRID


def density_of(bins: Sequence[int], kappa: float) -> list[float]:
    """The population's density over the day, from the number of sign-ins in each bin: ``GRID``
    values."""
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
