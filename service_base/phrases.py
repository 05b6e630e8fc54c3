"""Texts that are part of a refusal, in English. Pages translate them."""

from __future__ import annotations

from enum import StrEnum


def N_(text: str) -> str:  # noqa: N802 - the name by which the catalogue finds texts
    """Mark a text for the translation catalogue. The page that shows it translates it."""
    return text


class Phrase(StrEnum):
    """A reason as a phrase. The value is the English text, which is the key of its translation."""
