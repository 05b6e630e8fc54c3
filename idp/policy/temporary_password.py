"""Temporary passwords that can be read aloud and spelled on the telephone (CR-05).

Eight syllables of a consonant and a vowel, and two digits, have about 55 bits, for 24 hours and one
use. Letters that are easily confused are not used.
"""

from __future__ import annotations

from collections.abc import Callable

_CONSONANTS = "bdfgkmnprstvz"
_VOWELS = "aeiou"
_GROUPS, _SYLLABLES = 4, 2

#: ICAO Annex 10 volume II, 5.2.1.3: the same spelling words in every language.
ALPHABET = {
    "a": "Alfa", "b": "Bravo", "c": "Charlie", "d": "Delta", "e": "Echo", "f": "Foxtrot",
    "g": "Golf", "h": "Hotel", "i": "India", "j": "Juliett", "k": "Kilo", "l": "Lima",
    "m": "Mike", "n": "November", "o": "Oscar", "p": "Papa", "q": "Quebec", "r": "Romeo",
    "s": "Sierra", "t": "Tango", "u": "Uniform", "v": "Victor", "w": "Whiskey", "x": "X-ray",
    "y": "Yankee", "z": "Zulu",
}  # fmt: skip


def generate(below: Callable[[int], int]) -> str:
    """A password such as ``Bako-tefi-muna-gidu-47``. ``below(n)`` returns a random number under
    ``n``."""

    def syllable() -> str:
        return _CONSONANTS[below(len(_CONSONANTS))] + _VOWELS[below(len(_VOWELS))]

    groups = ["".join(syllable() for _ in range(_SYLLABLES)) for _ in range(_GROUPS)]
    groups[0] = groups[0].capitalize()
    return "-".join([*groups, f"{below(90) + 10}"])


def spelled(password: str) -> list[tuple[str, str, bool]]:
    """Each character with its spelling word (or itself), and whether it is a capital."""
    return [(char, ALPHABET.get(char.lower(), char), char.isupper()) for char in password]
