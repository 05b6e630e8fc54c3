"""Units of work: returning commits, raising rolls back.

A ``UnitOfWork`` is one transaction of a request, a command or a worker step. Services take it as
their first argument and never commit; the caller does. A change, its history, its mails and its
pushes are rows of the same transaction, so that there is never one without the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from registration.keys import Keys
from registration.ports import Ports
from registration.settings import Settings
from registration.work_refusals import ChangedMeanwhile
from service_base.database import engine_options, prepare_engine

#: The database does not answer, or has no free connection.
DATABASE_UNAVAILABLE = (OperationalError, PoolTimeout)


@dataclass(frozen=True)
class Origin:
    """Who acts: a Person ID or the name of a program, and in whose name a program acts."""

    actor: str = "registration"
    on_behalf_of: str = ""


@dataclass
class UnitOfWork:
    """One unit of work: the open transaction, its time, and the runtime's settings and ports."""

    db: Session
    settings: Settings
    ports: Ports
    keys: Keys
    origin: Origin = field(default_factory=Origin)
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.ports.clock.now()

    def after(self, seconds: float) -> datetime:
        """This time after now."""
        return self.now + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Runtime:
    """What all units of work share: settings, ports, keys and the connections."""

    settings: Settings
    ports: Ports
    keys: Keys
    engine: Engine

    @classmethod
    def of(cls, settings: Settings, ports: Ports) -> Runtime:
        """For these settings, which the caller has validated."""
        engine = create_engine(settings.database_url, **engine_options(settings.database_url))
        prepare_engine(engine)
        return cls(settings, ports, Keys(settings), engine)

    @contextmanager
    def work(self, origin: Origin | None = None) -> Iterator[UnitOfWork]:
        """A unit of work: committed when the block returns, rolled back when it raises. Raises
        ChangedMeanwhile if somebody else changed one of its rows since it was read."""
        with Session(self.engine) as session:
            yield from self._until_committed(session, origin or Origin())

    def _until_committed(self, session: Session, origin: Origin) -> Iterator[UnitOfWork]:
        try:
            yield UnitOfWork(session, self.settings, self.ports, self.keys, origin)
            session.commit()
        except StaleDataError as error:
            session.rollback()
            raise ChangedMeanwhile() from error
        except BaseException:
            session.rollback()
            raise

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
