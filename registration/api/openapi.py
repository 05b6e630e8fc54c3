"""The description of the interface (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from registration import current
from registration.appointments import EndReason
from registration.organizations import MAX_DIGITS, MAX_NAME
from registration.pages.appointment_answers import MAX_WHY
from registration.pages.contact_review_pages import MAX_CHANGES as MAX_CONTACT_CHANGES
from registration.pages.role_grid_pages import MAX_CHANGES
from registration.problems import KINDS, PREFIX

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
KIND: Schema = {"type": "string", "enum": ["person", "machine"]}
#: Of the addresses that have others than the organization.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "organizations": (),
    "register_organization": (),
    "request": ("number",),
    "leaver": ("organization_id", "person_id"),
    "copied": ("organization_id", "person_id"),
}
ACTION: Schema = {"type": "string", "enum": ["grant", "revoke"]}


def show() -> Response:
    """The description. It is public and names nobody."""
    return jsonify(document(current.runtime().settings.issuer))


def document(issuer: str) -> Schema:
    """The description, for people who sign in at this gateway."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Online IESO Registration",
            "version": "1",
            "description": "Who may do what for a participant: read it, and change access roles "
            "and contact roles. A program acts as the person of its access token.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "responses": {
                "Problem": {
                    "description": "It is refused; the type says why.",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
            "securitySchemes": {
                "gateway": {
                    "type": "openIdConnect",
                    "openIdConnectUrl": f"{issuer}/.well-known/openid-configuration",
                }
            },
        },
    }


def _paths() -> Schema:
    here = "/organizations/{organization_id}"
    day_list = ("since", DAY, "First day, Eastern Time."), ("until", DAY, "Last day.")
    before = ("before", COUNT, "Entries older than this one; see next.")
    size = {"type": "integer", "minimum": 1, "maximum": 500}
    pages = (
        ("start", COUNT, "Leave out so many; see next."),
        ("limit", size, "Entries on a page."),
    )
    return {
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This description.",
                "security": [],
                "responses": {"200": _answer("The description.", {"type": "object"})},
            }
        },
        "/organizations": _get(
            "organizations", "Your organizations and offices.", "Organizations", *pages
        )
        | _post(
            "register_organization",
            "Register an organization (the IESO only). With preview nothing is registered. Needs "
            "extra verification in the last 15 minutes.",
            "NewOrganization",
            "RegisteredOrganization",
        ),
        f"{here}/roles": _get(
            "roles",
            "People or machines and their access roles, now or at the end of a past day.",
            "Grid",
            ("kind", KIND, "People or machines."),
            (
                "id",
                TEXT,
                "One Person ID, or user name of a machine. Somebody who grants finds everybody.",
            ),
            ("q", TEXT, "Words of the name, user name or id."),
            ("role", TEXT, "Only those who hold this role."),
            ("at", DAY, "A past day, Eastern Time."),
            *pages,
        ),
        f"{here}/roles/changes": _post(
            "change_roles",
            "Grant and revoke access roles, all or none. The gateway tries the changes first. "
            "Needs extra verification in the last 15 minutes.",
            "Changes",
            "Outcome",
        ),
        f"{here}/contact-roles": _get(
            "contact_roles",
            "Contact roles with their limits and holders, now or at the end of a past day.",
            "ContactRoles",
            ("person", TEXT, "Only what this person (Person ID) holds."),
            ("role", TEXT, "Only this role."),
            ("at", DAY, "A past day, Eastern Time."),
        ),
        f"{here}/contact-roles/changes": _post(
            "change_contact_roles",
            "Add and remove contact roles of people, all or none. Needs extra verification in the "
            "last 15 minutes.",
            "ContactChanges",
            "ContactOutcome",
        ),
        f"{here}/persons": _get(
            "persons",
            "Search everybody who is registered, before a grant. One value is needed; names have "
            "two letters at least.",
            "Persons",
            ("person_id", TEXT, "The Person ID."),
            ("last_name", TEXT, "Part of the last name."),
            ("first_name", TEXT, "Part of the first, middle or preferred name."),
        ),
        f"{here}/persons/{{person_id}}/leaver": _post(
            "leaver",
            "End everything that a person has here as one act. The gateway tries it first; with "
            "preview nothing is changed. Needs extra verification in the last 15 minutes.",
            "Leaver",
            "Leaving",
        ),
        f"{here}/persons/{{person_id}}/copy": _get(
            "copied",
            "The access and contact roles of a colleague as changes that can be sent, and what "
            "cannot be given and why.",
            "Copy",
            ("of", TEXT, "The Person ID of the colleague."),
        ),
        f"{here}/history": _get(
            "history",
            "The history, newest first.",
            "History",
            ("action", TEXT, "Such as access.granted."),
            ("person", TEXT, "The Person ID of whom it concerns."),
            *day_list,
            before,
        ),
        f"{here}/requests": _get("requests", "Requests, newest first.", "Requests", before),
        "/requests/{number}": _get("request", "A request by its Request Number.", "Request"),
    }


