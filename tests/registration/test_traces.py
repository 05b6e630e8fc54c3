"""A trace through both applications: from the request at registration through its outbox to the
bridge of the gateway, and through the gateway's outbox to its worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from idp.settings import Settings
from service_base import tracing
from tests.monitoring.test_request_ids import SENT, TRACE
from tests.registration.both_applications import HERE, HOLDER, RA, Both, Visitor, made
from tests.scim.test_client import Wired
from tests.world import World

CONFIRM = "POST /organizations/<organization_id>/roles/confirm"
BULK = "POST /scim/v2/Bulk"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The gateway trusts a proxy on this machine."""
    return replace(settings, trusted_proxies=("127.0.0.1/32",))


@pytest.fixture
def both(world: World, registration_url: str) -> Iterator[Both]:
    """Both applications, with people of one participant."""
    found = made(world, registration_url)
    yield found
    found.runtime.close()


@pytest.fixture
def kept(both: Both) -> Iterator[InMemorySpanExporter]:
    """The spans of both applications."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    tracing.trace_statements(both.runtime.engine)
    yield exporter
    tracing.use(None)


def grant(both: Both, visitor: Visitor, code: str) -> None:
    """The holder has this access role, and everybody has the mails about it."""
    page = visitor.get(f"{HERE}/persons/{HOLDER[1]}/roles")
    tick = f"person|{HOLDER[1]}|{code}"
    review = visitor.send(page, f"{HERE}/roles/review", cell=[tick])
    visitor.send(review, f"{HERE}/roles/confirm")
    both.deliver()


def follow(kept: InMemorySpanExporter, name: str) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The last span of this name, and its children."""
    spans = kept.get_finished_spans()
    last = [span for span in spans if span.name == name][-1]
    return last, [s for s in spans if s.parent and s.parent.span_id == last.context.span_id]


def test_a_trace_leads_through_both_applications(
    both: Both, kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W3C Trace Context: from the request of a browser to the mails of the gateway, each a child of
    what asked for it. Each application continues only what a trusted proxy sends: not the trace
    that a browser names, nor that of a push which comes from elsewhere."""
    admin = both.person(RA)
    admin.client.environ_base["HTTP_TRACEPARENT"] = SENT
    grant(both, admin, "view-market-data")
    ordered, stored = follow(kept, CONFIRM)
    assert ordered.parent is None
    assert f"{ordered.context.trace_id:032x}" != TRACE
    assert "INSERT push" in [span.name for span in stored]
    sent, asked = follow(kept, "push")
    assert sent.parent.span_id == ordered.context.span_id
    taken, mailed = follow(kept, BULK)
    assert taken in asked
    assert [(span.kind, span.name) for span in mailed] == [(SpanKind.CONSUMER, "deliver mail")] * 3
    traces = {span.context.trace_id for span in (ordered, sent, taken, *mailed)}
    assert traces == {ordered.context.trace_id}

    monkeypatch.setattr(Wired, "peer", "198.51.100.7")
    grant(both, admin, "submit-bids-and-offers")
    sent, asked = follow(kept, "push")
    taken, mailed = follow(kept, BULK)
    assert (taken.parent, taken in asked) == (None, False)
    assert taken.context.trace_id != sent.context.trace_id
    assert {span.context.trace_id for span in mailed} == {taken.context.trace_id}
