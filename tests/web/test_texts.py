"""No member of an enumeration is without its text."""

from __future__ import annotations

from enum import StrEnum

import pytest

from idp.web import texts
from idp.web.texts import MissingText


class Colour(StrEnum):
    """Two values to be named."""

    RED = "red"
    BLUE = "blue"


def test_a_forgotten_text_is_noticed_at_import() -> None:
    """The error names what is missing."""
    with pytest.raises(MissingText, match=r"^no text for Colour\.BLUE$") as missing:
        texts.complete(Colour, {Colour.RED: "Red"})
    assert (missing.value.kind, missing.value.members) == (Colour, (Colour.BLUE,))


def test_a_member_can_be_left_out_on_purpose() -> None:
    """Where something else than a table has its text."""
    table = texts.complete(Colour, {Colour.RED: "Red"}, without=(Colour.BLUE,))
    assert table.of("red") == "Red"


def test_an_unknown_stored_value_is_shown_as_it_is() -> None:
    """A row of another release is never an error of the server."""
    assert texts.complete(Colour, {Colour.RED: "Red", Colour.BLUE: "Blue"}).of("green") == "green"
