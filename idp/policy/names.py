"""Look-up keys for names: one form for all spellings (N49)."""

from __future__ import annotations

import unicodedata

MAX_NAME = 320


def name_key(text: str) -> str:
    """NFKC, case-folded, stripped: the form in which names are compared."""
    folded = unicodedata.normalize("NFKC", text.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)[:MAX_NAME]


def printable(text: str) -> bool:
    """Whether text has no control, surrogate or bidirectional override characters."""
    return not any(unicodedata.category(char) in ("Cc", "Cs", "Cf", "Co", "Cn") for char in text)
