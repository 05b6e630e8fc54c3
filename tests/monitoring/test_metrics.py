"""What the gateway counts and measures for Prometheus (architecture, health: /metrics)."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text, update

from idp.audit import chain, events
from idp.audit.actions import AlarmReason, AuditAction
from idp.db import engine_options, prepare_engine
from idp.directory import accounts
from idp.maintenance import measured_state
from idp.messages import delivery, queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import MessageState, OutboxMessage
from idp.serving import metric_sources
from service_base import certificate_expiry, metrics, metrics_process
from service_base.certificate_expiry import AGAIN, AGAIN_AFTER_FAILURE, CertificateExpiry
from service_base.database import most_connections
from service_base.metrics import OTHER
from service_base.refusals import ConfigurationError
from service_base.worker_threads import WorkerThreads, work_through
from tests.live import free_ports
from tests.monitoring import exposed
from tests.monitoring.exposed import Samples, value
from tests.serving.wire import serve
from tests.web.test_limits import gateway, statuses
from tests.world import World


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """This process counts."""
    with exposed.counting():
        yield


def state(world: World) -> Samples:
    """What is read from the database."""
    return exposed.now(database=lambda: metric_sources.read_database(world.worker_runtime))


def test_requests_count_by_endpoint_and_status_never_by_path(world: World) -> None:
    """A path has no end of values, and may hold what is nobody's business."""
    client = world.app.test_client()
    for path in ("/healthz", "/healthz", "/signin", "/no/such/path-1", "/no/such/path-2"):
        client.get(path, headers={"Host": "gateway.test"})
    world.post(world.relying_party(), grant_type="password")
    found = exposed.now()
    requests = "gateway_http_requests_total"
    assert value(found, requests, endpoint="pages.healthz", status="200") == 2
    assert value(found, requests, endpoint="login.signin", status="200") == 1
    assert value(found, requests, endpoint="none", status="404") == 2
    assert value(found, requests, endpoint="oidc.token", status="400") == 1
    count = "gateway_http_request_duration_seconds_count"
    assert value(found, count, endpoint="pages.healthz") == 2
    endpoints = {dict(labels)["endpoint"] for name, labels in found if name == requests}
    assert endpoints <= {*world.app.view_functions, "none"}


def test_sign_ins_count_by_result_and_reason_also_those_that_sampling_leaves_out(
    world: World,
) -> None:
    username = world.account()
    for name in (username, *["nobody-here"] * 30):
        world.browser().sign_in(name, "wrong password")
    world.browser().signed_in(username)
    found = exposed.now()
    refused = {
        dict(labels)["reason"]: number
        for (name, labels), number in found.items()
        if name == "gateway_events_total" and ("event", "signin.refused") in labels
    }
    assert sum(refused.values()) == 31
    assert "" not in refused
    named = {"event": "signin.succeeded", "outcome": "ok", "reason": ""}
    assert value(found, "gateway_events_total", **named) == 1
    decided = [dict(labels) for name, labels in found if name == "gateway_risk_decisions_total"]
    assert [(one["decision"], one["rule"]) for one in decided] == [("prompt", "risk")]


def test_an_event_of_a_trial_does_not_count(world: World) -> None:
    """A dry run of a push shows its events; they did not happen."""
    with world.work() as work:
        work.is_trial = True
        events.record(work, AuditAction.SCIM_CREATED)
        work.rollback()
    assert not [name for name, _ in exposed.now() if name == "gateway_events_total"]


def test_limits_that_are_hit_count_by_endpoint(world: World) -> None:
    """R11: the 429 of a limit, and what a process counted alone because Redis is away."""
    dead = f"redis://127.0.0.1:{free_ports(1)}/0"
    settings = replace(world.settings, redis_url=dead, recovery_limit="4 per hour")
    with gateway(world, settings) as lone:
        assert statuses(lone, 3) == [200, 429, 429]
    found = exposed.now()
    assert value(found, "gateway_rate_limited_requests_total", endpoint="recover.start") == 2
    assert value(found, "gateway_rate_limits_without_redis_total") == 3