def _get(name: str, summary: str, schema: str, *query: tuple[str, Schema, str]) -> Schema:
    answers = {"200": _answer("Found.", _ref(schema)), "default": _problem()}
    return _path(name, {"get": _operation(name, summary, "registration.read", answers, query)})


def _post(name: str, summary: str, body: str, schema: str) -> Schema:
    answers = {
        "200": _answer("A preview, or nothing had to be changed.", _ref(schema)),
        "201": _answer("Ordered; the gateway follows within seconds.", _ref(schema)),
        "default": _problem(),
    }
    operation = _operation(name, summary, "registration.write", answers, ())
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _ref(body)}},
    }
    return _path(name, {"post": operation})


def _path(name: str, operations: Schema) -> Schema:
    arguments = ARGUMENTS.get(name, ("organization_id",))
    places = [{"name": one, "in": "path", "required": True, "schema": TEXT} for one in arguments]
    return operations | ({"parameters": places} if places else {})


def _operation(
    name: str,
    summary: str,
    scope: str,
    answers: Schema,
    query: tuple[tuple[str, Schema, str], ...],
) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"gateway": [scope]}],
        "parameters": [
            {"name": one, "in": "query", "schema": schema, "description": meaning}
            for one, schema, meaning in query
        ],
        "responses": answers,
    }


