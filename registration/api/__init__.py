"""The interface for programs, ``/api/v1``: the same services and delegation as the pages.

A request has an access token of the gateway and no cookie. It acts as the person of the token;
machines have no rights here. Answers are JSON, errors are problem details (RFC 9457), and
``openapi`` describes it all. See docs/decisions/0053.
"""

from __future__ import annotations

from flask import Blueprint

from registration.api import (
    access_views,
    contact_views,
    desk_views,
    list_views,
    openapi,
    person_views,
)
from registration.api.token_gate import gate

READ, WRITE = "registration.read", "registration.write"
HERE = "/organizations/<organization_id>"
PERSON = f"{HERE}/persons/<person_id>"
VIEWS = (
    ("/organizations", "organizations", list_views.organizations, "GET", READ),
    ("/organizations", "register_organization", desk_views.register, "POST", WRITE),
    (f"{HERE}/roles", "roles", access_views.roles, "GET", READ),
    (f"{HERE}/roles/changes", "change_roles", access_views.change, "POST", WRITE),
    (f"{HERE}/contact-roles", "contact_roles", contact_views.held, "GET", READ),
    (f"{HERE}/contact-roles/changes", "change_contact_roles", contact_views.change, "POST", WRITE),
    (f"{HERE}/persons", "persons", list_views.persons, "GET", READ),
    (f"{PERSON}/leaver", "leaver", person_views.leaver, "POST", WRITE),
    (f"{PERSON}/copy", "copied", person_views.copied, "GET", READ),
    (f"{HERE}/history", "history", list_views.history, "GET", READ),
    (f"{HERE}/requests", "requests", list_views.requests_of, "GET", READ),
    ("/requests/<number>", "request", list_views.request_of, "GET", READ),
)


def blueprint() -> Blueprint:
    """All of it. The description needs no token."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    for path, name, view, method, scope in VIEWS:
        api.add_url_rule(path, name, gate(view, scope), methods=[method])
    api.add_url_rule("/openapi.json", "openapi", openapi.show)
    return api
