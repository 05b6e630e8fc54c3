"""Sessions of the database that serve one request after another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from idp.app import RequestSession, db
from idp.models import RoleGroup
from tests.world import World

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
kept: list[object] = []


def core(session: RequestSession) -> None:
    session.core_connection().execute(text("SELECT 1"))


def commit(session: RequestSession) -> None:
    core(session)
    session.commit()


def roll_back(session: RequestSession) -> None:
    core(session)
    session.rollback()


def nothing(_session: RequestSession) -> None:
    pass


def load(session: RequestSession) -> None:
    kept[:] = session.scalars(select(RoleGroup)).all()


def load_and_commit(session: RequestSession) -> None:
    load(session)
    session.commit()


def add(session: RequestSession) -> None:
    session.add(RoleGroup(name="Pending", description="", created_at=NOON))


def delete(session: RequestSession) -> None:
    load(session)
    session.delete(kept[0])


def nest(session: RequestSession) -> None:
    session.begin_nested()


def guard(session: RequestSession) -> None:
    session.guard = lambda: None


def used(world: World, act: Callable[[RequestSession], None]) -> RequestSession:
    """The session of a request that did this."""
    with world.app.app_context():
        session: RequestSession = db.session()  # type: ignore[assignment]
        act(session)
    return session


@pytest.mark.parametrize("act", [nothing, core, commit, roll_back])
def test_a_session_that_holds_nothing_serves_another_request(
    world: World, act: Callable[[RequestSession], None]
) -> None:
    first = used(world, act)
    assert used(world, nothing) is first
    assert first._core is None


@pytest.mark.parametrize("act", [load, load_and_commit, add, delete, nest, guard])
def test_a_session_that_held_something_serves_no_other_request(
    world: World, act: Callable[[RequestSession], None]
) -> None:
    world.role_group("Some")
    first = used(world, act)
    assert used(world, nothing) is not first
    with world.app.app_context():
        assert db.session.scalar(select(RoleGroup).where(RoleGroup.name == "Pending")) is None


def test_requests_at_the_same_time_have_sessions_of_their_own(world: World) -> None:
    used(world, nothing)
    with world.app.app_context():
        outer = db.session()
        with world.app.app_context():
            assert db.session() is not outer
        assert db.session() is outer
