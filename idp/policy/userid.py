"""UserIDs generated from names, by the rules of the manual, and numbers of machine accounts (UI-01
to UI-08).

Pure functions: names and a test for taken ids in, the first free id out. The result depends on
these only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

MAX_LENGTH, MIN_LENGTH = 8, 2
MACHINE_PREFIX = "APIIESO"
MACHINE_DIGITS = 5
#: Ids that could be mistaken for a role or a system.
RESERVED = frozenset(
    {
        "admin", "administ", "anonymou", "api", "crow", "emi", "everyone", "gateway", "guest",
        "help", "helpdesk", "ieso", "info", "mail", "market", "me", "nobody", "none", "null",
        "operator", "owner", "postmast", "prod", "report", "reports", "root", "sandbox", "security",
        "self", "settleme", "staff", "support", "sysadmin", "system", "test", "tra", "undefine",
        "user", "webmaste", "www",
    }
)  # fmt: skip
#: Letters without a Unicode decomposition into a Latin letter and a mark.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l",
        "ħ": "h", "ı": "i", "ŋ": "n", "ĸ": "k", "ŧ": "t", "ə": "e", "ǝ": "e", "ƒ": "f",
    }
)  # fmt: skip
#: Suffixes after a family name.
_SUFFIX = re.compile(r"[\s,]+(?:jr|sr|ii|iii|iv|esq|phd|md|p\.?\s?eng)\.?$", re.IGNORECASE)


class NotLatin(ValueError):
    """A name in another script: only its owner knows the spelling in Latin letters."""


class Exhausted(ValueError):
    """All candidate ids are taken."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def plain_letters(name: str) -> str:
    """The letters of a name in lower case, without accents; other characters are removed. Raises
    NotLatin if a letter has no Latin form."""
    folded = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    plain = [char for char in folded if char.isalpha()]
    if not all(char.isascii() for char in plain):
        raise NotLatin(name)
    return "".join(plain)


def personal_userid(
    *, given: str, middle: str, family: str, is_taken: Callable[[str], bool]
) -> str:
    """The first free UserID: at most eight lower-case letters, with digits as the last resort.
    ``is_taken`` tells whether an id was ever assigned. Raises NotLatin or Exhausted."""
    for candidate in candidates(given=given, middle=middle, family=family):
        if is_allowed(candidate) and not is_taken(candidate):
            return candidate
    raise Exhausted(f"{given} {family}")


def candidates(*, given: str, middle: str, family: str) -> Iterator[str]:
    """The candidate ids, in order. A single name counts as family name."""
    first, second, last = (
        plain_letters(given),
        plain_letters(middle),
        plain_letters(_SUFFIX.sub("", family.strip())),
    )
    if not last:
        first, last = "", first
    if not last:
        raise NotLatin(f"{given} {family}")
    plain = last[:7] + first[:1]
    yield plain
    if second and first:
        yield last[:6] + first[:1] + second[:1]
    if len(first) > 1:
        yield last[: max(len(plain) - 2, 0)] + first[:2]
    for number in range(2, 100):
        yield last[: MAX_LENGTH - len(first[:1]) - len(str(number))] + first[:1] + str(number)


def is_allowed(candidate: str) -> bool:
    """Whether the id is long enough, not reserved, and not like a machine's."""
    if not MIN_LENGTH <= len(candidate) <= MAX_LENGTH or candidate in RESERVED:
        return False
    return not candidate.startswith(MACHINE_PREFIX.lower()[:MAX_LENGTH])


def machine_userid(taken: Iterable[str], *, pads: bool) -> str:
    """The id after the highest one assigned; with ``pads``, of five digits. Ids of another form are
    ignored. Raises Exhausted."""
    pattern = re.compile(rf"{MACHINE_PREFIX}([0-9]{{1,{MACHINE_DIGITS}}})", re.IGNORECASE)
    numbers = [int(found[1]) for name in taken if (found := pattern.fullmatch(name))]
    number = max(numbers, default=0) + 1
    if number >= 10**MACHINE_DIGITS:
        raise Exhausted(MACHINE_PREFIX)
    return f"{MACHINE_PREFIX}{number:0{MACHINE_DIGITS if pads else 1}}"
