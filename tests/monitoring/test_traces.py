"""Traces by OpenTelemetry: from the request through the outbox to the worker."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from sqlalchemy import text

from idp.app import create_app, db, start_tracing
from idp.directory import accounts
from idp.doctor import reach_checks
from idp.doctor.checkup import Installation
from idp.errors import Collision
from service_base import request_ids, tracing
from tests.monitoring.test_request_ids import SENT, SPAN, TRACE
from tests.world import PASSWORD, Browser, World

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@pytest.fixture
def traced(world: World) -> Iterator[InMemorySpanExporter]:
    """This process makes spans and keeps them."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(provider)
    with world.app.app_context():
        tracing.trace_statements(db.engine)
    yield kept
    tracing.use(None)


def of_kind(kept: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    return [span for span in kept.get_finished_spans() if span.kind is kind]


def asked(world: World, username: str) -> Browser:
    """Somebody has asked for a new password."""
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
    return browser


def test_a_trace_leads_from_the_request_through_the_outbox_to_the_worker(
    world: World, traced: InMemorySpanExporter
) -> None:
    """The work of the worker is a child of the request, whose id is that of the error pages and of
    the audit trail."""
    username = world.account()
    asked(world, username)
    world.run_worker()
    request = next(s for s in of_kind(traced, SpanKind.SERVER) if s.name == "POST /recover")
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST", "http.route": "/recover", "http.response.status_code": 200,
    }  # fmt: skip
    assert request.parent is None
    with world.work() as work:
        subject = accounts.by_username(work, username).subject
    works = {span.name: span for span in of_kind(traced, SpanKind.CONSUMER)}
    for name in ("recover reset", "deliver mail"):
        span = works[name]
        assert span.parent.span_id == request.context.span_id
        assert span.context.trace_id == request.context.trace_id
        assert span.attributes["enduser.pseudo.id"] == subject
    (event,) = world.events("reset.requested")
    assert event.request_id == f"{request.context.span_id:016x}"
    statements = of_kind(traced, SpanKind.CLIENT)
    written = [s.name for s in statements if s.parent.span_id == request.context.span_id]
    assert "INSERT recovery_request" in written
    delivered = [
        s.name for s in statements if s.parent.span_id == works["deliver mail"].context.span_id
    ]
    assert "UPDATE outbox_message" in delivered


def test_n84_a_span_has_no_text_no_name_no_address_and_no_value(
    world: World, traced: InMemorySpanExporter
) -> None:
    """Neither those of a request nor those of its statements."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    world.run_worker()
    whole = "\n".join(span.to_json() for span in traced.get_finished_spans())
    assert "POST /oauth2/v1/token" in whole
    secrets = {
        PASSWORD,
        rp.secret,
        *(v for v in tokens.values() if isinstance(v, str) and len(v) > 20),
    }
    shown = {username, f"{username}@participant.example", "127.0.0.1", "WHERE", rp.redirect_uri}
    assert not [value for value in secrets | shown if value in whole]


def test_another_server_is_asked_as_a_child_of_the_open_span(traced: InMemorySpanExporter) -> None:
    """And of the request, where nothing is recorded."""
    with tracing.working("push", SENT) as ids:
        found = ids.span.get_span_context()
        assert tracing.outgoing() == f"00-{TRACE}-{found.span_id:016x}-01"
    assert [f"{span.parent.span_id:016x}" for span in traced.get_finished_spans()] == [SPAN]
    with request_ids.used(request_ids.of_work(SENT)):
        assert tracing.outgoing() == SENT
    assert tracing.outgoing() is None


@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_trusted_proxy_decides_whether_a_request_is_recorded(
    world: World, traced: InMemorySpanExporter, is_sampled: bool
) -> None:
    """And what the request leaves for the worker (W3C Trace Context section 3.2.2.5)."""
    settings = replace(world.settings, trusted_proxies=("127.0.0.0/8",))
    app = create_app(settings, world.app.extensions["runtime"].ports)
    sent = SENT if is_sampled else SENT[:-1] + "0"
    app.test_client().get("/signin", base_url=settings.issuer, headers={"traceparent": sent})
    spans = of_kind(traced, SpanKind.SERVER)
    assert [f"{s.context.trace_id:032x}-{s.parent.span_id:016x}" for s in spans] == (
        [f"{TRACE}-{SPAN}"] if is_sampled else []
    )


def test_a_failure_is_an_error_of_its_span(
    world: World, traced: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an answer, a message, a piece of work and a statement: the name of the error, never its
    text."""

    def fail(*_arguments: Any) -> None:
        raise OSError("secret text")

    monkeypatch.setattr(world.mailer, "send", fail)
    monkeypatch.setitem(world.app.view_functions, "login.signin", fail)
    asked(world, world.account())
    world.run_worker()
    world.browser().client.get("/signin", base_url=world.settings.issuer)
    row = text("INSERT INTO chain_head (id, seq, seal) VALUES (7, 1, '')")
    with world.work() as work:
        work.run(row)
    with pytest.raises(Collision), tracing.working("insert", None), world.work() as work:
        work.run(row)
    errors = {
        span.name: (span.attributes or {}).get("error.type")
        for span in traced.get_finished_spans()
        if not span.status.is_ok and span.status.status_code.name == "ERROR"
    }
    assert errors.pop("INSERT chain_head") in ("IntegrityError", "UniqueViolation")
    assert errors == {"deliver mail": "OSError", "GET /signin": "500", "insert": "Collision"}
    assert "secret text" not in "".join(s.to_json() for s in traced.get_finished_spans())


