"""The password policy: what a new password must satisfy (MAN-107; PW-01 to PW-09).

Pure functions: a password, its owner, the policy and the word list in, the violated rules out. The
page that shows the rules, its script, and every way to replace a password (PW-13) use the same
`Policy`.
"""

import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum

from idp.policy.common_passwords import fold, is_common

# The six of the manual, then every curly or low quotation mark equivalent to the last two, the
# modifier letters used as apostrophes, and the ornamental and CJK ones (PW-05).
FORBIDDEN = frozenset(
    "&\\<>'\""
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"
    "\u02bb\u02bc\u02bd\u275b\u275c\u275d\u275e\u275f\u2760"
    "\u2e42\u301d\u301e\u301f\U0001f676\U0001f677\U0001f678"
)

_USER_NAME_RUN = 4
_SHORTEST_PART = 3
# A canonical decomposition is at most four code points long (Unicode Standard Annex #15).
_NFC_SHRINKS_BY = 4

# Controls that count as white space, and letters or signs without a visible glyph.
_SPACING_CONTROLS = frozenset("\t\n\v\f\r\x85")
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


class Rule(StrEnum):
    """The rules, in the order shown; the values are stable identifiers."""

    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    NO_UPPER = "no-upper"
    NO_LOWER = "no-lower"
    NO_DIGIT = "no-digit"
    NO_SPECIAL = "no-special"
    FORBIDDEN_CHARACTER = "forbidden-character"
    WHITE_SPACE = "white-space"
    CONTROL_CHARACTER = "control-character"
    CONTAINS_USER_NAME = "contains-user-name"
    CONTAINS_NAME = "contains-name"
    COMMON = "common"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the password: UserID, e-mail address, and names (first, middle, last,
    preferred).

    A machine account has no names.
    """

    username: str
    email: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The configured policy. Lengths count code points after normalization.

    `history` is the number of last passwords, including the current one, that cannot be used again
    (0: none).
    """

    min_length: int = 8
    max_length: int = 256
    require_special: bool = True
    history: int = 4
    refuse_common: bool = True


def normalize(password: str) -> str:
    """The form that is checked and hashed: NFC (RFC 8265, 4.2.2), not trimmed."""
    return unicodedata.normalize("NFC", password)


def rules(policy: Policy) -> tuple[Rule, ...]:
    """The rules in effect, in order, for the page that shows them."""
    switched_off = {
        Rule.NO_SPECIAL: not policy.require_special,
        Rule.COMMON: not policy.refuse_common,
        Rule.REUSED: policy.history <= 0,
    }
    return tuple(rule for rule in Rule if not switched_off.get(rule, False))


def violations(
    password: str, owner: Owner, policy: Policy, common: Container[str]
) -> tuple[Rule, ...]:
    """All violated rules that need no hash, in the order of `rules`.

    `common` is a container of folded words (such as `CommonPasswords`). Never raises, whatever the
    text. `Rule.REUSED` is not checked here: it costs bcrypt comparisons, so the caller checks it
    only if this returns nothing.
    """
    if len(password) > _NFC_SHRINKS_BY * policy.max_length:
        # Too long in any form: normalizing a long run of combining marks takes quadratic time.
        return (Rule.TOO_LONG,)
    text = normalize(password)
    folded = fold(text)
    failed = {
        Rule.TOO_SHORT: len(text) < policy.min_length,
        Rule.TOO_LONG: len(text) > policy.max_length,
        Rule.NO_UPPER: not any(unicodedata.category(c) == "Lu" for c in text),
        Rule.NO_LOWER: not any(unicodedata.category(c) == "Ll" for c in text),
        Rule.NO_DIGIT: not any(unicodedata.category(c) == "Nd" for c in text),
        Rule.NO_SPECIAL: not any(map(_is_special, text)),
        Rule.FORBIDDEN_CHARACTER: any(map(_is_forbidden, text)),
        Rule.WHITE_SPACE: any(map(_is_white_space, text)),
        Rule.CONTROL_CHARACTER: any(map(_is_control, text)),
        Rule.CONTAINS_USER_NAME: any(part in folded for part in _user_name_parts(owner)),
        Rule.CONTAINS_NAME: any(word in folded for word in _name_words(owner)),
        Rule.COMMON: is_common(text, common),
    }
    return tuple(rule for rule in rules(policy) if failed.get(rule, False))


def _is_special(character: str) -> bool:
    """Punctuation or a symbol (Z-01). A forbidden character does not count."""
    return unicodedata.category(character)[0] in "PS" and not _is_forbidden(character)


def _is_forbidden(character: str) -> bool:
    """Forbidden, also in a compatibility form (a full-width `<`, a small `&`).

    NFKD and not NFKC: `<` with a combining solidus is one character in NFC and NFKC.
    """
    return not FORBIDDEN.isdisjoint(character + unicodedata.normalize("NFKD", character))


def _is_white_space(character: str) -> bool:
    """Separators, spacing controls, zero-width and format characters, blanks (PW-06).

    The user could not see these and so could not type them again.
    """
    category = unicodedata.category(character)
    return (
        category[0] == "Z"
        or category == "Cf"
        or character in _SPACING_CONTROLS
        or character in _BLANKS
    )


def _is_control(character: str) -> bool:
    """Controls, lone surrogates, private use and unassigned code points (RFC 8264, 4.3).

    A surrogate has no UTF-8 form to hash. An unassigned code point may normalize differently once
    Unicode assigns it, and the password would stop working after an upgrade.
    """
    return unicodedata.category(character)[0] == "C" and not _is_white_space(character)


def _user_name_parts(owner: Owner) -> Iterator[str]:
    """All runs of four characters of the UserID and the e-mail local part; three if it has only
    three."""
    local_part = owner.email.rpartition("@")[0] or owner.email
    for name in (fold(owner.username), fold(local_part)):
        if len(name) >= _SHORTEST_PART:
            width = min(_USER_NAME_RUN, len(name))
            yield from (name[i : i + width] for i in range(len(name) - width + 1))


def _name_words(owner: Owner) -> Iterator[str]:
    """The words of at least three letters in the owner's names."""
    for name in owner.names:
        letters = "".join(c if c.isalpha() else " " for c in fold(name))
        yield from (word for word in letters.split() if len(word) >= _SHORTEST_PART)
