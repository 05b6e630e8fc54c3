"""Request access: a person asks for a role; somebody who grants roles decides with one press
(RG-11)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import is_french
from registration import access_requests, current, grid_query
from registration.access_batches import BatchNotPossible
from registration.access_request_refusals import (
    AccessRequestNotFound,
    AlreadyAsked,
    AlreadyDecided,
    RefusalNeedsReason,
    RoleHeld,
    RoleNotOffered,
)
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.pages import change_lines, standing
from registration.pages.appointment_answers import MAX_WHY, answers, prove_first, sentence_of, words
from registration.pages.role_grid_pages import changer
from registration.pages.role_names import under_heading
from registration.pages.standing import NotHere, Standing


def form(organization_id: str) -> BaseResponse:
    """The access roles that the person does not have, and why he needs one."""
    return _form(_asker(organization_id), "")


def ask(organization_id: str) -> BaseResponse:
    """Ask; the answer is on the page of the request."""
    here = _asker(organization_id)
    role = request.form.get("role", "")[:60]
    if not role:
        return _form(here, gettext("Choose a role."))
    try:
        with answers(here):
            asked = access_requests.ask(
                current.work(), here.actor, here.here, role, words("why", MAX_WHY)
            )
    except (AlreadyAsked, RoleHeld, RoleNotOffered) as refused:
        current.work().db.rollback()
        return _form(_asker(organization_id), sentence_of(refused))
    flash(gettext("Your request %(number)s was sent to those who grant roles.",
                  number=asked.number))  # fmt: skip
    return redirect(url_for("pages.request", number=asked.number), code=303)


def approve(organization_id: str, number: str) -> BaseResponse:
    """Grant what was asked for."""
    here = _decider(organization_id, number)
    if not current.has_fresh_factor():
        return prove_first(here, url_for("pages.request", number=number))
    try:
        with answers(here):
            order = access_requests.approve(current.work(), here.actor, here.here, number)
    except AlreadyDecided as refused:
        return _back(number, sentence_of(refused))
    except BatchNotPossible as refused:
        reasons = change_lines.reasons(refused.plan, here.here)
        return _back(number, " ".join([gettext("The role cannot be granted now."), *reasons]))
    flash(gettext("The request %(number)s was sent to the gateway.", number=order.number))
    return redirect(url_for("pages.request", number=number), code=303)


def refuse(organization_id: str, number: str) -> BaseResponse:
    """Refuse it, with a reason."""
    here = _decider(organization_id, number)
    if not current.has_fresh_factor():
        return prove_first(here, url_for("pages.request", number=number))
    try:
        with answers(here):
            access_requests.refuse(
                current.work(), here.actor, here.here, number, words("why", MAX_WHY)
            )
    except (AlreadyDecided, RefusalNeedsReason) as refused:
        return _back(number, sentence_of(refused))
    flash(gettext("The request was refused."))
    return redirect(url_for("pages.request", number=number), code=303)


def _asker(organization_id: str) -> Standing:
    person = standing.actor().person
    return standing.at(organization_id, Action.REQUEST_ACCESS, person_id=person)


def _decider(organization_id: str, number: str) -> Standing:
    """The standing of somebody who grants roles here. Raises NotHere without such a request."""
    here = changer(organization_id)
    try:
        access_requests.waiting(current.work(), here.here, number)
    except AccessRequestNotFound as missing:
        raise NotHere from missing
    return here


def _back(number: str, text: str) -> BaseResponse:
    current.work().db.rollback()
    flash(text, "warning")
    return redirect(url_for("pages.request", number=number), code=303)


def _form(here: Standing, error: str) -> BaseResponse:
    body = render_template(
        "request_access.html",
        organization=here.here,
        roles=[("", gettext("Choose")), *_offered(here)],
        error=error,
        chosen=request.form.get("role", ""),
        why=words("why", MAX_WHY),
        confirm_url=url_for("pages.ask_access", organization_id=here.here.organization_id),
    )
    return Response(body, status=400 if error else 200)


def _offered(here: Standing) -> list[tuple[str, str]]:
    """The roles that the person does not have, under their markets."""
    work, own = current.work(), here.actor.person
    mine = grid_query.grid(
        work, here.here, AccountKind.PERSON, work.now, is_french=is_french(), account=own
    )
    held = mine.rows[0].holdings if mine.rows else {}
    return [(one.code, under_heading(one)) for one in mine.columns
            if one.code not in held]  # fmt: skip
