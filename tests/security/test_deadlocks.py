"""R09: a request that PostgreSQL ended in favour of another one is run again, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from idp.audit import events
from idp.models import Event
from tests.world import World

Fail = Callable[[type[psycopg.Error], int], None]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """The next events so many times end with an error of the driver."""
    record = events.record

    def begin(error: type[psycopg.Error], times: int) -> None:
        left = [error] * times

        def failing(*arguments: Any, **more: Any) -> Event | None:
            if left:
                raise OperationalError("INSERT INTO event", None, left.pop()("ended"))
            return record(*arguments, **more)

        monkeypatch.setattr(events, "record", failing)

    return begin


@pytest.mark.parametrize(
    ("error", "times", "status"),
    [
        (psycopg.errors.DeadlockDetected, 1, 200),
        (psycopg.errors.SerializationFailure, 1, 200),
        (psycopg.errors.DeadlockDetected, 2, 503),
        # It would wait as long again.
        (psycopg.errors.LockNotAvailable, 1, 503),
    ],
)
def test_r09_a_code_survives_a_deadlock(
    world: World, fail: Fail, error: type[psycopg.Error], times: int, status: int
) -> None:
    """R09, I3: nothing of the first run is left, so the code is redeemed once, by the second."""
    rp = world.relying_party()
    code = world.browser().code(rp, world.account())
    fail(error, times)
    assert world.redeem(rp, code).status_code == status
    issued = [event for event in world.events("token.issued") if event.outcome == "ok"]
    assert len(issued) == (status == 200)
