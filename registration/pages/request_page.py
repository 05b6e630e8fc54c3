"""The page of a request: what was ordered, by whom, and whether it is done (PR-06)."""

from __future__ import annotations

from flask import render_template, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from registration import (
    access_batches,
    current,
    leavers,
    market_participations,
    organizations,
    requests,
    waiting_requests,
)
from registration.models import Request
from registration.organization_facts import names
from registration.pages import standing
from registration.pages.access_request_answers import asked_for
from registration.pages.change_lines import lines_of_request
from registration.pages.standing import NotHere

STATES = complete(
    ("open", "done", "refused"),
    {"open": _("In progress"), "done": _("Completed"), "refused": _("Refused by the gateway")},
)
ACCESS_STATES = complete(
    ("open", "done", "refused"),
    {"open": _("Waiting for an answer"), "done": _("Granted"), "refused": _("Refused")},
)
#: Requests that change access roles.
WITH_LINES = (access_batches.KIND, leavers.LEFT)
BADGES = {"open": "", "done": "good", "refused": "danger"}
KINDS = complete(
    (
        "access.change",
        "access.request",
        "appointment",
        "contact_roles",
        "machine",
        "participation",
        "participation.ended",
        leavers.LEFT,
        "organization",
        organizations.RENAMED,
        "person.change",
    ),
    {
        "access.change": _("Change of access roles"),
        "access.request": _("Request for access"),
        "appointment": _("Appointment"),
        "contact_roles": _("Change of contact roles"),
        "machine": _("Change of a machine account"),
        "participation": _("Application for a participation"),
        "participation.ended": _("End of a participation"),
        leavers.LEFT: _("Leaver"),
        "organization": _("Registration of an organization"),
        organizations.RENAMED: _("Change of the name of an organization"),
        "person.change": _("Change of a person's information"),
    },
)


def show(number: str) -> str:
    """The page."""
    order = visible(number)
    crumbs = []
    if order.organization:
        url = url_for("pages.roles", organization_id=order.organization.organization_id)
        crumbs = [(order.organization.name, url)]
    opened_by = names(current.work(), [order.opened_by]).get(order.opened_by, order.opened_by)
    return render_template(
        "request.html",
        order=order,
        state=state_of(order),
        state_kind=BADGES.get(order.state, ""),
        kind=KINDS.of(order.kind),
        opened_by=opened_by or gettext("IESO"),
        lines=lines_of_request(order) if order.kind in WITH_LINES else [],
        crumbs=crumbs,
        asked=asked_for(order) if order.kind == waiting_requests.KIND else None,
    )


def state_of(order: Request) -> str:
    """A participation is refused by the IESO, access by those who grant it, everything else by the
    gateway."""
    if order.kind == waiting_requests.KIND:
        return ACCESS_STATES.of(order.state)
    if order.state == "refused" and order.kind == market_participations.KIND:
        return str(gettext("Refused by the IESO"))
    return STATES.of(order.state)


def visible(number: str) -> Request:
    """The request, for its author and everybody who sees its organization. Raises NotHere or
    NotAllowed."""
    order = requests.by_number(current.work(), number)
    if order is None:
        raise NotHere
    if order.opened_by != standing.actor().person:
        if order.organization is None:
            raise NotHere
        standing.at(order.organization.organization_id)
    return order
