"""The form of what is registered of a person (RG-03), for all pages that have it."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from registration import persons
from registration.models import Person
from registration.pages import query_days
from registration.person_fields import REQUIRED, FieldFault, PersonFields

NAMES = tuple(one.name for one in fields(PersonFields))
LABEL_TEXTS = {
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
}
LABELS = complete(NAMES, LABEL_TEXTS)
FAULTS = complete(
    FieldFault,
    {
        FieldFault.REQUIRED: _("Fill in this field."),
        FieldFault.TOO_LONG: _("Enter fewer characters."),
        FieldFault.NOT_TEXT: _("Enter letters and digits only."),
        FieldFault.NOT_A_PHONE: _("Enter a phone number with its area code."),
        FieldFault.NOT_AN_EXTENSION: _("Enter digits only."),
        FieldFault.NOT_AN_ADDRESS: _("Enter an e-mail address, such as name@company.ca."),
        FieldFault.NOT_A_POSTAL_CODE: _("Enter a postal or ZIP code of this country."),
        FieldFault.NOT_A_LANGUAGE: _("Choose a language."),
    },
)


def entered() -> PersonFields:
    """What was sent. Other fields of the request are not read."""
    return PersonFields(**{name: request.form.get(name, "") for name in NAMES})


def version() -> int:
    """The version of the row that the form showed; 0, which no row has, if it cannot be read."""
    return query_days.number(request.form.get("version", ""))


def shown(values: PersonFields, faults: dict[str, FieldFault] | None = None) -> dict[str, Any]:
    """What the macro ``person_fields`` reads."""
    return {
        "names": NAMES,
        "labels": {name: LABELS.of(name) for name in NAMES},
        "required": REQUIRED,
        "values": asdict(values),
        "errors": {name: FAULTS.of(fault) for name, fault in (faults or {}).items()},
    }


def filled(values: PersonFields) -> list[tuple[str, str]]:
    """Label and value of each field that is filled in."""
    return [
        (LABELS.of(name), _text(name, value)) for name, value in asdict(values).items() if value
    ]


def changed(person: Person, values: PersonFields) -> list[tuple[str, str, str]]:
    """Label, former and new value of each field that is different."""
    known, wanted = asdict(persons.fields_of(person)), asdict(values)
    return [
        (LABELS.of(name), _text(name, known[name]), _text(name, wanted[name]))
        for name in NAMES
        if known[name] != wanted[name]
    ]


def _text(name: str, value: str) -> str:
    return {"en": "English", "fr": "Français"}[value] if name == "language" else value
