"""Clocks that are set back, or differ between processes (N92, R15, R16)."""

from __future__ import annotations

import pytest

from tests.journeys.test_recovery import add_phone, code_of
from tests.world import World


@pytest.mark.parametrize(("back", "status"), [(60, 200), (61, 400), (3600, 400)])
def test_n92_r16_a_code_does_not_live_longer_when_the_clock_is_set_back(
    world: World, back: int, status: int
) -> None:
    """N92, R15, R16: it may seem to have been issued a minute later, not more."""
    rp, username = world.relying_party(), world.account()
    code = world.browser().code(rp, username)
    world.clock.advance(-back)
    answer = world.redeem(rp, code)
    assert answer.status_code == status
    if status == 400:
        assert (answer.json or {})["error"] == "invalid_grant"
        assert world.redeem(rp, world.browser().code(rp, username)).status_code == 200


@pytest.mark.parametrize(("back", "is_accepted"), [(60, True), (61, False)])
def test_n92_r16_a_one_time_code_does_not_live_longer_when_the_clock_is_set_back(
    world: World, back: int, is_accepted: bool
) -> None:
    """N92, R15, R16: the same for a code by text message."""
    username = world.account()
    add_phone(world, username)
    browser = world.browser()
    page = browser.submit(browser.get("/recover"), "/recover", username=username, channel="sms")
    world.run_worker()
    world.clock.advance(-back)
    answer = browser.submit(page, "/recover/code", code=code_of(world))
    assert ("Choose a new password" in answer.text) is is_accepted, answer.text[-3000:]
