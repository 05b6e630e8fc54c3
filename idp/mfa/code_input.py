"""Codes as people type and paste them."""

from __future__ import annotations

import unicodedata

#: Longest text that is looked at: a code with separators around every character.
MAX_TYPED = 60
#: Spaces of any width, invisible format characters, and dashes.
_SEPARATORS = {"Zs", "Zl", "Zp", "Cf", "Pd"}


def compact(text: str) -> str:
    """The characters that count, without what mail programs and people put between them."""
    return "".join(
        char
        for char in text[:MAX_TYPED]
        if not char.isspace() and unicodedata.category(char) not in _SEPARATORS
    )
