"""Contact roles for programs: who holds them, and a batch that is checked and done as a whole
(CO-01, CO-04, CO-05)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, url_for

from registration import contact_assignments, contact_directory, current, organization_lists
from registration.api import parameters
from registration.api.list_views import shown
from registration.api.token_gate import require_fresh_factor
from registration.contact_refusals import ContactRulesBroken
from registration.contact_rules import Batch, Breach, Contact, ContactKind, Holding
from registration.models import Request
from registration.organization_lists import HeldContactRole, Holder
from registration.pages import contact_review_pages, standing
from registration.pages.appointment_answers import MAX_WHY, answers
from registration.pages.contact_form import MAX_PART
from registration.pages.contact_review_pages import MAX_CHANGES
from registration.pages.contact_role_pages import keeper
from registration.pages.organization_pages import reachable
from registration.pages.standing import Standing
from registration.problems import Problem

MEMBERS = {"changes": list, "why": str, "preview": bool}
CHANGE = {"action": str, "id": str, "role": str}
ACTIONS = ("add", "remove")


def held(organization_id: str) -> dict[str, Any]:
    """The contact roles and who holds them, as of now or of a past day; with ``person`` or ``role``
    those of one person (CO-01) or one role (CO-02)."""
    here = standing.at(organization_id)
    query = parameters.known("person", "role", "at")
    at, person, role = parameters.as_of(query), query.get("person", ""), query.get("role", "")
    rows = organization_lists.contact_roles(current.work(), here.here, at)
    pairs = {(one.role.code, other) for one in rows for other in one.role.exclusive_with}
    found = [
        _role(here, one, person)
        | {"excludes": [two.role.code for two in rows if _are_in(pairs, one, two)]}
        for one in rows
        if role in ("", one.role.code)
    ]
    return {
        "organization": {"id": here.here.organization_id, "name": here.here.name},
        "roles": [one for one in found if one["holders"] or not person],
    }


def _role(here: Standing, one: HeldContactRole, person: str) -> dict[str, Any]:
    """The role with its limits (CO-04); with ``person`` only this holder."""
    role = one.role
    return {
        "code": role.code,
        "name": role.name,
        "description": role.description,
        "held_by": role.held_by,
        "minimum": role.minimum,
        "maximum": role.maximum,
        "existing": len(one.holders),
        "holders": [_holder(reachable(here, who)) for who in one.holders if person in ("", who.id)],
    }


def _are_in(pairs: set[tuple[str, str]], one: HeldContactRole, two: HeldContactRole) -> bool:
    """Whether the two exclude each other, whichever of them names the pair (CO-05)."""
    return bool({(one.role.code, two.role.code), (two.role.code, one.role.code)} & pairs)


def _holder(one: Holder) -> dict[str, Any]:
    """A person, or a section, which has no id."""
    return {
        "kind": ContactKind.PERSON if one.id else ContactKind.SECTION,
        "id": one.id,
        "name": one.name,
        "phone": one.phone,
        "email": one.email,
        "since": one.since.isoformat(),
        "until": one.until.isoformat() if one.until else None,
        "given_by": one.given_by,
    }


def change(organization_id: str) -> Response:
    """Add and remove contact roles of people, all or none. With ``preview`` nothing is changed."""
    here = keeper(organization_id)
    parameters.known()
    sent = parameters.body()
    parameters.check(sent, MEMBERS)
    asked = _batch(sent.get("changes", []))
    why = " ".join(sent.get("why", "").split())
    if len(why) > MAX_WHY or not why.isprintable():
        raise parameters.bad("why")
    require_fresh_factor()
    work = current.work()
    # Somebody who does not exist is not there for the preview either.
    contact_review_pages.names_of(here, asked)
    with answers(here):
        if sent.get("preview", False):
            broken = contact_assignments.preview(work, here.actor, here.here, asked)
            return jsonify(_outcome(here, asked, broken))
        try:
            order = contact_assignments.change(work, here.actor, here.here, asked, why)
        except ContactRulesBroken as error:
            found = _outcome(here, asked, error.breaches)
            raise Problem("contact_roles_not_possible", **found) from error
    response = jsonify(_outcome(here, asked, (), order))
    response.status_code = 201
    response.headers["Location"] = url_for("api.request", number=order.number)
    return response


def _outcome(
    here: Standing, asked: Batch, broken: tuple[Breach, ...], order: Request | None = None
) -> dict[str, Any]:
    """What comes of the changes, and what stands against them."""
    known = contact_directory.directory(current.work(), here.here)
    return {
        "possible": not broken,
        "changes": [
            {"action": action, "id": one.contact.id, "role": one.role}
            for action, holdings in (("remove", asked.removed), ("add", asked.added))
            for one in sorted(holdings)
        ],
        "obstacles": contact_review_pages.obstacles(here, known, asked, broken),
        "effects": [] if broken else contact_review_pages.effects(known, asked),
        "request": shown(order) if order else None,
    }


def _batch(changes: list[Any]) -> Batch:
    if not 1 <= len(changes) <= MAX_CHANGES:
        raise parameters.bad("changes")
    found: dict[str, set[Holding]] = {one: set() for one in ACTIONS}
    for place, one in enumerate(changes):
        name = f"changes[{place}]"
        if not isinstance(one, dict):
            raise parameters.bad(name)
        parameters.check(one, CHANGE, f"{name}.")
        for key in CHANGE:
            if not 0 < len(one.get(key, "")) <= MAX_PART:
                raise parameters.bad(f"{name}.{key}")
        if one["action"] not in found:
            raise parameters.bad(f"{name}.action")
        contact = Contact(ContactKind.PERSON, one["id"])
        found[one["action"]].add(Holding(one["role"], contact))
    return Batch(frozenset(found["add"]), frozenset(found["remove"]))
