"""How the gateway and its applications present themselves."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[^\W_]+")


def monogram(name: str) -> str:
    """One or two letters for an application: the initials of its first two words, or the start of
    a single word."""
    words: list[str] = _WORDS.findall(name)
    if len(words) > 1 and len(words[0]) < 4 and words[0].isupper():
        return words[0][:2]
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name.strip()[:2]).upper()
