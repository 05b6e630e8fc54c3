"""The home page of the console: the search, open tasks, and the sign-ins of the last day."""

from __future__ import annotations

from typing import Any

from babel.dates import format_datetime
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import get_locale, gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import EASTERN, eastern
from idp import current
from idp.audit import sign_in_activity
from idp.audit.sign_in_activity import HourlyActivity
from idp.clients import client_proposals
from idp.directory import account_lists, account_search, mass_change_breaker
from idp.directory.account_lists import STATE, AccountCounts, AccountList
from idp.maintenance import alarms
from idp.messages import dead_letters
from idp.models import AccountState
from idp.policy.search_terms import MAX_QUERY
from idp.transaction import UnitOfWork
from idp.web.console import account_list_pages, gate

Card = tuple[int, str, str]


def register(pages: Blueprint) -> None:
    pages.add_url_rule("", "home", home, strict_slashes=False)


def home() -> BaseResponse:
    """The accounts that match the query, if there is one; a single match is opened directly."""
    query = request.args.get("q", "").strip()[:MAX_QUERY]
    return _results(query) if query else _overview()


def _results(query: str) -> BaseResponse:
    found = account_search.search(current.work(), query)
    if len(found.accounts) == 1:
        subject = found.accounts[0].subject
        return redirect(url_for("console.account", subject=subject, q=query), code=303)
    return Response(render_template("console/home.html", query=query, found=found))


def _overview() -> BaseResponse:
    work, operator = current.work(), gate.operator()
    counts = account_lists.counts(work)
    watches = operator.may_open("console.alarms")
    body = render_template(
        "console/home.html",
        query="",
        waiting=_waiting(work, counts),
        accounts=_accounts(counts),
        bars=[_bar(hour) for hour in sign_in_activity.by_hour(work)],
        alarms=alarms.recent(work) if watches else [],
        unsealed=alarms.unsealed_since(work) if watches else None,
    )
    return Response(body)


def _waiting(work: UnitOfWork, counts: AccountCounts) -> list[Card]:
    """The open tasks that this operator may see."""
    operator = gate.operator()
    locked = counts.by_state.get(AccountState.LOCKED, 0)
    found: list[Card] = [
        (locked, gettext("locked accounts"), _list_url(AccountList.LOCKED)),
        (
            counts.temporary,
            gettext("temporary passwords not used yet"),
            _list_url(AccountList.TEMPORARY),
        ),
    ]
    if operator.may_open("console.messages"):
        address = url_for("console.messages")
        found.append((dead_letters.count(work), gettext("undelivered messages"), address))
    if operator.may_open("console.proposals"):
        waiting = len(client_proposals.list_pending(work))
        found.append((waiting, gettext("proposals to confirm"), url_for("console.proposals")))
    if operator.may_open("console.alarms"):
        stopped = mass_change_breaker.status(work)
        text = gettext("changes by registration in the last hour: the circuit breaker is open")
        found.append((stopped.changed * stopped.is_tripped, text, url_for("console.alarms")))
    return [card for card in found if card[0]]


def _accounts(counts: AccountCounts) -> list[Card]:
    """The number of accounts in each list."""
    found: list[Card] = [(counts.total, gettext("accounts"), _list_url(AccountList.ALL))]
    for name in (AccountList.PENDING, AccountList.SUSPENDED, AccountList.RESET_REQUIRED):
        title = account_list_pages.TITLES.of(name)
        found.append((counts.by_state.get(STATE[name], 0), title, _list_url(name)))
    return found


def _list_url(name: AccountList) -> str:
    return url_for("console.people", list=str(name))


def _bar(hour: HourlyActivity) -> dict[str, Any]:
    local = hour.start.astimezone(EASTERN)
    return {
        "label": format_datetime(local, "H", tzinfo=EASTERN, locale=str(get_locale() or "en")),
        "moment": eastern(hour.start),
        "first": hour.succeeded,
        "last": hour.refused,
    }
