"""What is registered of a person, cleaned and checked (RG-03)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from service_base.refusals import ServiceError

#: The country of telephone numbers without a calling code.
REGION = "CA"
_CANADA = re.compile(r"[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] ?\d[ABCEGHJ-NPRSTV-Z]\d")
_USA = re.compile(r"\d{5}(-\d{4})?")
POSTAL_CODES = {"Canada": _CANADA, "USA": _USA}
LANGUAGES = ("en", "fr")


class FieldFault(StrEnum):
    """Why a field is refused."""

    REQUIRED = "required"
    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    NOT_A_PHONE = "not_a_phone"
    NOT_AN_EXTENSION = "not_an_extension"
    NOT_AN_ADDRESS = "not_an_address"
    NOT_A_POSTAL_CODE = "not_a_postal_code"
    NOT_A_LANGUAGE = "not_a_language"


class PersonFieldsInvalid(ServiceError):
    """These fields are refused, each with its fault. Nothing was stored."""

    code: ClassVar[str] = "person_fields_invalid"

    def __init__(self, faults: dict[str, FieldFault]) -> None:
        super().__init__(", ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


@dataclass(frozen=True)
class PersonFields:
    """All fields that people enter. ``cleaned`` gives what is stored."""

    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    preferred_name: str = ""
    position: str = ""
    main_phone: str = ""
    main_phone_extension: str = ""
    alternate_phone_1: str = ""
    alternate_phone_2: str = ""
    fax: str = ""
    main_email: str = ""
    alternate_email_1: str = ""
    alternate_email_2: str = ""
    address_1: str = ""
    address_2: str = ""
    address_3: str = ""
    address_4: str = ""
    city: str = ""
    province: str = ""
    postal_code: str = ""
    country: str = ""
    contact_notes: str = ""
    language: str = "en"

    def cleaned(self) -> PersonFields:
        """The fields as they are stored: numbers in E.164, one space between words. Raises
        PersonFieldsInvalid with the fault of every field."""
        values = {one.name: _trimmed(getattr(self, one.name)) for one in fields(self)}
        values["country"] = "USA" if values["country"].upper() in _AMERICAN else values["country"]
        if values["country"] in POSTAL_CODES:
            values["postal_code"] = values["postal_code"].upper()
        faults = dict(_faults(values))
        if faults:
            raise PersonFieldsInvalid({one.name: faults[one.name] for one in fields(self)
                                       if one.name in faults})  # fmt: skip
        for name in _PHONES:
            values[name] = phone_number(values[name]) or ""
        for name in _EMAILS:
            values[name] = email_address(values[name]) or ""
        return PersonFields(**values)


REQUIRED = (
    "first_name", "last_name", "main_phone", "main_email", "address_1", "city", "province",
    "postal_code", "country",
)  # fmt: skip
#: The gateway keeps these too: a change goes to all accounts of the person (RG-09).
AT_GATEWAY = (
    "first_name", "last_name", "middle_name", "preferred_name", "main_phone",
    "main_phone_extension", "main_email", "language",
)  # fmt: skip
_AMERICAN = ("USA", "US", "UNITED STATES", "UNITED STATES OF AMERICA")
_PHONES = ("main_phone", "alternate_phone_1", "alternate_phone_2", "fax")
_EMAILS = ("main_email", "alternate_email_1", "alternate_email_2")
_LENGTHS = {
    "main_phone_extension": 10, "city": 80, "province": 80, "postal_code": 20, "country": 80,
    "address_1": 120, "address_2": 120, "address_3": 120, "address_4": 120,
    "contact_notes": 1000, "main_email": 254, "alternate_email_1": 254, "alternate_email_2": 254,
}  # fmt: skip
_LENGTH = 100


def _trimmed(text: str) -> str:
    return " ".join(text.split())


def _faults(values: dict[str, str]) -> Iterator[tuple[str, FieldFault]]:
    for name, value in values.items():
        if not value:
            if name in REQUIRED:
                yield name, FieldFault.REQUIRED
        elif not value.isprintable():
            yield name, FieldFault.NOT_TEXT
        elif len(value) > _LENGTHS.get(name, _LENGTH):
            yield name, FieldFault.TOO_LONG
        elif name in _PHONES and phone_number(value) is None:
            yield name, FieldFault.NOT_A_PHONE
        elif name in _EMAILS and email_address(value) is None:
            yield name, FieldFault.NOT_AN_ADDRESS
        elif name == "main_phone_extension" and not re.fullmatch("[0-9]+", value):
            yield name, FieldFault.NOT_AN_EXTENSION
    pattern = POSTAL_CODES.get(values["country"])
    if pattern and values["postal_code"] and not pattern.fullmatch(values["postal_code"]):
        yield "postal_code", FieldFault.NOT_A_POSTAL_CODE
    if values["language"] not in LANGUAGES:
        yield "language", FieldFault.NOT_A_LANGUAGE


def phone_number(typed: str) -> str | None:
    """The number in E.164, or None; an extension has a field of its own."""
    try:
        number = phonenumbers.parse(typed, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def email_address(typed: str) -> str | None:
    """One plain address, or None (RFC 5322, section 3.4.1) with ASCII letters before the @."""
    if not typed.rpartition("@")[0].isascii():
        return None
    try:
        found = validate_email(typed, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"
