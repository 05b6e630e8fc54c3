"""Tables of display texts that are checked for completeness at import."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any


class MissingText(Exception):
    """Some members of an enumeration or collection have no text. Raised at import."""

    def __init__(self, members: Collection[str]) -> None:
        super().__init__(f"no text for {', '.join(map(repr, members))}")
        self.members = tuple(members)


class Texts:
    """Display texts by stored value."""

    def __init__(self, texts: Mapping[str, Any]) -> None:
        self._texts = {str(value): text for value, text in texts.items()}

    def of(self, value: str, **variables: object) -> str:
        """The text in the language of the request, with its variables. An unknown value, such as
        one from another release, is returned unchanged."""
        if value not in self._texts:
            return value
        text = str(self._texts[value])
        return text % variables if variables else text

    def __contains__(self, value: object) -> bool:
        return value in self._texts


def complete(
    kind: Iterable[str], texts: Mapping[Any, Any], *, without: Collection[str] = ()
) -> Texts:
    """A table of lazy texts for ``kind``, an enumeration or a collection of names. Raises
    MissingText if a member has no text and is not in ``without``."""
    missing = [member for member in kind if member not in texts and member not in without]
    if missing:
        raise MissingText(missing)
    return Texts(texts)
