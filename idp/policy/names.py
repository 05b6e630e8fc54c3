"""Names: one look-up key for all spellings (N49), and how they are shown."""

from __future__ import annotations

import unicodedata

MAX_NAME = 320


def name_key(text: str) -> str:
    """NFKC, case-folded, stripped: the form in which names are compared."""
    folded = unicodedata.normalize("NFKC", text.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)[:MAX_NAME]


def printable(text: str) -> bool:
    """Whether text has no control, surrogate or bidirectional override characters."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(char) in ("Cc", "Cs", "Cf", "Co", "Cn") for char in text)


def full_name(given: str, family: str) -> str:
    """Given and family name, as shown."""
    return f"{given} {family}".strip()
