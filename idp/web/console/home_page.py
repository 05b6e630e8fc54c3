"""The search box."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import account_search
from idp.maintenance import alarms
from idp.policy.console import ACCESS, AUDITOR
from idp.policy.search_terms import MAX_QUERY
from idp.web.console import gate


def register(pages: Blueprint) -> None:
    pages.add_url_rule("", "home", home)


def home() -> BaseResponse:
    """The accounts that match the query; a single one is opened at once."""
    query = request.args.get("q", "").strip()[:MAX_QUERY]
    found = (
        account_search.search(current.work(), query)
        if query
        else account_search.SearchResult([], more=False)
    )
    if len(found.accounts) == 1:
        subject = found.accounts[0].subject
        return redirect(url_for("console.account", subject=subject, q=query), code=303)
    operator = gate.operator()
    watches = operator.roles & {ACCESS, AUDITOR} and not query
    raised = alarms.recent(current.work()) if watches else []
    unsealed = alarms.unsealed_since(current.work()) if watches else None
    body = render_template(
        "console/home.html", query=query, found=found, alarms=raised, unsealed=unsealed
    )
    return Response(body)
