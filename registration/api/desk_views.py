"""What the IESO's desk has for programs: the registration of an organization (TM-02, TM-08)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, url_for

from registration import current, organizations, requests
from registration.api import parameters
from registration.api.list_views import shown
from registration.api.token_gate import require_fresh_factor
from registration.models import Request
from registration.organization_refusals import (
    OrganizationNameInvalid,
    OrganizationNumberInvalid,
    OrganizationTaken,
)
from registration.pages import desk_pages, standing
from registration.pages.appointment_answers import sentence_of
from registration.problems import Problem

MEMBERS = {"name": str, "number": str, "preview": bool}
#: The type of the problem for each refusal.
REFUSALS = {
    OrganizationNameInvalid: "organization_name_invalid",
    OrganizationNumberInvalid: "organization_number_invalid",
    OrganizationTaken: "organization_taken",
}


def register() -> Response:
    """Register an organization, under this number or the next free one. With ``preview`` nothing is
    registered. For everybody but the IESO it does not exist."""
    desk_pages.require_operator()
    parameters.known()
    sent = parameters.body()
    parameters.check(sent, MEMBERS)
    require_fresh_factor()
    work, actor = current.work(), standing.actor()
    try:
        row = organizations.register(work, actor, sent.get("name", ""), sent.get("number", ""))
    except (OrganizationNameInvalid, OrganizationNumberInvalid, OrganizationTaken) as error:
        raise Problem(REFUSALS[type(error)], sentence_of(error)) from error
    found = {"id": row.organization_id, "name": row.name}
    if sent.get("preview", False):
        work.db.rollback()
        return jsonify(_outcome(found))
    (order, *_), _start = requests.page(work, row)
    response = jsonify(_outcome(found, order))
    response.status_code = 201
    response.headers["Location"] = url_for("api.request", number=order.number)
    return response


def _outcome(found: dict[str, str], order: Request | None = None) -> dict[str, Any]:
    return {"organization": found, "request": shown(order) if order else None}