class Collector(BaseHTTPRequestHandler):
    """Receives spans as a collector does (OTLP over HTTP)."""

    received: list[tuple[str, ExportTraceServiceRequest]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        message = ExportTraceServiceRequest.FromString(body)
        self.received.append((f"{self.path} {self.headers['x-key']}", message))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, ExportTraceServiceRequest]]]]:
    """A collector on this machine: its address and what it received."""
    Collector.received, Collector.status = [], 200
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", Collector.received
        server.shutdown()
        thread.join()


def test_spans_reach_a_collector_by_the_standard_variables(
    world: World, collector: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTLP over HTTP, in protobuf; what is left is sent at the end."""
    address, received = collector
    monkeypatch.setenv(ENDPOINT, address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=sandbox")
    start_tracing(world.app)
    world.browser().get("/signin")
    tracing.stop()
    ((head, message),) = received
    assert head == "/v1/traces abc"
    (resource,) = message.resource_spans
    about = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (about["service.name"], about["deployment.environment.name"]) == (
        "ieso-gateway", "sandbox",
    )  # fmt: skip
    spans = resource.scope_spans[0].spans
    assert "GET /signin" in {span.name for span in spans}
    assert len({span.trace_id for span in spans}) == 1


def test_the_doctor_tries_the_collector_without_a_span(
    world: World, collector: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which variable is wrong, and whether the collector takes what is sent."""
    address, received = collector

    def found(**environ: str) -> tuple[str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        runtime = world.worker_runtime
        (one,) = reach_checks.check_traces(Installation(world.settings, os.environ, runtime))
        return str(one.level), one.text

    assert found()[0] == "skipped"
    assert found(**{ENDPOINT: address}) == ("ok", "the collector takes traces")
    assert not received[0][1].resource_spans
    Collector.status = 401
    assert found() == (
        "fault", "no traces are sent: the collector does not answer, or does not take them",
    )  # fmt: skip
    wrong = "OTEL_EXPORTER_OTLP_PROTOCOL"
    assert found(**{wrong: "grpc"}) == (
        "fault",
        f"no traces are sent: {wrong} must be http/protobuf",
    )


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "wanted not"),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, "wanted not"),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, "wanted not"),
        ({ENDPOINT: "http://c:4318"}, ""),
        ({ENDPOINT: "collector:4318"}, f"{ENDPOINT} must be an http or https address"),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "console"},
         "OTEL_TRACES_EXPORTER must be otlp or none"),
        ({ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
         "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(variables: dict[str, str], reason: str) -> None:
    """By its name; the process goes on without traces."""
    found = tracing.fault(variables) if tracing.is_wanted(variables) else "wanted not"
    assert found == reason


def test_without_the_extra_the_log_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And requests are answered without spans."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(tracing.log, "error", lambda event, **more: logged.append({event: more}))
    start_tracing(world.app)
    reason = "the extra is not installed: pip install 'ieso-gateway[tracing]'"
    assert logged == [{"tracing_off": {"reason": reason}}]
    assert tracing.begin_request("GET", None).span is None
    request_ids.end()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT a.id FROM account AS a JOIN person ON x WHERE y = ?", "SELECT account person"),
        ("SELECT (SELECT n FROM revision) AS r, e.id FROM event e FOR UPDATE SKIP LOCKED",
         "SELECT revision event"),
        ("INSERT INTO event (at) VALUES (?) ON CONFLICT DO UPDATE SET x = 1", "INSERT event"),
        ("UPDATE account SET state=? WHERE id = ?", "UPDATE account"),
        ("PRAGMA foreign_keys", "PRAGMA"),
    ],
)  # fmt: skip
def test_a_statement_is_called_by_what_it_does_and_its_tables(statement: str, found: str) -> None:
    """``db.query.summary`` of the semantic conventions: few names, and no value."""
    assert tracing.summary(statement) == found
