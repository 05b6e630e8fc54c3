"""Manage My Information: enter, confirm, done (RG-07, C.01)."""

from __future__ import annotations

from dataclasses import asdict, fields

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from hosted_pages.texts import complete
from registration import current, persons
from registration.pages import standing
from registration.person_fields import REQUIRED, FieldFault, PersonFields, PersonFieldsInvalid
from registration.work_refusals import ChangedMeanwhile

NAMES = tuple(one.name for one in fields(PersonFields))
LABELS = complete(
    NAMES,
    {
        "first_name": _("First name"),
        "last_name": _("Last name"),
        "middle_name": _("Middle name"),
        "preferred_name": _("Preferred name"),
        "position": _("Position"),
        "main_phone": _("Main phone"),
        "main_phone_extension": _("Extension"),
        "alternate_phone_1": _("Alternate phone 1"),
        "alternate_phone_2": _("Alternate phone 2"),
        "fax": _("Fax"),
        "main_email": _("Main e-mail"),
        "alternate_email_1": _("Alternate e-mail 1"),
        "alternate_email_2": _("Alternate e-mail 2"),
        "address_1": _("Address, line 1"),
        "address_2": _("Address, line 2"),
        "address_3": _("Address, line 3"),
        "address_4": _("Address, line 4"),
        "city": _("City"),
        "province": _("Province or state"),
        "postal_code": _("Postal or ZIP code"),
        "country": _("Country"),
        "contact_notes": _("Contact notes"),
        "language": _("Language of e-mails"),
    },
)
FAULTS = complete(
    FieldFault,
    {
        FieldFault.REQUIRED: _("Fill in this field."),
        FieldFault.TOO_LONG: _("Enter fewer characters."),
        FieldFault.NOT_TEXT: _("Enter letters and digits only."),
        FieldFault.NOT_A_PHONE: _("Enter a telephone number with its area code."),
        FieldFault.NOT_AN_EXTENSION: _("Enter digits only."),
        FieldFault.NOT_AN_ADDRESS: _("Enter an e-mail address, such as name@company.ca."),
        FieldFault.NOT_A_POSTAL_CODE: _("Enter a postal or ZIP code of this country."),
        FieldFault.NOT_A_LANGUAGE: _("Choose a language."),
    },
)


def show() -> str:
    """The form, with what is registered."""
    return _form(asdict(persons.fields_of(current.person())), {}, current.person().version)


def review() -> str:
    """What would change. Nothing is stored."""
    entered, version = _entered(), _version()
    try:
        cleaned = asdict(PersonFields(**entered).cleaned())
    except PersonFieldsInvalid as error:
        return _form(entered, error.faults, version)
    known = asdict(persons.fields_of(current.person()))
    changed = [
        (LABELS.of(name), known[name], cleaned[name])
        for name in NAMES
        if known[name] != cleaned[name]
    ]
    return render_template(
        "my_information_review.html", changed=changed, values=cleaned, version=version
    )


def store() -> str | Response:
    """Store what was confirmed; if the record changed meanwhile, show it again."""
    entered = _entered()
    work, person = current.work(), current.person()
    try:
        done = persons.update(work, standing.actor(), person, PersonFields(**entered), _version())
    except PersonFieldsInvalid as error:
        return _form(entered, error.faults, _version())
    except ChangedMeanwhile:
        flash(gettext("Your information was changed elsewhere. Check it, then try again."))
        return redirect(url_for("pages.my_information"), code=303)
    if done is not None:
        flash(gettext("Your information was changed. All your accounts get the change."))
    return redirect(url_for("pages.home"), code=303)


def _form(values: dict[str, str], faults: dict[str, FieldFault], version: int) -> str:
    return render_template(
        "my_information.html",
        names=NAMES,
        labels={name: LABELS.of(name) for name in NAMES},
        required=REQUIRED,
        values=values,
        errors={name: FAULTS.of(fault) for name, fault in faults.items()},
        version=version,
    )


def _entered() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in NAMES}


def _version() -> int:
    typed = request.form.get("version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