def test_the_outbox_is_measured_by_lane(world: World) -> None:
    """The age of the oldest that waits, and how many are dead; a lane without any is 0."""
    username = world.account()
    with world.work() as work:
        work.db.execute(update(OutboxMessage).values(state=MessageState.SENT))
        account = accounts.by_username(work, username)
        queue.enqueue(work, MailKind.FACTOR_CODE, account, code="1", expires_at=work.now)
        queue.enqueue(work, MailKind.ACCOUNT_RESTORED, account)
        queue.enqueue_sms(work, TextMessageKind.FACTOR_CODE, account, "+14165550100", code="1")
    world.clock.advance(90)
    with world.work() as work:
        dead = update(OutboxMessage).where(OutboxMessage.channel == "sms")
        work.db.execute(dead.values(state=MessageState.DEAD))
    found = state(world)
    ages = [value(found, "gateway_outbox_oldest_seconds", lane=lane)
            for lane in measured_state.LANES]  # fmt: skip
    assert ages == [90, 90, 0, 0, 0, 0]
    numbers = "gateway_outbox_messages"
    assert value(found, numbers, lane="texts", state="dead") == 1
    assert value(found, numbers, lane="mail", state="queued") == 1
    assert delivery.deliver_due(world.worker_runtime) == 2
    assert value(exposed.now(), "gateway_messages_total", channel="mail", result="sent") == 2


def test_seals_alarms_keys_and_purge_are_measured(world: World) -> None:
    rp = world.relying_party()
    world.signed_in_tokens(rp, world.account())
    with world.work() as work:
        events.record(work, chain.FORGED, reason=AlarmReason.FORGED)
        events.record(work, AuditAction.TRAIL_VERIFIED)
    raised = world.clock.now().timestamp()
    world.clock.advance(days=2)
    found = state(world)
    assert value(found, "gateway_audit_unsealed_oldest_seconds") == 2 * 86400
    alarm = "gateway_alarm_last_timestamp_seconds"
    assert value(found, alarm, alarm="trail.forged") == raised
    # An integrity check that found nothing is no alarm.
    assert value(found, alarm, alarm="trail.verified") == 0
    assert value(found, "gateway_signing_key_age_seconds", alg="RS256") == 3 * 86400
    assert value(found, "gateway_signing_keys", alg="RS256", state="next") == 1
    assert value(found, "gateway_mass_change_breaker_open") == 0
    assert 86400 < value(found, "gateway_purge_overdue_seconds") < 2 * 86400
    with world.work() as work:
        events.record(work, AuditAction.TRAIL_VERIFIED, reason=AlarmReason.BROKEN)
    world.run_worker()
    found = state(world)
    assert value(found, "gateway_audit_unsealed_oldest_seconds") == 0
    assert value(found, alarm, alarm="trail.verified") == world.clock.now().timestamp()


def test_a_scrape_asks_the_database_a_fixed_number_of_times(world: World) -> None:
    """Whatever is stored; it is asked four times a minute for as long as the gateway runs."""
    asked: list[str] = []
    with world.worker_runtime.step() as work:
        event.listen(
            work.db.get_bind(), "before_cursor_execute", lambda *about: asked.append(about[2])
        )
        list(measured_state.read(work))
    assert len(asked) <= 18
    assert all(statement.startswith("SELECT") for statement in asked)


def test_a_source_that_fails_is_named_and_the_others_are_read() -> None:
    def fails() -> list[metrics.Reading]:
        raise OSError

    found = exposed.now(database=fails, disk=lambda: metrics.disk_space({"here": "."}))
    assert value(found, "gateway_metrics_source_up", source="database") == 0
    assert value(found, "gateway_metrics_source_up", source="disk") == 1
    free = value(found, "gateway_filesystem_avail_bytes", of="here")
    assert 0 < free <= value(found, "gateway_filesystem_size_bytes", of="here")
    assert [name for name, _ in found if name == "gateway_build_info"]


def test_connections_in_use_are_measured(world: World) -> None:
    url = world.settings.database_url
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    in_use = "gateway_database_connections_in_use"
    with engine.connect() as first, engine.connect() as second:
        first.execute(text("SELECT 1"))
        second.execute(text("SELECT 1"))
        assert value(exposed.now(), in_use) == 2
    assert value(exposed.now(), in_use) == 0
    engine.dispose()
    assert most_connections("sqlite://") == most_connections("postgresql+psycopg://x") == 30


def test_a_metric_stays_small_whatever_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 2)
    counter = metrics.Counter("tried", "Tried", ("what",))
    try:
        counter.enable()
        for what in "abcd":
            counter.add(what)
        found = exposed.now()
    finally:
        metrics._declared.remove(counter)
    assert value(found, "gateway_tried_total", what="b") == 1
    assert value(found, "gateway_tried_total", what=OTHER) == 2


