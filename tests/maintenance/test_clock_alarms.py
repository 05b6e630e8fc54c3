"""Alarms about clocks (R15, R16). ``tests/faults`` shifts the clocks of processes."""

from __future__ import annotations

import pytest

from idp.audit.actions import AlarmReason
from idp.maintenance import alarms, clock
from idp.serving import metric_sources
from tests.monitoring import exposed
from tests.world import World


def raised(world: World) -> int:
    """How many alarms of clocks there are now."""
    with world.work() as work:
        alarms.raise_due(work)
    return len(world.events("alarm.clock"))


@pytest.mark.parametrize(
    ("ahead", "alarm"), [(0, None), (10, None), (-10, None), (600, 600), (-11, -11)]
)
def test_r15_a_clock_that_is_not_that_of_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: float, alarm: int | None
) -> None:
    """R15: ten seconds are accepted; more is an alarm, once an hour for as long as it lasts."""
    monkeypatch.setattr(clock, "ahead_of_database", lambda _work: ahead)
    found = []
    for minutes in (0, 30, 31):
        world.clock.advance(minutes=minutes)
        found.append(raised(world))
    assert found == ([0, 0, 0] if alarm is None else [1, 1, 2])
    told = [(event.reason, event.data) for event in world.events("alarm.clock")]
    assert told == [(AlarmReason.CLOCK_DIFFERS, {"seconds": alarm})] * found[-1]


@pytest.mark.parametrize(("back", "alarm"), [(10, 0), (3600, 1)])
def test_r16_a_clock_that_went_back(world: World, back: int, alarm: int) -> None:
    """R16: the latest events have times in the future. Ten seconds are accepted."""
    world.account()
    world.clock.advance(-back)
    assert raised(world) == alarm
    for event in world.events("alarm.clock"):
        assert (event.reason, event.data) == (
            AlarmReason.EVENTS_OF_THE_FUTURE, {"seconds": -back},
        )  # fmt: skip
    assert raised(world) == alarm


def test_r15_the_clock_of_the_database_is_compared_with_that_of_this_machine(world: World) -> None:
    """R15: in the metrics of each host, and by ``gateway doctor``. SQLite has the same clock."""
    with world.work() as work:
        assert abs(clock.ahead_of_database(work)) < 1
    with exposed.counting():
        found = exposed.now(database=lambda: metric_sources.read_database(world.worker_runtime))
    assert abs(exposed.value(found, "gateway_clock_difference_seconds")) < 1
