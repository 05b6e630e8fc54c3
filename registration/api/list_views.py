"""Lists for programs: organizations, history and requests, a page each."""

from __future__ import annotations

from typing import Any

from registration import current, history_list, person_search, requests
from registration.api import parameters
from registration.delegation_facts import Tier
from registration.delegation_rules import Action
from registration.history_list import Asked
from registration.models import Request
from registration.pages import history_page, query_days, request_page, standing
from registration.pages.navigation import own_organizations, sees
from registration.pages.role_grid_pages import changer
from registration.person_search import Sought

MOST = 10**18


def organizations() -> dict[str, Any]:
    """The organizations of the person, with his offices there."""
    query = parameters.known("start", "limit")
    start, limit = parameters.number(query, "start", 0, MOST), _limit(query)
    held = standing.own_facts().offices(standing.actor().person)
    every = own_organizations()
    found = [
        {
            "id": one.organization_id,
            "name": one.name,
            "offices": [str(tier) for tier in Tier if (tier, one.organization_id) in held],
            "may_see": sees(one),
        }
        for one in every[start : start + limit]
    ]
    has_more = start + limit < len(every)
    values = {"start": str(start + limit)}
    return {
        "organizations": found,
        "next": parameters.following("api.organizations", query, **values) if has_more else None,
    }


def persons(organization_id: str) -> dict[str, Any]:
    """Everybody who is registered and has this Person ID or these names, for those who grant
    (RG-04, RG-05)."""
    here = changer(organization_id)
    here.require(Action.SEARCH_PERSONS)
    query = parameters.known("person_id", "last_name", "first_name")
    sought = Sought(*(query.get(name, "").strip() for name in
                      ("person_id", "last_name", "first_name")))  # fmt: skip
    if not sought.is_enough:
        raise parameters.bad("first_name" if sought.first_name else "last_name")
    found = person_search.search(current.work(), sought)
    return {
        "persons": [
            {
                "id": one.person_id,
                "last_name": one.last_name,
                "first_name": one.first_name,
                "middle_name": one.middle_name,
                "preferred_name": one.preferred_name,
                "belongs_here": one.person_id in here.members,
            }
            for one in found.persons
        ],
        "has_more": found.has_more,
    }


def history(organization_id: str) -> dict[str, Any]:
    """The history of the organization, newest first."""
    here = standing.at(organization_id, Action.SEE_HISTORY)
    query = parameters.known("action", "person", "since", "until", "before")
    since, until = parameters.day(query, "since"), parameters.day(query, "until")
    asked = Asked(
        action=query.get("action", ""),
        person=query.get("person", ""),
        since=query_days.start_of(since) if since else None,
        until=query_days.end_of(until) if until else None,
    )
    before = parameters.number(query, "before", 0, MOST)
    entries, start = history_list.page(current.work(), here.here, asked, before=before)
    return {
        "entries": [history_page.record(one) for one in entries],
        "next": _after("api.history", query, start),
    }


def requests_of(organization_id: str) -> dict[str, Any]:
    """The requests of the organization, newest first."""
    here = standing.at(organization_id)
    query = parameters.known("before")
    before = parameters.number(query, "before", 0, MOST)
    found, start = requests.page(current.work(), here.here, before=before)
    return {
        "requests": [shown(one) for one in found],
        "next": _after("api.requests", query, start),
    }


def request_of(number: str) -> dict[str, Any]:
    """One request."""
    parameters.known()
    return shown(request_page.visible(number))


def shown(order: Request) -> dict[str, Any]:
    """A request as programs see it. It is done when the gateway has said so (PR-06)."""
    return {
        "number": order.number,
        "kind": order.kind,
        "state": order.state,
        "organization": order.organization.organization_id if order.organization else None,
        "opened_by": order.opened_by,
        "opened_at": order.opened_at.isoformat(),
        "closed_at": order.closed_at.isoformat() if order.closed_at else None,
    }


def _after(endpoint: str, query: dict[str, str], start: int) -> str | None:
    return parameters.following(endpoint, query, before=str(start)) if start else None


def _limit(query: dict[str, str]) -> int:
    return parameters.number(query, "limit", 100, 500, 1)
