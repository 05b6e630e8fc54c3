"""One person for programs: everything ends as one act, and the roles of a colleague as changes that
can be sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, jsonify, url_for

from registration import current, leaver_holdings, leavers, own_lists, role_copies
from registration.api import parameters
from registration.api.list_views import shown
from registration.api.token_gate import require_fresh_factor
from registration.appointment_refusals import ReasonNeedsText
from registration.appointments import EndReason
from registration.delegation_rules import Action
from registration.leaver_holdings import Holdings
from registration.leavers import Terms
from registration.models import Person
from registration.pages import copy_pages, leaver_pages, leaver_texts, standing
from registration.pages.appointment_answers import MAX_WHY, answers
from registration.pages.role_grid_pages import changer
from registration.pages.standing import NotHere, Standing
from registration.problems import Problem
from registration.role_copies import Draft

MEMBERS = {
    "reason": str, "why": str, "successor": str, "close_account": bool, "version": str,
    "preview": bool,
}  # fmt: skip
MAX_VERSION = 20_000


def leaver(organization_id: str, person_id: str) -> Response:
    """Everything that the person has here ends: the gateway tries it, then it is ordered as a
    whole. With ``preview`` nothing is ordered."""
    here, person = standing.at_person(organization_id, person_id, Action.RECORD_LEAVER)
    parameters.known()
    sent = _body()
    terms = _terms(sent)
    require_fresh_factor()
    work = current.work()
    gone = leaver_holdings.of_person(work, here.here, person)
    found = _ends(here, person, gone)
    obstacles, effects = leaver_pages.tried(here, gone, terms.successor,
                                            closes_account=terms.closes_account)  # fmt: skip
    found |= {"possible": not obstacles, "obstacles": obstacles,
              "effects": [] if obstacles else effects, "request": None}  # fmt: skip
    if sent.get("preview", False):
        return jsonify(found)
    if obstacles:
        raise Problem("leaver_not_possible", **found)
    # The trial has rolled back what was read.
    here, person = standing.at_person(organization_id, person_id, Action.RECORD_LEAVER)
    try:
        with answers(here):
            order = leavers.leave(
                work, here.actor, here.here, person, sent.get("version", ""), terms
            )
    except ReasonNeedsText as refused:
        raise parameters.bad("why") from refused
    response = jsonify(found | {"request": shown(order)})
    response.status_code = 201
    response.headers["Location"] = url_for("api.request", number=order.number)
    return response


def copied(organization_id: str, person_id: str) -> dict[str, Any]:
    """The access and contact roles of a colleague: what can be given, as changes, and what not and
    why. Offices are never copied."""
    here = changer(organization_id)
    here.require(Action.SEARCH_PERSONS)
    query = parameters.known("of")
    colleague = query.get("of", "")
    if not colleague or colleague == person_id:
        raise parameters.bad("of")
    here.require(Action.SEE_PERSON, colleague)
    if len(own_lists.persons(current.work(), [person_id, colleague])) != 2:
        raise NotHere
    draft = role_copies.draft(current.work(), here.actor, here.here, person_id, colleague)
    return {
        "changes": [
            {"action": "grant", "kind": "person", "id": person_id,
             "role": one.change.cell.role, "version": one.change.saw}
            for one in draft.access
            if one.is_possible
        ],
        "contact_changes": [
            {"action": "add", "id": person_id, "role": one.holding.role}
            for one in draft.contacts
            if one.is_possible
        ],
        "not_copied": [
            {"kind": kind, "role": role, "reasons": reasons}
            for kind, role, reasons in _not_copied(here, draft)
        ],
    }  # fmt: skip


def _not_copied(here: Standing, draft: Draft) -> Iterator[tuple[str, str, list[str]]]:
    for one in draft.access:
        if not one.is_possible:
            yield "access_role", one.change.cell.role, copy_pages.access_remarks(here, one)
    names = copy_pages.contact_names(here)
    for contact in draft.contacts:
        if not contact.is_possible:
            reasons = copy_pages.contact_remarks(here, contact, names)
            yield "contact_role", contact.holding.role, reasons
    for office in draft.offices:
        yield "appointment", office, copy_pages.office_remarks(here, office)


def _ends(here: Standing, person: Person, gone: Holdings) -> dict[str, Any]:
    """What ends, and the version of it."""
    rows = [("appointment", one.office, one.valid_from) for one in gone.appointments]
    rows += [("access_role", one.access_role.code, one.valid_from) for one in gone.access]
    rows += [("contact_role", one.contact_role.code, one.valid_from) for one in gone.contacts]
    rows += [("machine", one.name, one.custody.valid_from) for one in gone.machines]
    rows += [("request", one.number, one.opened_at) for one in gone.requests]
    rows += [("account", one.username or "", one.created_at) for one in gone.accounts]
    return {
        "ends": [{"kind": kind, "id": name, "since": since.isoformat()}
                 for kind, name, since in rows],
        "warnings": leaver_texts.warnings(here, gone),
        "may_close_account": leaver_holdings.may_close_account(
            current.work(), here.actor, here.here, person, here.facts
        ),
        "version": gone.seen,
    }  # fmt: skip


def _body() -> dict[str, Any]:
    """The body. A member of another name is refused."""
    sent = parameters.body()
    for name, value in sent.items():
        # type(), because True is an int.
        is_known = name in MEMBERS and type(value) is MEMBERS[name]
        most = MAX_VERSION if name == "version" else MAX_WHY
        is_text = not isinstance(value, str) or (value.isprintable() and len(value) <= most)
        if not (is_known and is_text):
            raise parameters.bad(name)
    if not sent.get("preview", False) and not sent.get("version"):
        raise parameters.bad("version")
    return sent


def _terms(sent: dict[str, Any]) -> Terms:
    reason, number = sent.get("reason", EndReason.LEFT.value), sent.get("successor", "")
    if reason not in list(EndReason):
        raise parameters.bad("reason")
    people = own_lists.persons(current.work(), [number]) if number else []
    if number and not people:
        raise parameters.bad("successor")
    return Terms(
        EndReason(reason), sent.get("why", ""), people[0] if people else None,
        sent.get("close_account", False),
    )  # fmt: skip
