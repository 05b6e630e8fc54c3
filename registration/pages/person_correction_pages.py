"""The IESO corrects what is registered of a person: enter, confirm, done (RG-07 to RG-09)."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, persons
from registration.delegation_rules import Action
from registration.models import Person
from registration.pages import person_forms, standing
from registration.pages.appointment_answers import prove_first
from registration.pages.standing import Standing
from registration.person_fields import FieldFault, PersonFields, PersonFieldsInvalid
from registration.work_refusals import ChangedMeanwhile


def form(organization_id: str, person_id: str) -> BaseResponse:
    """The form, with what is registered."""
    here, person = standing.at_person(organization_id, person_id, Action.UPDATE_PERSON)
    if not current.has_fresh_factor():
        return _prove_first(here, person)
    return _form(here, person, persons.fields_of(person), {}, person.version)


def review(organization_id: str, person_id: str) -> BaseResponse:
    """What would change. Nothing is stored."""
    here, person = standing.at_person(organization_id, person_id, Action.UPDATE_PERSON)
    entered, version = person_forms.entered(), person_forms.version()
    try:
        cleaned = entered.cleaned()
    except PersonFieldsInvalid as error:
        return _form(here, person, entered, error.faults, version)
    body = render_template(
        "correct_person_review.html",
        organization=here.here,
        person=person,
        changed=person_forms.changed(person, cleaned),
        values=asdict(cleaned),
        version=version,
        confirm_url=_url("pages.confirm_correction", here, person),
        back_url=_url("pages.correct_person", here, person),
    )
    return Response(body)


def confirm(organization_id: str, person_id: str) -> BaseResponse:
    """Store what was confirmed; if the record changed meanwhile, show it again."""
    here, person = standing.at_person(organization_id, person_id, Action.UPDATE_PERSON)
    if not current.has_fresh_factor():
        return _prove_first(here, person)
    entered, version = person_forms.entered(), person_forms.version()
    try:
        done = persons.update(current.work(), here.actor, person, entered, version)
    except PersonFieldsInvalid as error:
        return _form(here, person, entered, error.faults, version)
    except ChangedMeanwhile as changed:
        flash(changed.sentence(gettext), "warning")
        return redirect(_url("pages.correct_person", here, person), code=303)
    if done is not None:
        flash(gettext("The information was changed. All accounts of the person get the change."))
    return redirect(_url("pages.person", here, person), code=303)


def _prove_first(here: Standing, person: Person) -> BaseResponse:
    return prove_first(here, _url("pages.correct_person", here, person))


def _form(
    here: Standing,
    person: Person,
    values: PersonFields,
    faults: dict[str, FieldFault],
    version: int,
) -> BaseResponse:
    body = render_template(
        "correct_person.html",
        organization=here.here,
        person=person,
        form=person_forms.shown(values, faults),
        version=version,
        review_url=_url("pages.review_correction", here, person),
        back_url=_url("pages.person", here, person),
    )
    return Response(body, status=400 if faults else 200)


def _url(endpoint: str, here: Standing, person: Person) -> str:
    number = here.here.organization_id
    return url_for(endpoint, organization_id=number, person_id=person.person_id)
