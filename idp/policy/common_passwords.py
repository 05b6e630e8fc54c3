"""Is a password a listed word, or a listed word in disguise? (PW-09; NIST SP 800-63B, 3.1.1.2)

Few leaked passwords satisfy the composition rules as they stand, so an exact look-up refuses next
to nothing: people decorate a word until it passes. The *base word* is what is looked up here.
Pure: the list comes in as bytes (`load`) or as any container of folded words.
"""

import gzip
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

SHORTEST_WORD = 4
LONGEST_WORD = 32

# Taking the punctuation out of a short random password often leaves a short word by chance.
_SHORTEST_JOINED = 6
# A base word tells about a password only if it makes up at least a third of it.
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

    After Unicode's compatibility caseless match (The Unicode Standard, 3.13, D146), but without
    the marks. Recomposed at the end, so that a character of Hangul counts as one letter.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _bare(_bare(text).casefold()))


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))


@dataclass(frozen=True, slots=True)
class CommonPasswords:
    """The list: folded words and passwords, usable as a container of them."""

    # Out of the repr: a traceback or a log line would carry the whole list.
    words: frozenset[str] = field(repr=False)

    def contains(self, word: str) -> bool:
        """Whether this very word is listed, in any case and with any accents."""
        return fold(word) in self.words

    def __contains__(self, word: object) -> bool:
        return word in self.words


def load(data: bytes) -> CommonPasswords:
    """The list from its shipped form: gzip, UTF-8, one folded word a line.

    Raises `OSError` (`gzip.BadGzipFile`), `EOFError` or `UnicodeDecodeError` for anything else:
    a deployment with a broken list must not start as if there were no list.
    """
    return CommonPasswords(frozenset(gzip.decompress(data).decode("utf-8").split()))


def is_common(password: str, words: Container[str]) -> bool:
    """Whether the password, or the base word under its decoration, is listed.

    `words` holds folded words. Passwords of which no listed word could be a third are let through
    unread, which bounds the work too.
    """
    text = fold(password)
    if len(text) > _SHARE * LONGEST_WORD:
        return False
    return any(word in words for word in _wholes(text)) or any(
        word in words for word in _base_words(text)
    )


def _wholes(text: str) -> Iterator[str]:
    """The password as a whole: as it is, without punctuation around or inside, and unshifted."""
    trimmed = text.strip("".join(c for c in text if not c.isalnum()))
    joined = _joined(text)
    for whole in (text, trimmed, joined if len(joined) >= _SHORTEST_JOINED else text):
        if len(whole) >= SHORTEST_WORD and _SHARE * len(whole) >= len(text):
            yield whole
            yield whole.translate(_UNSHIFT)


def _base_words(text: str) -> Iterator[str]:
    """What is left when decoration is taken off and look-alikes are turned back into letters."""
    for form, shortest in ((text, SHORTEST_WORD), (_joined(text), _SHORTEST_JOINED)):
        for core in _cores(form, max(shortest, -(-len(text) // _SHARE))):
            for substitution in _SUBSTITUTIONS:
                plain = core.translate(substitution)
                for word in (plain, _unit(plain)):
                    if sum(c.isalpha() for c in word) >= SHORTEST_WORD:
                        yield word


def _cores(text: str, shortest: int) -> Iterator[str]:
    """Every piece that keeps all the letters.

    Digits and signs next to them may be decoration or look-alikes (the 3 of `Welcom3!`, not that
    of `Welcome3!`), so each way to cut is tried.
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
    """The shortest piece that the text repeats (`passwordpassword` is no better than one)."""
    return text[: (text + text).find(text, 1)]
