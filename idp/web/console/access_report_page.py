"""Who has access to what: by participant, by role group, by person, as of any moment."""

from __future__ import annotations

from dataclasses import astuple, fields

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.csv_files import csv_lines
from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import access_report, participants, role_groups
from idp.directory.access_report import AccessQuery, AccessRecord
from idp.list_pages import ListPage
from idp.web.console import forms, listing
from idp.web.console.listing import ListView

FIELDS = ("participant", "group", "person", "at")


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/access", "report", report)
    pages.add_url_rule("/access/export", "export_report", export_report)


def report() -> BaseResponse:
    """One page of it."""
    try:
        question = _question()
    except forms.BadField as error:
        return _page(ListPage([]), error=str(error))
    rows = access_report.page(current.work(), question, listing.asked_page())
    return _page(rows, question)


def _question() -> AccessQuery:
    return AccessQuery(
        at=forms.moment("at", end_of_day=True) or current.work().now,
        participant=request.args.get("participant", "").strip()[:20],
        group=request.args.get("group", "").strip()[:100],
        account_ids=forms.people("person"),
    )


def _page(
    page: ListPage[AccessRecord], question: AccessQuery | None = None, error: str = ""
) -> BaseResponse:
    work = current.work()
    groups = [group.name for group, _clients in role_groups.list_role_groups(work)]
    body = render_template(
        "console/report.html",
        view=ListView("console.report", page, listing.asked_filters(*FIELDS)),
        at=question.at if question else None,
        participants=participants.list_choices(work),
        groups=[(name, name) for name in groups],
        error=error,
    )
    return Response(body, status=400 if error else 200)


def export_report() -> BaseResponse:
    """All of it, as CSV."""
    try:
        question = _question()
    except forms.BadField as error:
        return _page(ListPage([]), error=str(error))
    work = current.work()
    asked = {name: value for name in FIELDS if (value := request.args.get(name))}
    events.record(work, AuditAction.ACCESS_EXPORTED, filter=asked)
    rows = (astuple(row)[2:] for row in access_report.stream_all(work, question))
    columns = [item.name for item in fields(AccessRecord)][2:]
    return forms.download(csv_lines(columns, rows), name="access.csv", kind="text/csv")
