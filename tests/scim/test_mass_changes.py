"""The breaker of mass changes: too many accounts suspended or closed within an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.directory import mass_change_breaker
from idp.policy.console import ConsoleRole
from idp.settings import Settings
from tests.console.desk import Desk
from tests.scim.pusher import EXTENSION, Pusher, fault
from tests.security.test_login_cookies import gateway
from tests.world import World

OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A gateway whose breaker opens at three."""
    with gateway(replace(settings, mass_change_least=3)) as world:
        yield world


def test_the_circuit_breaker_stops_further_deactivations_only(world: World, pusher: Pusher) -> None:
    """Three go, the fourth waits with all that it said; other pushes go on; an administrator's
    confirmation lets three more go."""
    keys = [pusher.create(number)["id"] for number in range(1, 9)]
    assert pusher.patch(keys[0], OFF).status_code == 200
    assert pusher.patch(keys[0], ON).status_code == 200
    assert pusher.patch(keys[0], OFF).status_code == 200, "one account counts once"
    assert pusher.send("DELETE", keys[0]).status_code == 204
    assert pusher.send("DELETE", keys[1]).status_code == 204
    assert pusher.patch(keys[2], OFF).status_code == 200
    both = (OFF, {"op": "replace", "path": "nickName", "value": "Gone"})
    for answer in (pusher.patch(keys[3], *both), pusher.send("DELETE", keys[4])):
        assert fault(answer) == (429, None)
        assert answer.headers["Retry-After"] == "300"
    kept = pusher.send("GET", keys[3]).json or {}
    assert (kept["active"], kept.get("nickName")) == (True, None)
    assert pusher.send("GET", keys[4]).status_code == 200
    assert pusher.patch(keys[2], ON).status_code == 200
    assert pusher.patch(keys[3], both[1]).status_code == 200
    assert pusher.create(9)["active"]

    (alarm,) = world.events(mass_change_breaker.ALARM)
    assert alarm.data == {"taken": 3, "bound": 3}
    seen = {
        role: "registration suspended or deactivated 3 accounts"
        in Desk.of(world, role).browser.get("/console").text
        for role in ConsoleRole
    }
    assert seen == {ConsoleRole.AGENT: False, ConsoleRole.ACCESS: True, ConsoleRole.AUDITOR: True}

    with world.work() as work:
        mass_change_breaker.confirm(work, "the end of a participant")
    for key in keys[3:6]:
        assert pusher.send("DELETE", key).status_code == 204
    assert fault(pusher.send("DELETE", keys[6])) == (429, None)
    assert len(world.events(mass_change_breaker.ALARM)) == 2


def test_the_circuit_breaker_counts_changes_of_one_hour(world: World, pusher: Pusher) -> None:
    """An hour later it is closed by itself."""
    keys = [pusher.create(number)["id"] for number in range(1, 5)]
    for key in keys[:3]:
        assert pusher.send("DELETE", key).status_code == 204
    assert fault(pusher.send("DELETE", keys[3])) == (429, None)
    world.clock.advance(minutes=61)
    assert Pusher.of(world, "Again").send("DELETE", keys[3]).status_code == 204


def test_the_circuit_breaker_scales_with_the_number_of_accounts(settings: Settings) -> None:
    """A share of all accounts, once that is more."""
    with gateway(replace(settings, mass_change_least=1, mass_change_percent=50)) as world:
        pusher = Pusher.of(world)
        keys = [pusher.create(number)["id"] for number in range(1, 7)]
        gone = [pusher.send("DELETE", key).status_code for key in keys]
        # Of six, five, four left after each: half of the living bounds the next one.
        assert gone == [204, 204, 429, 429, 429, 429]


def test_an_end_within_a_week_counts_as_a_deactivation(world: World, pusher: Pusher) -> None:
    """Nobody gets round the breaker by dates: three ends within a week go, the fourth waits; later
    ones, and those of new accounts, are no closings."""
    keys = [pusher.create(number)["id"] for number in range(1, 7)]

    def end(**later: float) -> dict[str, str]:
        moment = (world.clock.now() + timedelta(**later)).isoformat()
        return {"op": "replace", "path": f"{EXTENSION}:endDate", "value": moment}

    for key in keys[:3]:
        assert pusher.patch(key, end(days=8)).status_code == 200
        assert pusher.patch(key, end(minutes=1)).status_code == 200
    assert fault(pusher.patch(keys[3], end(minutes=1))) == (429, None)
    assert fault(pusher.send("DELETE", keys[3])) == (429, None)
    assert fault(pusher.patch(keys[4], end(days=7, seconds=-1))) == (429, None)
    assert pusher.patch(keys[4], end(days=7)).status_code == 200
    soon = end(minutes=1)["value"]
    assert pusher.create(9, extension={"endDate": soon})["active"]
