"""Telephone numbers as entered, in E.164 (ITU-T E.164; CR-09).

The library is imported by the functions that use it: most commands have no number to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

#: The country of numbers without a calling code.
REGION = "CA"
MAX_TYPED = 60


class Fault(StrEnum):
    """Why a number cannot be used."""

    NOT_A_NUMBER = "not_a_number"
    EXTENSION = "extension"
    NO_TEXTS = "no_texts"
    COUNTRY = "country"


@dataclass(frozen=True)
class Phone:
    """A number in E.164, and the extension, if any."""

    e164: str
    extension: str = ""


def parse(typed: str) -> Phone | None:
    """The number, or None if it is not valid."""
    # A longer text is no number, and would fill the memory of what was parsed.
    return _number_of(typed) if len(typed) <= MAX_TYPED else None


@lru_cache(64)
def _number_of(typed: str) -> Phone | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(typed, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return Phone(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        number.extension or "",
    )


def for_sms(typed: str, countries: Iterable[str]) -> str | Fault:
    """The E.164 number for text messages. Returns a fault for an extension, a fixed line, or a
    country that is not in ``countries`` (ISO 3166)."""
    import phonenumbers

    phone = parse(typed)
    if phone is None:
        return Fault.NOT_A_NUMBER
    if phone.extension:
        return Fault.EXTENSION
    kinds = phonenumbers.PhoneNumberType
    textable = (kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE)
    if phonenumbers.number_type(phonenumbers.parse(phone.e164)) not in textable:
        return Fault.NO_TEXTS
    return phone.e164 if country_of(phone.e164) in countries else Fault.COUNTRY


def country_of(e164: str) -> str:
    """The country of a number (ISO 3166), or empty. Several countries share +1."""
    import phonenumbers

    parsed = _parsed(e164)
    return (phonenumbers.region_code_for_number(parsed) or "") if parsed else ""


def is_country(code: str) -> bool:
    """Whether this is a known country."""
    import phonenumbers

    return code in phonenumbers.SUPPORTED_REGIONS


def calling_code(country: str) -> int:
    """The calling code of the country, such as 1."""
    import phonenumbers

    return int(phonenumbers.country_code_for_region(country))


def in_country(typed: str, country: str) -> str:
    """A number entered with a selected country, as international text; a number with ``+`` stays as
    it is."""
    text = typed.strip()
    if not text or text.startswith(("+", "00")) or not is_country(country):
        return text
    digits = "".join(char for char in text if char.isascii() and char.isdigit())
    code = str(calling_code(country))
    return f"+{digits if code == '1' and digits.startswith('1') else code + digits.lstrip('0')}"


def formatted(e164: str, extension: str = "") -> str:
    """A number in international format, with its extension."""
    import phonenumbers

    parsed = _parsed(e164)
    if parsed is None:
        return e164
    parsed.extension = extension or None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def masked(e164: str) -> str:
    """The last two digits, enough for the holder to recognize the number."""
    return f"••• {e164[-2:]}" if e164 else ""


def national(e164: str) -> str:
    """The national digits, as entered in a search."""
    import phonenumbers

    parsed = _parsed(e164)
    return str(phonenumbers.national_significant_number(parsed)) if parsed else e164.lstrip("+")


def _parsed(e164: str) -> PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(e164, REGION)
    except phonenumbers.NumberParseException:
        return None
