"""Codes as users type and paste them."""

from __future__ import annotations

import unicodedata

#: The longest input accepted: a code with separators around every character.
MAX_TYPED = 60
#: Spaces of any width, invisible format characters, and dashes.
_SEPARATORS = {"Zs", "Zl", "Zp", "Cf", "Pd"}


def compact(text: str) -> str:
    """The code without separators that mail programs and users insert."""
    return "".join(
        char
        for char in text[:MAX_TYPED]
        if not char.isspace() and unicodedata.category(char) not in _SEPARATORS
    )
