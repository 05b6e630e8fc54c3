"""Manage My Information: enter, confirm, done (RG-07, C.01)."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, persons
from registration.pages import person_forms, standing
from registration.person_fields import FieldFault, PersonFields, PersonFieldsInvalid
from registration.work_refusals import ChangedMeanwhile


def show() -> Response:
    """The form, with what is registered."""
    return _form(persons.fields_of(current.person()), {}, current.person().version)


def review() -> Response:
    """What would change. Nothing is stored."""
    entered, version = person_forms.entered(), person_forms.version()
    try:
        cleaned = entered.cleaned()
    except PersonFieldsInvalid as error:
        return _form(entered, error.faults, version)
    body = render_template(
        "my_information_review.html",
        changed=person_forms.changed(current.person(), cleaned),
        values=asdict(cleaned),
        version=version,
    )
    return Response(body)


def store() -> BaseResponse:
    """Store what was confirmed; if the record changed meanwhile, show it again."""
    entered, version = person_forms.entered(), person_forms.version()
    work, person = current.work(), current.person()
    try:
        done = persons.update(work, standing.actor(), person, entered, version)
    except PersonFieldsInvalid as error:
        return _form(entered, error.faults, version)
    except ChangedMeanwhile:
        flash(
            gettext("Your information was changed elsewhere. Check it, then try again."), "warning"
        )
        return redirect(url_for("pages.my_information"), code=303)
    if done is not None:
        flash(gettext("Your information was changed. All your accounts get the change."))
    return redirect(url_for("pages.home"), code=303)


def _form(values: PersonFields, faults: dict[str, FieldFault], version: int) -> Response:
    body = render_template(
        "my_information.html", form=person_forms.shown(values, faults), version=version
    )
    return Response(body, status=400 if faults else 200)
