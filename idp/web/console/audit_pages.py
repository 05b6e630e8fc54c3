"""The audit trail: search, download, proof. Read only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.audit import events, verification
from idp.audit import trail as service
from idp.audit.actions import AlarmReason, AuditAction
from idp.audit.trail import EventFilter
from idp.models import Event
from idp.web.console import forms

PAGE = 100
#: So many records are proved in one request: a second or two.
STEP = 10_000
FIELDS = ("person", "actor", "client", "name", "since", "until")
COLUMNS = (
    "at", "name", "outcome", "reason", "account", "actor", "client_id", "ip", "user_agent",
    "session_id", "request_id", "data", "seq", "proof",
)  # fmt: skip


def register(pages: Blueprint) -> None:
    pages.add_app_template_filter(plain_value)
    pages.add_url_rule("/audit", "trail", trail)
    pages.add_url_rule("/audit/export", "export_trail", export_trail)
    pages.add_url_rule("/audit/verify", "verify_trail", verify_trail, methods=["POST"])


def plain_value(found: Any) -> str:
    """A value of an event's data, with its lists and mappings, as plain text."""
    if found is None or found in ("", [], {}):
        return "–"
    if isinstance(found, bool):
        return str(gettext("yes") if found else gettext("no"))
    if isinstance(found, Mapping):
        return "(" + ", ".join(f"{key} {plain_value(entry)}" for key, entry in found.items()) + ")"
    if isinstance(found, list):
        return ", ".join(plain_value(entry) for entry in found)
    return str(found)


def trail() -> BaseResponse:
    """The newest events that match, a page at a time."""
    try:
        wanted = _wanted()
    except forms.BadField as error:
        return _page([], error=str(error))
    rows = service.page(current.work(), wanted, before=forms.number("before") or None, limit=PAGE)
    return _page(rows)


def _wanted() -> EventFilter:
    args = request.args
    return EventFilter(
        account_ids=forms.people("person"),
        actor=args.get("actor", "").strip()[:320],
        client_id=args.get("client", "").strip()[:100],
        name=args.get("name", "").strip()[:60],
        since=forms.moment("since"),
        until=forms.moment("until", end_of_day=True),
    )


def _page(rows: list[tuple[Event, str | None]], error: str | None = None) -> BaseResponse:
    asked = {name: request.args.get(name, "") for name in FIELDS}
    older = rows[-1][0].id if len(rows) == PAGE else None
    body = render_template(
        "console/trail.html", rows=rows, asked=asked, older=older, error=error, proof=None
    )
    return Response(body, status=400 if error else 200)


def export_trail() -> BaseResponse:
    """The events that match, oldest first, as CSV or as JSON lines."""
    try:
        wanted = _wanted()
    except forms.BadField as error:
        return _page([], error=str(error))
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
        return forms.download(forms.csv_lines(COLUMNS, rows), name="audit.csv", kind="text/csv")
    lines = (line + "\n" for line in service.export(work, wanted))
    return forms.download(lines, name="audit.jsonl", kind="application/jsonl")


def verify_trail() -> BaseResponse:
    """Prove the next records of the chain, so many in one request; the page leads on to the
    others."""
    work = current.work()
    found = verification.verify(work, after=forms.number("after"), limit=STEP)
    events.record(
        work,
        AuditAction.TRAIL_VERIFIED,
        reason=None if found.is_intact else AlarmReason.BROKEN,
        first=found.first,
        last=found.last,
        faults=dict(found.faults),
    )
    body = render_template(
        "console/trail.html",
        rows=[],
        asked=dict.fromkeys(FIELDS, ""),
        older=None,
        error=None,
        proof=found,
    )
    return Response(body)
