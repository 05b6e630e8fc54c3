"""Validation of one plain e-mail address, without further recipients or header injection (N85)."""

from __future__ import annotations

from functools import lru_cache

from idp.policy.names import name_key
from service_base.phrases import N_, Phrase

#: RFC 3696, erratum 1690: the maximum length of an SMTP path.
MAX_LENGTH = 254


class AddressFault(Phrase):
    """Why a text is not one plain e-mail address."""

    LENGTH = N_("it is empty or too long")
    CHARACTERS = N_("it contains characters that are not allowed in an e-mail address")
    LOCAL_PART = N_("only ASCII names before the @ can be reached by every mail system")
    FORM = N_("it is not of the form name@company.example")


class BadAddress(ValueError):
    """A text that is not one plain e-mail address."""

    def __init__(self, fault: AddressFault) -> None:
        super().__init__(fault)
        self.fault = fault


@lru_cache(1024)
def single_address(text: str) -> str:
    """Parse ``text`` as one addr-spec (RFC 5322 section 3.4.1) with an ASCII local part of at most
    64 characters. An internationalized domain is returned as A-labels (``xn--``, RFC 5891), so that
    the function is idempotent. One request validates an address several times; the result is kept.
    Raises BadAddress."""
    from email_validator import EmailNotValidError, validate_email

    _check_characters(text)
    if not text.rpartition("@")[0].isascii():
        raise BadAddress(AddressFault.LOCAL_PART)
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise BadAddress(AddressFault.FORM) from error
    # The library limits the length of this form too.
    return f"{found.local_part}@{found.ascii_domain}"


def stored_address(text: str) -> str:
    """An address that ``single_address`` returned earlier. What would add a recipient or a header
    is refused again, in case the row was changed by other means. Raises BadAddress."""
    _check_characters(text)
    if text.count("@") != 1 or "." not in text.rpartition("@")[2] or not text.isascii():
        raise BadAddress(AddressFault.FORM)
    return text


def _check_characters(text: str) -> None:
    if not text or len(text) > MAX_LENGTH:
        raise BadAddress(AddressFault.LENGTH)
    if any(char in text for char in ',;<>()"\\') or not text.isprintable() or " " in text:
        raise BadAddress(AddressFault.CHARACTERS)


def email_key(text: str) -> str:
    """The look-up key of an address, the same for both forms of its domain; for other text, a name
    key."""
    key = name_key(text)
    try:
        return name_key(single_address(key))
    except BadAddress:
        return key
