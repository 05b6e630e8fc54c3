"""One transaction for what the ORM and Core do (docs/decisions/0084)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.pool import QueuePool

from idp.app import db
from idp.db import table
from idp.models import RoleGroup
from service_base.core_session import CoreSession
from tests.world import World

GROUPS = table(RoleGroup)
NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def engine(world: World) -> Engine:
    with world.app.app_context():
        return db.engine


@pytest.fixture
def session(engine: Engine) -> Iterator[CoreSession]:
    with CoreSession(engine) as session:
        yield session


def by_core(session: CoreSession) -> None:
    values = {"name": "Core", "description": "", "created_at": NOON}
    session.core_connection().execute(insert(GROUPS).values(**values))


def by_orm(session: CoreSession) -> None:
    session.add(RoleGroup(name="ORM", description="", created_at=NOON))
    session.flush()


def names(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(select(GROUPS.c.name).where(GROUPS.c.name.in_(WRITTEN))))


WRITTEN = ("Core", "ORM")
ORDERS = pytest.mark.parametrize(
    "acts",
    [(by_core,), (by_orm,), (by_core, by_orm), (by_orm, by_core)],
    ids=["Core", "ORM", "Core, then ORM", "ORM, then Core"],
)
Acts = tuple[Callable[[CoreSession], None], ...]


def in_use(engine: Engine) -> int:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


@ORDERS
def test_a_commit_writes_both(engine: Engine, session: CoreSession, acts: Acts) -> None:
    before = in_use(engine)
    for act in acts:
        act(session)
    seen = session.core_connection().scalar(
        select(func.count()).select_from(GROUPS).where(GROUPS.c.name.in_(WRITTEN))
    )
    assert seen == len(acts)
    assert in_use(engine) == before + 1
    session.commit()
    assert len(names(engine)) == len(acts)
    assert in_use(engine) == before


@ORDERS
@pytest.mark.parametrize("end", [CoreSession.rollback, CoreSession.close])
def test_neither_is_written_without_a_commit(
    engine: Engine, session: CoreSession, acts: Acts, end: Callable[[CoreSession], None]
) -> None:
    before = in_use(engine)
    for act in acts:
        act(session)
    end(session)
    assert names(engine) == set()
    assert in_use(engine) == before


def test_pending_objects_are_written_with_a_core_transaction(
    engine: Engine, session: CoreSession
) -> None:
    by_core(session)
    session.add(RoleGroup(name="ORM", description="", created_at=NOON))
    session.commit()
    assert names(engine) == {"Core", "ORM"}


def test_a_session_goes_on_after_each_end(engine: Engine, session: CoreSession) -> None:
    by_core(session)
    session.rollback()
    by_orm(session)
    session.commit()
    by_core(session)
    session.commit()
    assert names(engine) == {"Core", "ORM"}


def test_a_savepoint_of_the_orm_ends_alone(engine: Engine, session: CoreSession) -> None:
    by_core(session)
    point = session.begin_nested()
    by_orm(session)
    point.rollback()
    session.commit()
    assert names(engine) == {"Core"}


def test_a_loaded_object_is_read_again_after_a_commit(engine: Engine, session: CoreSession) -> None:
    by_core(session)
    session.commit()
    found = session.scalars(select(RoleGroup).where(RoleGroup.name == "Core")).one()
    session.commit()
    with engine.begin() as other:
        other.execute(GROUPS.update().values(description="changed"))
    assert found.description == "changed"
