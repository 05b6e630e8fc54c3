"""A request for access as the pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for

from hosted_pages.languages import is_french
from registration import access_requests, current, own_lists
from registration.delegation import Allowed, may
from registration.delegation_rules import Action
from registration.grid_query import column_of
from registration.models import Person, Request
from registration.organization_facts import facts_of, names
from registration.pages import standing


@dataclass(frozen=True)
class Asked:
    """Who asks for what, what became of it, and where the reader decides; empty if he may not."""

    person: Person
    role: str
    heading: str
    why: str
    decided_by: str
    refusal: str
    order_url: str
    approve_url: str
    refuse_url: str
    is_waiting: bool


def asked_for(request: Request) -> Asked:
    """The request for access, for the person who reads."""
    data, work = request.data, current.work()
    found = own_lists.access_roles(work, [data["role"]])
    column = column_of(found[0], is_french=is_french()) if found else None
    by = data.get("decided_by", "")
    approve, refuse = _decide_urls(request)
    return Asked(
        access_requests.requester(work, request),
        column.name if column else data["role"],
        column.heading if column else "",
        data.get("why", ""),
        names(work, [by]).get(by, by),
        data.get("reason", ""),
        url_for("pages.request", number=data["order"]) if data.get("order") else "",
        approve,
        refuse,
        request.state == "open",
    )


def _decide_urls(request: Request) -> tuple[str, str]:
    here, work, actor = request.organization, current.work(), standing.actor()
    if here is None or request.state != "open":
        return "", ""
    target = access_requests.role_target(work, here, request)
    facts = facts_of(work, here, actor.person, target.person)
    if not isinstance(may(actor, Action.GRANT_ACCESS, target, facts), Allowed):
        return "", ""
    place: dict[str, Any] = {"organization_id": here.organization_id, "number": request.number}
    return url_for("pages.approve_access", **place), url_for("pages.refuse_access", **place)