def test_nothing_is_counted_where_it_is_not_enabled() -> None:
    metrics.disable()
    counter = metrics.Counter("idle", "Idle")
    counter.add()
    metrics._declared.remove(counter)
    assert not metrics.is_enabled()


def test_the_certificate_is_asked_for_once_an_hour(certificate: Path) -> None:
    """Also one that has run out or that nobody trusts is read, and a server that does not answer
    is not asked at each scrape."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        port = listening.getsockname()[1]
        ends = certificate_expiry.fetch("127.0.0.1", port)
        thread.join()
    assert abs(ends - (datetime.now(UTC) + timedelta(days=1)).timestamp()) < 3600
    asked: list[tuple[str, int]] = []
    seconds = 0.0

    def fetch(host: str, port: int) -> float:
        asked.append((host, port))
        if len(asked) == 2:
            raise OSError("away")
        return 7.0

    expiry = CertificateExpiry("https://gateway.test", fetch, lambda: seconds)
    assert [reading.values for reading in (*expiry.read(), *expiry.read())] == [{(): 7.0}] * 2
    assert asked == [("gateway.test", 443)]
    seconds += AGAIN
    for reason in ("away", "no answer"):
        with pytest.raises(OSError, match=reason):
            list(expiry.read())
    assert len(asked) == 2
    seconds += AGAIN_AFTER_FAILURE
    assert [reading.values for reading in expiry.read()] == [{(): 7.0}]
    assert list(CertificateExpiry("http://localhost:8000").read()) == []


def test_the_worker_measures_rounds_and_idle_threads() -> None:
    """A part that fails, one that does something, one that has nothing to do."""

    def fails(_app: object) -> int:
        raise ValueError

    parts = {"fails": fails, "busy": lambda _app: 3, "idle": lambda _app: 0}
    work_through(object(), parts)
    seconds = 10.0
    workers = WorkerThreads(object(), {"mail": {}}, interval=1, now=lambda: seconds)
    seconds = 75.0
    found = exposed.now(threads=workers.readings)
    rounds = "gateway_worker_rounds_total"
    assert value(found, rounds, part="fails", result="failed") == 1
    assert value(found, rounds, part="busy", result="busy") == 1
    assert value(found, rounds, part="idle", result="idle") == 1
    assert value(found, "gateway_worker_done_total", part="busy") == 3
    assert value(found, "gateway_worker_thread_idle_seconds", thread="mail") == 65


def test_a_port_in_use_is_refused_before_anything_is_served() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        refused = pytest.raises(ConfigurationError, match=f"the metrics port .*{port} is not free")
        with (
            refused,
            metrics_process.answering_process(
                "gateway", Path(), "127.0.0.1", port, lambda _main: {}
            ),
        ):
            raise AssertionError


@pytest.mark.xdist_group("wire")
def test_all_processes_count_together_also_those_that_were_killed(world: World) -> None:
    """``gateway serve --metrics-port``: one answer for all, which only grows; nothing is left of it
    in the folder for temporary files."""
    world.clock.moment = datetime.now(UTC)
    port = free_ports(1)
    folders = set(Path(tempfile.gettempdir()).glob("gateway-metrics-*"))

    def scraped() -> Samples:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            return exposed.samples(answer.read().decode())

    def answered() -> float:
        named = {"endpoint": "pages.healthz", "status": "200"}
        return value(scraped(), "gateway_http_requests_total", **named)

    options = ("--workers", "2", "--metrics-port", str(port))
    with serve(world, *options, IDP_DATABASE_URL=world.settings.database_url) as served:
        served.wait_until(lambda: len(served.children()) == 3)
        before = answered()
        for _ in range(20):
            served.get("/healthz")
        found = scraped()
        assert answered() == before + 20
        assert value(found, "gateway_processes") == 2
        assert value(found, "gateway_database_connections_limit") == 60
        assert value(found, "gateway_process_resident_memory_bytes") > 10_000_000
        assert value(found, "gateway_metrics_source_up", source="database") == 1
        assert value(found, "gateway_signing_keys", alg="RS256", state="active") == 1
        # The first child answers Prometheus.
        victims = set(sorted(served.children())[1:])
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        served.wait_until(lambda: len(served.children() - victims) == 3 and served.answers())
        assert answered() > before + 20
    assert set(Path(tempfile.gettempdir()).glob("gateway-metrics-*")) == folders
