"""Recovery codes: ten codes of 60 random bits each, without easily confused letters."""

from __future__ import annotations

from collections.abc import Callable

from idp.mfa.code_input import compact

COUNT = 10
#: Crockford's base 32: no I, L, O and U.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH, _GROUP = 12, 4
_ALIKE = str.maketrans({"I": "1", "L": "1", "O": "0"})


def generate(below: Callable[[int], int]) -> list[str]:
    """Ten codes such as ``7QK4-M2XD-09RT``. ``below(n)`` returns a random number under ``n``."""
    return [
        shown("".join(ALPHABET[below(len(ALPHABET))] for _ in range(_LENGTH))) for _ in range(COUNT)
    ]


def shown(code: str) -> str:
    """The code in groups, as printed."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def typed_code(text: str) -> str | None:
    """The code entered, without grouping and in upper case; None if it cannot be one."""
    code = compact(text).upper().translate(_ALIKE)
    return code if len(code) == _LENGTH and all(char in ALPHABET for char in code) else None
