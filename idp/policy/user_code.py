"""User codes: what a person reads on a device and types into the gateway (RFC 8628 section 6.1)."""

from __future__ import annotations

from collections.abc import Callable

from idp.mfa.code_input import compact

#: Consonants: they form no words and have no look-alikes among them.
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH, _HALF = 8, 4


def generate(below: Callable[[int], int]) -> str:
    """A code of 34 random bits. ``below(n)`` returns a random number under ``n``."""
    return "".join(ALPHABET[below(len(ALPHABET))] for _ in range(LENGTH))


def shown(code: str) -> str:
    """The code in two groups, as devices show it: ``WDJB-MJHT``."""
    return f"{code[:_HALF]}-{code[_HALF:]}"


def typed_code(text: str) -> str | None:
    """The code entered, without grouping and in upper case; None if it cannot be one."""
    code = compact(text).upper()
    return code if len(code) == LENGTH and all(char in ALPHABET for char in code) else None
