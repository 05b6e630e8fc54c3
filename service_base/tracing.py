"""Traces by OpenTelemetry: of each request, its statements, and what the worker does for it later.

The libraries are an extra (``tracing``), and the standard variables ``OTEL_*`` say where spans are
sent. Without both, nothing of them is loaded, and requests only have their ids
(``service_base.request_ids``). A span has no address, name, text or parameter: what OpenTelemetry
receives is kept elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from service_base import logs, request_ids
from service_base.request_ids import RequestIds

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from sqlalchemy import Engine

#: The name in setup.cfg, for the version.
PACKAGE = "ieso-gateway"
#: Where spans are sent, the first one that is set.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: The only protocol of the extra.
PROTOCOL = "http/protobuf"
#: Answers from this status on are failures of the server (HTTP semantic conventions).
FAILED = 500
#: Systems by the names of SQLAlchemy.
SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite"}
#: What a statement reads or writes: the tables after these words.
_TABLES = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?([a-z_]+)"?')
_MAX_SUMMARY = 255
_FIRST = 100
log = logs.Logger("tracing")


@dataclass
class _State:
    """What ``use`` made of this process."""

    tracer: Any = None
    #: Sends what is left.
    end: Any = None


_state = _State()


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the variables name a place for spans and do not switch traces off."""
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    is_none = environ.get("OTEL_TRACES_EXPORTER", "") == "none"
    return bool(_first(environ, ENDPOINTS)) and not is_disabled and not is_none


def fault(environ: Mapping[str, str]) -> str:
    """Why no traces can be sent although they are wanted; empty if they can."""
    endpoint = urlsplit(_first(environ, ENDPOINTS))
    if endpoint.scheme not in ("http", "https") or not endpoint.hostname:
        return f"{_name(environ, ENDPOINTS)} must be an http or https address"
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") not in ("", "otlp"):
        return "OTEL_TRACES_EXPORTER must be otlp or none"
    if (_first(environ, PROTOCOLS) or PROTOCOL) != PROTOCOL:
        return f"{_name(environ, PROTOCOLS)} must be {PROTOCOL}"
    try:
        _exporter()
    except ImportError:
        return f"the extra is not installed: pip install '{PACKAGE}[tracing]'"
    except ValueError as error:
        return str(error)
    return ""


def start(service: str, engine: Engine) -> None:
    """Send the spans of this process, and of the statements of ``engine``, where the variables say.
    Call it in the process that does the work, after it was forked. A fault of the variables stops
    no process: it is logged."""
    if not is_wanted(os.environ):
        return
    if found := fault(os.environ):
        log.error("tracing_off", reason=found)
        return
    from multiprocessing.util import Finalize

    provider = _provider(service, os.environ)
    # Also at the end of a process that multiprocessing started, which runs no atexit functions.
    _state.end = Finalize(None, provider.shutdown, exitpriority=_FIRST)
    use(provider)
    trace_statements(engine)


def stop() -> None:
    """Send what is left, and make no more spans."""
    use(None)
    if _state.end is not None:
        _state.end()
        _state.end = None


def use(provider: TracerProvider | None) -> None:
    """Make spans by this provider from now on; by none."""
    _state.tracer = provider.get_tracer(PACKAGE, version(PACKAGE)) if provider else None


