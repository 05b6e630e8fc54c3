"""Check whether a password is a common one, or a common word with decoration (PW-09; NIST SP
800-63B, 3.1.1.2).

Few leaked passwords meet the composition rules, so an exact look-up refuses almost nothing: users
decorate a word until it passes. This module looks up the *base word*. Pure functions: the list is
passed in, as bytes (`load`) or as a container of folded words.
"""

import gzip
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

SHORTEST_WORD = 4
LONGEST_WORD = 32

# Removing punctuation from a short random password often leaves a short word by chance.
_SHORTEST_JOINED = 6
# A base word counts only if it is at least a third of the password.
_SHARE = 3

_LEET = "4@8(3€69057$+2"
_PLAIN = "aabceeggostst" + "z"
_SUBSTITUTIONS = (
    str.maketrans(_LEET + "1!|", _PLAIN + "iii"),
    str.maketrans(_LEET + "1!|£", _PLAIN + "llll"),
)
# The number row of a US or Canadian keyboard: `!QAZ@WSX` is `1qaz2wsx` with Shift held down.
_UNSHIFT = str.maketrans("!@#$%^&*()", "1234567890")


def fold(text: str) -> str:
    """The text without case, accents and compatibility forms (reading Z-05).

    Like Unicode's compatibility caseless match (The Unicode Standard, 3.13, D146), but without
    marks. Recomposed at the end, so that a Hangul syllable counts as one letter.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _bare(_bare(text).casefold()))


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))


@dataclass(frozen=True, slots=True)
class CommonPasswords:
    """The list of folded words and passwords, as a container."""

    # Excluded from the repr: a traceback or a log line would contain the whole list.
    words: frozenset[str] = field(repr=False)

    def contains(self, word: str) -> bool:
        """Whether exactly this word is listed, in any case and with any accents."""
        return fold(word) in self.words

    def __contains__(self, word: object) -> bool:
        return word in self.words


def load(data: bytes) -> CommonPasswords:
    """Load the shipped list: gzip, UTF-8, one folded word per line.

    Raises `OSError` (`gzip.BadGzipFile`), `EOFError` or `UnicodeDecodeError` for anything else: a
    deployment with a damaged list must not start without one.
    """
    return CommonPasswords(frozenset(gzip.decompress(data).decode("utf-8").split()))


def is_common(password: str, words: Container[str]) -> bool:
    """Whether the password, or its base word, is listed.

    `words` is a container of folded words. A password too long for a listed word to be a third of
    it is accepted unchecked, which also limits the work.
    """
    text = fold(password)
    if len(text) > _SHARE * LONGEST_WORD:
        return False
    return any(word in words for word in _wholes(text)) or any(
        word in words for word in _base_words(text)
    )


def _wholes(text: str) -> Iterator[str]:
    """Variants of the whole password: as it is, without punctuation around or inside, and
    unshifted."""
    trimmed = text.strip("".join(c for c in text if not c.isalnum()))
    joined = _joined(text)
    for whole in (text, trimmed, joined if len(joined) >= _SHORTEST_JOINED else text):
        if len(whole) >= SHORTEST_WORD and _SHARE * len(whole) >= len(text):
            yield whole
            yield whole.translate(_UNSHIFT)


def _base_words(text: str) -> Iterator[str]:
    """The password without decoration, and with look-alike characters as letters."""
    for form, shortest in ((text, SHORTEST_WORD), (_joined(text), _SHORTEST_JOINED)):
        for core in _cores(form, max(shortest, -(-len(text) // _SHARE))):
            for substitution in _SUBSTITUTIONS:
                plain = core.translate(substitution)
                for word in (plain, _unit(plain)):
                    if sum(c.isalpha() for c in word) >= SHORTEST_WORD:
                        yield word


def _cores(text: str, shortest: int) -> Iterator[str]:
    """All parts that contain every letter.

    Adjacent digits and signs may be decoration or look-alikes (the 3 of `Welcom3!`, not that of
    `Welcome3!`), so every cut is tried.
    """
    letters = [i for i, c in enumerate(text) if c.isalpha()]
    if not letters:
        return
    for start in range(letters[0] + 1):
        for end in range(max(letters[-1] + 1, start + shortest), len(text) + 1):
            yield text[start:end]


def _joined(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


def _unit(text: str) -> str:
    """The shortest unit that the text repeats (`passwordpassword` is no better than one)."""
    return text[: (text + text).find(text, 1)]
