"""A process that is killed at a chosen statement of its request (R02; I1 to I4).

A copy of this process answers the request and kills itself, so every statement can be tried."""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from idp.app import db
from idp.transaction import UnitOfWork
from tests.tables import runs_on_postgresql
from tests.world import Rp, World

pytestmark = pytest.mark.quick
#: More statements than a request has.
MOST = 60
REVOKE = "/oauth2/v1/revoke"


def killed_at(world: World, point: int | str, ask: Callable[[], TestResponse]) -> bool:
    """Run ``ask`` in a copy of this process, which is killed before the statement of this number,
    or ``before commit`` or ``after commit``. Returns whether it got that far."""
    with world.app.app_context():
        db.session.remove()
        db.engine.dispose()
    with warnings.catch_warnings():
        # Threads of the test runner are not in the copy, and it needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            _arm(world, point)
            ask()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _arm(world: World, point: int | str) -> None:
    seen = 0

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == point:
            die()

    with world.app.app_context():
        engine = db.engine
    if point == "before commit":
        event.listen(engine, "commit", die)
    elif point == "after commit":
        commit = UnitOfWork.commit
        UnitOfWork.commit = lambda work: die(commit(work))  # type: ignore[method-assign]
    else:
        event.listen(engine, "before_cursor_execute", count)


def counts(world: World) -> tuple[int, ...]:
    """What a token request leaves: events of issue, tokens, refresh tokens, spent codes and spent
    refresh tokens."""
    statements = (
        "SELECT count(*) FROM event WHERE name = 'token.issued'",
        "SELECT count(*) FROM access_token",
        "SELECT count(*) FROM refresh_token",
        "SELECT count(*) FROM authorization_code WHERE consumed_at IS NOT NULL",
        "SELECT count(*) FROM refresh_token WHERE consumed_at IS NOT NULL",
    )
    with world.app.app_context(), db.engine.connect() as connection:
        return tuple(connection.exec_driver_sql(each).scalar_one() for each in statements)


def every_point(world: World, prepare: Callable[[], Callable[[], TestResponse]]) -> int:
    """Kill a new request at each of its statements and before the commit: nothing of it is there,
    and the same request succeeds afterwards. Returns how many points there were."""
    for point in range(1, MOST):
        ask = prepare()
        before = counts(world)
        if not killed_at(world, point, ask):
            assert counts(world) != before, "it was answered"
            return point - 1
        assert counts(world) == before, f"killed at statement {point}"
        assert ask().status_code == 200, f"after the kill at statement {point}"
    raise AssertionError("more statements than expected")


@pytest.fixture
def rp(world: World) -> Rp:
    world.account("anna")
    return world.relying_party()


def test_r02_killed_at_each_statement_of_a_redemption(world: World, rp: Rp) -> None:
    """R02, I1, I3: before and after the code is spent, nothing is left; the code works once."""
    browser = world.browser()

    def prepare() -> Callable[[], TestResponse]:
        code = browser.code(rp, "anna")
        return lambda: world.redeem(rp, code)

    assert every_point(world, prepare) >= (2 if runs_on_postgresql() else 5)
    if runs_on_postgresql():
        # Its last statement commits itself (docs/decisions/0095).
        return
    ask = prepare()
    before = counts(world)
    assert killed_at(world, "before commit", ask)
    assert counts(world) == before


def test_r02_killed_at_each_statement_of_a_refresh(world: World, rp: Rp) -> None:
    """R02, I1, I3: the token stays unspent, and its repetition gives one successor."""
    tokens = [world.signed_in_tokens(rp, "anna")["refresh_token"]]

    def prepare() -> Callable[[], TestResponse]:
        def ask() -> TestResponse:
            answer = world.refresh(rp, tokens[-1])
            if answer.status_code == 200:
                tokens.append((answer.json or {})["refresh_token"])
            return answer

        return ask

    assert every_point(world, prepare) >= (2 if runs_on_postgresql() else 4)


def test_r02_killed_after_the_commit_and_before_the_answer(world: World, rp: Rp) -> None:
    """R02, I3: everything of it is there. The code is refused, and its grant is revoked, since
    nobody can tell a lost answer from a thief; a refresh may be repeated (decision 3)."""
    code = world.browser().code(rp, "anna")
    before = counts(world)
    assert killed_at(world, "after commit", lambda: world.redeem(rp, code))
    assert counts(world) == tuple(a + b for a, b in zip(before, (1, 1, 1, 1, 0), strict=True))
    answer = world.redeem(rp, code)
    assert (answer.status_code, json.loads(answer.data)["error"]) == (400, "invalid_grant")
    assert len(world.events("grant.revoked")) == 1
    token = world.signed_in_tokens(rp, "anna")["refresh_token"]
    before = counts(world)
    assert killed_at(world, "after commit", lambda: world.refresh(rp, token))
    assert counts(world) == tuple(a + b for a, b in zip(before, (1, 1, 1, 0, 1), strict=True))
    assert world.refresh(rp, token).status_code == 200
    assert counts(world)[2:] == (before[2] + 1, before[3], before[4] + 1)


def test_r02_killed_at_each_statement_of_a_denial(world: World, rp: Rp) -> None:
    """R02, I4: a revocation that was not acknowledged is whole or absent; repeated, it holds."""
    for point in (*range(1, MOST), "after commit"):
        token = world.signed_in_tokens(rp, "anna")["refresh_token"]
        was_killed = killed_at(world, point, partial(world.post, rp, REVOKE, token=token))
        if was_killed and point != "after commit":
            assert world.introspect(rp, token)["active"] is True
            assert world.post(rp, REVOKE, token=token).status_code == 200
        assert world.refresh(rp, token).status_code == 400
        if not was_killed and point != "after commit":
            assert isinstance(point, int)
            assert point > 3
            break
