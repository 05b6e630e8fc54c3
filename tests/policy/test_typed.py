"""Codes as people paste them."""

from __future__ import annotations

import pytest

from idp.mfa import recovery_code, totp

SEPARATORS = {
    "space": " ",
    "tab": "\t",
    "new line": "\r\n",
    "no-break space": "\u00a0",
    "figure space": "\u2007",
    "narrow no-break space": "\u202f",
    "thin space": "\u2009",
    "ideographic space": "\u3000",
    "zero width space": "\u200b",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "left-to-right mark": "\u200e",
    "hyphen": "-",
    "non-breaking hyphen": "\u2011",
    "en dash": "\u2013",
}


@pytest.mark.parametrize("name", SEPARATORS)
def test_n64_spaces_of_any_kind_are_ignored(name: str) -> None:
    """N64: what mail programs, telephones and people put around and between the characters."""
    mark = SEPARATORS[name]
    assert totp.typed_code(f"{mark}123{mark}456{mark}") == "123456"
    assert totp.typed_code(mark.join("123456")) == "123456"
    assert recovery_code.typed_code(f"7qk4{mark}m2xd{mark}o9rt{mark}") == "7QK4M2XD09RT"


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "\uff11\uff12\uff13456", "12345\u0000", "12.456"]
)
def test_n64_other_characters_and_lengths_are_no_code(text: str) -> None:
    """N64: digits of other scripts, other marks, other lengths."""
    assert totp.typed_code(text) is None