def _schemas() -> Schema:
    following = {"type": ["string", "null"], "description": "The address of the next page."}
    request = _object(
        number=TEXT, kind=TEXT, state={"enum": ["open", "done", "refused"]},
        organization={"type": ["string", "null"]}, opened_by=TEXT, opened_at=MOMENT,
        closed_at={"type": ["string", "null"], "format": "date-time"},
    )  # fmt: skip
    return {
        "Problem": {
            "type": "object",
            "description": "Problem details (RFC 9457).",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {"type": "string", "enum": [PREFIX + code for code in KINDS]},
                "title": TEXT,
                "status": {"type": "integer"},
                "detail": TEXT,
            },
        },
        "Organizations": _object(
            organizations=_list(
                _object(
                    id=TEXT, name=TEXT, may_see=FLAG,
                    offices=_list({"enum": ["ar", "pc", "ra", "apprep"]}),
                )
            ),
            next=following,
        ),
        "NewOrganization": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "maxLength": MAX_NAME},
                "number": {
                    "type": "string", "maxLength": MAX_DIGITS,
                    "description": "The Organization ID; without it, the next free one.",
                },
                "preview": FLAG,
            },
        },
        "RegisteredOrganization": _object(
            organization=_object(id=TEXT, name=TEXT),
            request={"anyOf": [_ref("Request"), {"type": "null"}]},
        ),
        "Grid": _object(
            organization=_object(id=TEXT, name=TEXT),
            kind=KIND,
            roles=_list(_object(code=TEXT, name=TEXT, description=TEXT, market=TEXT)),
            rows=_list(_ref("Row")),
            total=COUNT,
            next=following,
        ),
        "Row": _object(
            id=TEXT,
            name=TEXT,
            username=TEXT,
            holds=_list(
                _object(
                    role=TEXT, since=MOMENT, granted_by=TEXT,
                    until={"type": ["string", "null"], "format": "date-time"},
                )
            ),
            versions={
                "type": "object",
                "description": "How often each role was changed here; 0 if it is not named.",
                "additionalProperties": COUNT,
            },
        ),
        "Changes": {
            "type": "object",
            "required": ["changes"],
            "additionalProperties": False,
            "properties": {
                "changes": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_CHANGES,
                    "items": _ref("Change"),
                },
                "why": {"type": "string", "maxLength": 500},
                "attested": FLAG,
                "preview": FLAG,
            },
        },
        "Change": {
            "type": "object",
            "required": ["action", "id", "role"],
            "additionalProperties": False,
            "properties": {
                "action": ACTION,
                "kind": KIND,
                "id": TEXT,
                "role": TEXT,
                "version": COUNT,
            },
        },
        "Outcome": _object(
            possible=FLAG,
            changes=_list(
                _object(action=ACTION, kind=KIND, id=TEXT, role=TEXT, remarks=_list(TEXT))
            ),
            obstacles=_list(TEXT),
            reminders=_list(TEXT),
            effects=_list(TEXT),
            request={"anyOf": [_ref("Request"), {"type": "null"}]},
        ),
        "ContactRoles": _object(
            organization=_object(id=TEXT, name=TEXT),
            roles=_list(
                _object(
                    code=TEXT, name=TEXT, description=TEXT,
                    held_by={"enum": ["person", "section", "both"]},
                    minimum=COUNT, maximum={"type": ["integer", "null"]}, excludes=_list(TEXT),
                    existing=COUNT, holders=_list(_ref("ContactHolder")),
                )
            ),
        ),
        "ContactHolder": _object(
            kind={"enum": ["person", "section"]},
            id={"type": "string", "description": "The Person ID; empty for a section."},
            name=TEXT, phone=TEXT, email=TEXT, since=MOMENT,
            until={"type": ["string", "null"], "format": "date-time"},
            given_by=TEXT,
        ),
        "ContactChanges": {
            "type": "object",
            "required": ["changes"],
            "additionalProperties": False,
            "properties": {
                "changes": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_CONTACT_CHANGES,
                    "items": _ref("ContactChange"),
                },
                "why": {"type": "string", "maxLength": MAX_WHY},
                "preview": FLAG,
            },
        },
        "ContactChange": _object(
            action={"type": "string", "enum": ["add", "remove"]}, id=TEXT, role=TEXT
        ),
        "ContactOutcome": _object(
            possible=FLAG,
            changes=_list(_ref("ContactChange")),
            obstacles=_list(TEXT),
            effects=_list(TEXT),
            request={"anyOf": [_ref("Request"), {"type": "null"}]},
        ),
        "Leaver": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "reason": {"enum": [str(one) for one in EndReason]},
                "why": {"type": "string", "maxLength": MAX_WHY},
                "successor": {"type": "string", "description": "Who takes over machine accounts."},
                "close_account": FLAG,
                "version": {"type": "string", "description": "That of the preview."},
                "preview": FLAG,
            },
        },
        "Leaving": _object(
            ends=_list(_object(kind=TEXT, id=TEXT, since=MOMENT)),
            version=TEXT,
            may_close_account=FLAG,
            possible=FLAG,
            obstacles=_list(TEXT),
            warnings=_list(TEXT),
            effects=_list(TEXT),
            request={"anyOf": [_ref("Request"), {"type": "null"}]},
        ),
        "Copy": _object(
            changes=_list(_ref("Change")),
            contact_changes=_list(_ref("ContactChange")),
            not_copied=_list(
                _object(
                    kind={"enum": ["access_role", "contact_role", "appointment"]},
                    role=TEXT, reasons=_list(TEXT),
                )
            ),
        ),
        "Persons": _object(
            persons=_list(
                _object(
                    id=TEXT, last_name=TEXT, first_name=TEXT, middle_name=TEXT,
                    preferred_name=TEXT, belongs_here=FLAG,
                )
            ),
            has_more=FLAG,
        ),
        "History": _object(
            entries=_list(
                _object(
                    id=COUNT, at=MOMENT, actor=TEXT, actor_name=TEXT, on_behalf_of=TEXT,
                    action=TEXT, person=TEXT, person_name=TEXT, before={"type": "object"},
                    after={"type": "object"}, reason=TEXT,
                )
            ),
            next=following,
        ),
        "Request": request,
        "Requests": _object(requests=_list(_ref("Request")), next=following),
    }  # fmt: skip


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _problem() -> Schema:
    return {"$ref": "#/components/responses/Problem"}
