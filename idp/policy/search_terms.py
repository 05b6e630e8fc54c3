"""Search terms of accounts, and parsing of queries in the console."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from idp.policy.names import name_key
from idp.policy.phone_number import national

MAX_TERM = 320
MAX_WORDS = 4
#: Longer queries are not searched.
MAX_QUERY = 200
_WORDS = re.compile(r"[^\w@.+'’-]+")
_DIGITS = re.compile(r"\D+")
_LAST = "\U0010ffff"


def fold(text: str) -> str:
    """Fold case, accents and compatibility forms, so that "noemie" finds "Noémie"."""
    if text.isascii():
        return name_key(text)[:MAX_TERM]
    plain = unicodedata.normalize("NFKD", name_key(text)).replace("’", "'")
    return "".join(char for char in plain if not unicodedata.combining(char))[:MAX_TERM]


def terms(
    *, username: str, email: str, person_id: str, names: Iterable[str], phones: Iterable[str]
) -> set[str]:
    """All search terms of an account: login name, address, Person ID, each word of each name, and
    the digits of each telephone number with and without the country code."""
    found = {fold(username), fold(email), fold(person_id)}
    for name in names:
        for word in _words(name):
            found.add(word)
            for part in word.split("-"):
                found.update((part, part.replace("'", ""), *part.split("'")))
    for phone in filter(None, phones):
        found.update((_DIGITS.sub("", phone), national(phone)))
    return {term for term in found if term}


def query_words(query: str) -> list[str]:
    """The words of a query, the longest first because it narrows most. A telephone number is one
    word, however it is punctuated."""
    query = query.strip()[:MAX_QUERY]
    digits = _DIGITS.sub("", query)
    if len(digits) >= 7 and not re.search(r"[^\W\d]", query):
        return [digits]
    words = list(dict.fromkeys(_words(query)))
    return sorted(words, key=len, reverse=True)[:MAX_WORDS]


def prefix_range(word: str) -> tuple[str, str]:
    """The range, from inclusive to exclusive, of terms with this prefix."""
    return word, word + _LAST


def _words(text: str) -> list[str]:
    return [word for part in _WORDS.split(text) if (word := fold(part))]
