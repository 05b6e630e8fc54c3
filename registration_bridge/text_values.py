"""Texts of a push, checked once."""

from __future__ import annotations

from scim2_models import InvalidValueException

from idp.policy.names import printable

MAX_TEXT = 200


def clean(value: str | None) -> str:
    """A value without the space around it; empty for none. Raises InvalidValueException."""
    text = (value or "").strip()
    if len(text) > MAX_TEXT or not printable(text):
        raise InvalidValueException(detail="A value is too long or holds characters that are none.")
    return text
