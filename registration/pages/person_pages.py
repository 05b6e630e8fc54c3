"""Persons of an organization: search, register a new one, show (RG-02 to RG-06, procedure A)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, persons
from registration.delegation import Allowed, may
from registration.delegation_facts import Target
from registration.delegation_rules import Action
from registration.models import Person
from registration.pages import person_forms, standing
from registration.pages.account_roles_pages import found_page
from registration.pages.standing import Standing
from registration.person_fields import FieldFault, PersonFields, PersonFieldsInvalid
from registration.person_refusals import SameNameRegistered

#: The searches in which a person was missed, and to which registering leads back.
SEARCHES = ("find_person", "find", "find_representative", "find_contact", "find_custodian")


def find(organization_id: str) -> str:
    """The search."""
    here = standing.at(organization_id, Action.SEARCH_PERSONS)
    return found_page(here, gettext("Persons"), "pages.find_person", "pages.person")


def show(organization_id: str, person_id: str) -> str:
    """What is registered of a person who belongs to the organization."""
    here, person = standing.at_person(organization_id, person_id, Action.SEE_PERSON)
    target = Target("", person_id)
    may_correct = isinstance(may(here.actor, Action.UPDATE_PERSON, target, here.facts), Allowed)
    number: dict[str, Any] = {"organization_id": organization_id, "person_id": person_id}
    return render_template(
        "person.html",
        organization=here.here,
        person=person,
        rows=person_forms.filled(persons.fields_of(person)),
        find_url=url_for("pages.find_person", organization_id=organization_id),
        correct_url=url_for("pages.correct_person", **number) if may_correct else "",
        leaver_url=url_for("pages.leaver", **number)
        if here.may_to(Action.RECORD_LEAVER, person_id)
        else "",
    )


def form(organization_id: str) -> str:
    """The form of a new person; a search has filled in the name, or Go Back all fields."""
    here = _registrar(organization_id)
    if request.method == "POST":
        return _form(here, person_forms.entered(), {})
    names = {name: request.args.get(name, "")[:100] for name in ("first_name", "last_name")}
    return _form(here, PersonFields(**names), {})


def review(organization_id: str) -> BaseResponse:
    """Confirm New Person: nothing is stored yet, and there is no Person ID (RG-06)."""
    return _review(_registrar(organization_id), 200)


def register(organization_id: str) -> BaseResponse:
    """Register. If a person of this name was registered meanwhile, the review shows that one."""
    here = _registrar(organization_id)
    try:
        done = persons.register(
            current.work(),
            here.actor,
            here.here,
            person_forms.entered(),
            seen=request.form.getlist("seen"),
        )
    except PersonFieldsInvalid as error:
        return _wrong(here, error)
    except SameNameRegistered:
        current.work().db.rollback()
        return _review(_registrar(organization_id), 409)
    flash(
        gettext(
            "%(name)s was registered. The Person ID is %(id)s.",
            name=done.full_name,
            id=done.person_id,
        )
    )
    target = url_for(
        f"pages.{_search()}", organization_id=organization_id, person_id=done.person_id
    )
    return redirect(target, code=303)


def _registrar(organization_id: str) -> Standing:
    return standing.at(organization_id, Action.REGISTER_PERSON)


def _review(here: Standing, status: int) -> BaseResponse:
    try:
        cleaned = person_forms.entered().cleaned()
    except PersonFieldsInvalid as error:
        return _wrong(here, error)
    number = here.here.organization_id
    alike: list[Person] = persons.same_name(current.work(), cleaned)
    body = render_template(
        "new_person_review.html",
        organization=here.here,
        rows=person_forms.filled(cleaned),
        values=asdict(cleaned) | {"then": _search()},
        alike=alike,
        members=here.members,
        is_late=status == 409,
        confirm_url=url_for("pages.register_person", organization_id=number),
        back_url=url_for("pages.new_person", organization_id=number),
        find_url=url_for(f"pages.{_search()}", organization_id=number,
                         first_name=cleaned.first_name, last_name=cleaned.last_name),
    )  # fmt: skip
    return Response(body, status=status)


def _wrong(here: Standing, error: PersonFieldsInvalid) -> BaseResponse:
    return Response(_form(here, person_forms.entered(), error.faults), status=400)


def _form(here: Standing, values: PersonFields, faults: dict[str, FieldFault]) -> str:
    number = here.here.organization_id
    return render_template(
        "new_person.html",
        organization=here.here,
        form=person_forms.shown(values, faults),
        then=_search(),
        review_url=url_for("pages.review_person", organization_id=number),
        find_url=url_for(f"pages.{_search()}", organization_id=number),
    )


def _search() -> str:
    asked = request.values.get("then", "")
    return asked if asked in SEARCHES else SEARCHES[0]
