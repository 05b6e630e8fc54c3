"""One plain e-mail address: nothing that could become a second recipient or a header (N85)."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 320


def single_address(text: str) -> str:
    """``text`` as one addr-spec (RFC 5322 section 3.4.1) with an ASCII local part. Raises
    ValueError with the reason."""
    if not text or len(text) > MAX_LENGTH:
        raise ValueError("it is empty or too long")
    if any(char in text for char in ',;<>()"\\') or not text.isprintable() or " " in text:
        raise ValueError("it holds characters that do not belong into one plain address")
    if not text.isascii():
        raise ValueError("only ASCII addresses can be reached by every mail system")
    try:
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return str(found.normalized)
