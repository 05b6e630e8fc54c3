"""The audit trail: search, download, integrity check. Read only."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.csv_files import csv_lines
from idp import current
from idp.audit import events, verification
from idp.audit import trail as service
from idp.audit.actions import AuditAction
from idp.audit.trail import EventFilter
from idp.clients import registry
from idp.list_pages import ListPage
from idp.web.console import event_reasons, event_words, forms, gate, listing
from idp.web.console.listing import ListView

#: So many records are proved in one request: a second or two.
STEP = 10_000
FIELDS = ("person", "actor", "client", "name", "outcome", "since", "until")
COLUMNS = (
    "at", "name", "outcome", "reason", "account", "actor", "client_id", "ip", "user_agent",
    "session_id", "request_id", "data", "seq", "proof",
)  # fmt: skip


def register(pages: Blueprint) -> None:
    pages.add_app_template_filter(event_words.event_name, "event_in_words")
    pages.add_app_template_filter(event_reasons.event_reason, "event_reason_in_words")
    pages.add_app_template_filter(event_words.field_name, "field_in_words")
    pages.add_app_template_filter(event_words.plain_value, "plain_value")
    pages.add_url_rule("/audit", "trail", trail)
    pages.add_url_rule("/audit/export", "export_trail", export_trail)
    pages.add_url_rule("/audit/verify", "verify_trail", verify_trail, methods=["POST"])


def trail() -> BaseResponse:
    """The newest events that match, a page at a time."""
    try:
        wanted = _wanted()
    except forms.BadField as error:
        return _page(ListPage([]), error=str(error))
    return _page(service.page(current.work(), wanted, listing.asked_page()))


def _wanted() -> EventFilter:
    asked = listing.asked_filters(*FIELDS)
    return EventFilter(
        account_ids=forms.people("person"),
        actor=asked["actor"],
        client_id=asked["client"][:100],
        name=asked["name"][:60],
        outcome=asked["outcome"][:10],
        since=forms.moment("since"),
        until=forms.moment("until", end_of_day=True),
    )


def _page(page: ListPage[service.TrailEntry], error: str | None = None) -> BaseResponse:
    view = ListView("console.trail", page, listing.asked_filters(*FIELDS))
    clients = registry.list_clients(current.work())
    body = render_template(
        "console/trail.html",
        view=view,
        error=error,
        names=event_words.choices(),
        clients=[(client.client_id, client.name) for client in clients],
        may_verify=gate.operator().may_open("console.verify_trail"),
    )
    return Response(body, status=400 if error else 200)


def export_trail() -> BaseResponse:
    """The events that match, oldest first, as CSV or as JSON lines."""
    try:
        wanted = _wanted()
    except forms.BadField as error:
        return _page(ListPage([]), error=str(error))
    work = current.work()
    as_csv = request.args.get("format") == "csv"
    asked = {name: value for name in FIELDS if (value := request.args.get(name))}
    events.record(
        work, AuditAction.TRAIL_EXPORTED, format="csv" if as_csv else "jsonl", filter=asked
    )
    if as_csv:
        rows = (
            [json.dumps(record[c]) if c == "data" else record[c] for c in COLUMNS]
            for record in service.export_records(work, wanted)
        )
        return forms.download(csv_lines(COLUMNS, rows), name="audit.csv", kind="text/csv")
    lines = (line + "\n" for line in service.export(work, wanted))
    return forms.download(lines, name="audit.jsonl", kind="application/jsonl")


def verify_trail() -> BaseResponse:
    """Verify the next records of the chain, a limited number in each request. The page continues
    with the others."""
    work = current.work()
    found = verification.verify(work, after=forms.number("after"), limit=STEP)
    verification.record(work, found)
    return Response(render_template("console/integrity.html", proof=found))
