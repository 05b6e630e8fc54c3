"""Texts that are part of a refusal, in English. Pages translate them."""

from __future__ import annotations

from enum import StrEnum


def N_(text: str) -> str:  # noqa: N802 - the name by which the catalogue finds texts
    """Mark a text for the catalogue of translations; it is translated where it is shown."""
    return text


class Phrase(StrEnum):
    """A reason in words. Its value is the English text, by which its translation is found."""
