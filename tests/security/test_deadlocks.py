"""R09: a request that PostgreSQL ended in favour of another one is run again, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from idp.audit import events
from idp.models import AccessToken, Event, Grant, RefreshToken
from tests.tables import needs_postgresql
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
    pauses = pausing(world)
    fail(error, times)
    assert world.redeem(rp, code).status_code == status
    is_run_again = error is not psycopg.errors.LockNotAvailable
    assert [0.025 <= seconds < 0.05 for seconds in pauses] == [True] * is_run_again
    issued = [event for event in world.events("token.issued") if event.outcome == "ok"]
    assert len(issued) == (status == 200)


def pausing(world: World, pause: Callable[[float], object] = lambda _: None) -> list[float]:
    """The pauses that requests make from now on, in seconds; ``pause`` stands for each."""
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        pause(seconds)

    runtime = world.app.extensions["runtime"]
    world.app.extensions["runtime"] = replace(runtime, ports=replace(runtime.ports, pause=wait))
    return pauses


@contextmanager
def in_the_opposite_order(world: World, account: str) -> Iterator[list[int]]:
    """Another transaction locks the account, and the code when a request that has locked the code
    waits for the account. Of the two, PostgreSQL ends the request, because the other one looks for
    deadlocks later. The other one has ended before the request is run again. Yields the processes
    that were waited for."""
    url = world.settings.database_url.replace("+psycopg", "")
    waiting = "SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    met: list[int] = []

    def close_the_circle() -> None:
        pid = other.info.backend_pid
        end = time.monotonic() + 10
        while not met and time.monotonic() < end:
            met.extend(row[0] for row in watch.execute(waiting, [pid]))
        other.execute("SELECT id FROM authorization_code FOR UPDATE")
        other.rollback()

    with psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as watch:
        other.execute("SET deadlock_timeout = '60s'")
        other.commit()
        other.execute("SELECT id FROM account WHERE username = %s FOR UPDATE", [account])
        thread = threading.Thread(target=close_the_circle)
        pausing(world, lambda _: thread.join(20))
        thread.start()
        yield met
        thread.join(20)
        assert not thread.is_alive()


@needs_postgresql("SQLite has one writer, so no deadlock")
def test_r09_a_real_deadlock_is_run_again_and_nothing_is_done_twice(world: World) -> None:
    """R09, I3: two transactions lock the same rows in opposite order. The request that PostgreSQL
    ends is run again: one code is redeemed, for one grant, one token of each kind and one event."""
    rp = world.relying_party(scopes=("openid", "offline_access"))
    username = world.account()
    code = world.browser().code(rp, username, scope="openid offline_access")
    with in_the_opposite_order(world, username) as met:
        answer = world.redeem(rp, code)
    assert len(met) == 1
    assert answer.status_code == 200
    with world.work() as work:
        counts = [work.db.scalar(select(func.count()).select_from(table))
                  for table in (Grant, AccessToken, RefreshToken)]  # fmt: skip
    assert counts == [1, 1, 1]
    assert [event.outcome for event in world.events("token.issued")] == ["ok"]
    assert world.redeem(rp, code).status_code == 400