def try_collector(seconds: float) -> str:
    """Why the collector takes no spans; empty if it does. It gets a message without any. The log
    has the error."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    exporter = _exporter(seconds)
    result = exporter.export(())
    exporter.shutdown()
    is_taken = result is SpanExportResult.SUCCESS
    return "" if is_taken else "the collector does not answer, or does not take them"


def _provider(service: str, environ: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = {"service.version": version(PACKAGE)}
    has_name = "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not has_name and not environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = service
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    return provider


def _exporter(seconds: float | None = None) -> Any:
    """The exporter of the variables. Raises ImportError or ValueError."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(timeout=seconds)


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _name(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((name for name in names if environ.get(name)), names[-1])


def begin_request(method: str, traceparent: str | None) -> RequestIds:
    """A request begins: its ids, and its span. ``traceparent`` is that of a trusted proxy."""
    ids = request_ids.of_request(traceparent)
    if _state.tracer is not None:
        from opentelemetry.trace import SpanKind

        _open(ids, method, SpanKind.SERVER, {"http.request.method": method})
        # Its line in the log and its span have the same ids.
        found = ids.span.get_span_context()
        ids.trace_id, ids.request_id = f"{found.trace_id:032x}", f"{found.span_id:016x}"
        ids.is_sampled = found.trace_flags.sampled
    request_ids.begin(ids)
    return ids


def end_request(ids: RequestIds, method: str, route: str | None, status: int) -> None:
    """A request that has a span is answered. ``route`` is the rule that its path matched, never the
    path."""
    ids.span.set_attribute("http.response.status_code", status)
    if route:
        ids.span.set_attribute("http.route", route)
        ids.span.update_name(f"{method} {route}")
    if status >= FAILED:
        _fail(ids.span, str(status))
    _close(ids)


@contextmanager
def working(
    name: str, traceparent: str | None, attributes: Mapping[str, str | int] | None = None
) -> Iterator[RequestIds]:
    """What the block does was left by the request of ``traceparent``, or no request asked for it:
    a span and the lines of the log say so."""
    with request_ids.used(request_ids.of_work(traceparent)) as ids:
        if _state.tracer is None:
            yield ids
            return
        from opentelemetry.trace import SpanKind

        _open(ids, name, SpanKind.CONSUMER, attributes or {})
        ids.trace_id = f"{ids.span.get_span_context().trace_id:032x}"
        try:
            yield ids
        except BaseException as error:
            _fail(ids.span, type(error).__name__)
            raise
        finally:
            _close(ids)


def outgoing() -> str | None:
    """The ``traceparent`` of a request to another server: its parent is the open span of this
    thread, or the request that it works for."""
    ids = request_ids.current()
    if ids is None or ids.span is None:
        return request_ids.traceparent()
    found = ids.span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def failed(reason: str) -> None:
    """What this thread does has failed."""
    ids = request_ids.current()
    if ids is not None and ids.span is not None:
        _fail(ids.span, reason)


def _open(ids: RequestIds, name: str, kind: Any, attributes: Mapping[str, str | int]) -> None:
    from opentelemetry import context, trace

    parent = context.Context()
    if ids.parent_id:
        flags = trace.TraceFlags(ids.is_sampled)
        at = trace.SpanContext(
            int(ids.trace_id, 16), int(ids.parent_id, 16), is_remote=True, trace_flags=flags
        )
        parent = trace.set_span_in_context(trace.NonRecordingSpan(at), parent)
    ids.span = _state.tracer.start_span(name, parent, kind=kind, attributes=attributes)
    ids.context = trace.set_span_in_context(ids.span, parent)


def _close(ids: RequestIds) -> None:
    if account := ids.account:
        ids.span.set_attribute("enduser.pseudo.id", account)
    ids.span.end()
    ids.span = ids.context = None


def _fail(span: Any, reason: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", reason)
    span.set_status(StatusCode.ERROR)


def trace_statements(engine: Engine) -> None:
    """Make a span of each statement that a traced request or work sends to the database."""
    from opentelemetry.trace import SpanKind
    from sqlalchemy import event

    system = SYSTEMS.get(engine.dialect.name, "other_sql")

    @event.listens_for(engine, "before_cursor_execute")
    def begin(
        _connection: Any, _cursor: Any, statement: str, _parameters: Any, execution: Any, _many: Any
    ) -> None:
        ids = request_ids.current()
        if ids is None or ids.span is None or not ids.span.is_recording():
            return
        name = summary(statement)
        about = {"db.system.name": system, "db.query.summary": name}
        execution.span = _state.tracer.start_span(
            name, ids.context, kind=SpanKind.CLIENT, attributes=about
        )

    @event.listens_for(engine, "after_cursor_execute")
    def end(*arguments: Any) -> None:
        if (span := getattr(arguments[4], "span", None)) is not None:
            span.end()

    @event.listens_for(engine, "handle_error")
    def fail(error: Any) -> None:
        if (span := getattr(error.execution_context, "span", None)) is not None:
            _fail(span, type(error.original_exception).__name__)
            span.end()


@lru_cache(2048)
def summary(statement: str) -> str:
    """What a statement does, and the tables: "SELECT account person". Neither its text nor a
    value."""
    verb = statement.lstrip().partition(" ")[0].upper()
    tables = dict.fromkeys(_TABLES.findall(statement))
    return " ".join([verb, *tables])[:_MAX_SUMMARY]
