"""Clean and validate the texts and times of a push."""

from __future__ import annotations

from datetime import UTC, datetime

from scim2_models import InvalidValueException

from idp.policy.names import printable

MAX_TEXT = 200
MAX_REQUEST_NUMBER = 60


def clean(value: str | None) -> str:
    """The text without surrounding space; empty if there is none. Raises InvalidValueException."""
    text = (value or "").strip()
    if len(text) > MAX_TEXT or not printable(text):
        raise InvalidValueException(detail="A value is too long or contains invalid characters.")
    return text


def clean_request_number(value: str | None) -> str:
    """As ``clean``, with the maximum length of the column."""
    return clean(value)[:MAX_REQUEST_NUMBER]


def clean_time(value: datetime | None) -> datetime | None:
    """The time in UTC. Raises InvalidValueException."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise InvalidValueException(
            detail="a date and time needs a time zone, such as 2027-01-01T00:00:00Z"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidValueException(detail="the year must be between 1 and 9999") from error
