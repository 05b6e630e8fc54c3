"""What monitoring reads from the database when it asks: pushes and mails that wait, and entries of
the history without a seal. Every statement is bounded by an index or by ``MOST``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import func, select

from registration.models import History, Notice, Push
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Runtime, UnitOfWork
from service_base import metrics
from service_base.certificate_expiry import CertificateExpiry
from service_base.database import most_connections
from service_base.metrics import Reading, Values

#: Rows counted in a state; more are as bad.
MOST = 10_000
#: The outboxes, and the states of what is not done.
OUTBOXES: Mapping[str, tuple[type[Push] | type[Notice], tuple[str, ...]]] = {
    "pushes": (Push, ("queued",)),
    "notices": (Notice, ("queued", "dead")),
}


def sources(main: int) -> Mapping[str, metrics.Source]:
    """The sources for a process of its own beside the main process. Raises ConfigurationError."""
    settings = Settings.from_environ(os.environ)
    runtime = Runtime.of(settings, Ports.of(settings))
    processes = metrics.Processes(main)
    most = most_connections(settings.database_url)
    return {
        "database": lambda: read_database(runtime),
        "processes": lambda: [
            *processes.read(),
            metrics.connections_limit(most * processes.count()),
        ],
        "disk": lambda: metrics.disk_space(
            {"working_folder": ".", "temporary": tempfile.gettempdir()}
        ),
        "certificate": CertificateExpiry(settings.url).read,
    }


def read_database(runtime: Runtime) -> list[Reading]:
    """What the database tells."""
    with runtime.work() as work:
        return list(_read(work))


def _read(work: UnitOfWork) -> Iterator[Reading]:
    counts: Values = {}
    ages: Values = {}
    for name, (model, states) in OUTBOXES.items():
        for state in states:
            some = (
                select(model.created_at)
                .where(model.state == state)
                .order_by(model.next_attempt_at)
                .limit(MOST)
                .subquery()
            )
            number, oldest = work.db.execute(
                select(func.count(), func.min(some.c.created_at)).select_from(some)
            ).one()
            counts[name, state] = number
            if state == "queued":
                ages[name,] = _seconds_since(work, oldest)
    yield Reading(
        "outbox_messages", f"What is not done, at most {MOST} of a state", counts, ("lane", "state")
    )
    yield Reading("outbox_oldest_seconds", "Age of the oldest that waits", ages, ("lane",))
    unsealed = work.db.scalar(select(func.min(History.at)).where(History.seq.is_(None)))
    yield Reading.of(
        "audit_unsealed_oldest_seconds", "Age of the oldest entry of the history without a seal",
        _seconds_since(work, unsealed),
    )  # fmt: skip


def _seconds_since(work: UnitOfWork, moment: datetime | None) -> float:
    return max(0.0, (work.now - moment).total_seconds()) if moment is not None else 0.0
