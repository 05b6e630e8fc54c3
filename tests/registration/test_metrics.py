"""What registration counts and measures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from registration import measured_state
from registration.app import create_app
from registration.models import Notice, Push
from registration.transaction import Runtime
from service_base import metrics
from service_base.certificate_expiry import CertificateExpiry
from service_base.worker_threads import WorkerThreads
from tests.monitoring import exposed
from tests.monitoring.exposed import value
from tests.monitoring.test_rules import asked_for
from tests.registration.company import Company


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """This process counts."""
    with exposed.counting("registration"):
        yield


def test_pushes_and_mails_that_wait_are_measured(runtime: Runtime) -> None:
    company = Company(runtime)
    company.found()
    with runtime.work() as work:
        work.db.execute(update(Notice).values(state="dead"))
    waiting = company.count(Push)
    found = exposed.now(database=lambda: measured_state.read_database(runtime))
    assert value(found, "registration_metrics_source_up", source="database") == 1
    assert value(found, "registration_outbox_messages", lane="pushes", state="queued") == waiting
    dead = company.count(Notice)
    assert value(found, "registration_outbox_messages", lane="notices", state="dead") == dead
    assert value(found, "registration_outbox_oldest_seconds", lane="notices") == 0
    assert ("registration_audit_unsealed_oldest_seconds", frozenset()) in found


def test_registration_exposes_what_rules_and_dashboard_name(runtime: Runtime) -> None:
    """A metric that was renamed makes an alert silent."""
    text = exposed.text(
        {
            "database": lambda: measured_state.read_database(runtime),
            "threads": WorkerThreads(object(), {"pushes": {}}, interval=1).readings,
            "processes": lambda: [metrics.connections_limit(1)],
            "certificate": CertificateExpiry("https://a.test", lambda *_: 1.0).read,
        }
    )
    asked = asked_for("registration")
    assert len(asked) > 8
    assert asked - exposed.names(text) == set()


def test_readiness_without_a_database(runtime: Runtime, tmp_path: Path) -> None:
    """/readyz: 503 and "no answer" while there is no database."""
    away = replace(runtime.settings, database_url=f"sqlite:///{tmp_path}/away/registration.db")
    app = create_app(away, runtime.ports)
    answer = app.test_client().get("/readyz", base_url=away.url)
    assert (answer.status_code, answer.json) == (
        503, {"status": "unavailable", "database": "no answer"},
    )  # fmt: skip
    app.extensions["runtime"].close()
