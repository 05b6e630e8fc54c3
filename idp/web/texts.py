"""Tables of texts in which no member of an enumeration or of a pool is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any


class MissingText(Exception):
    """Members have no text; raised at import."""

    def __init__(self, members: Collection[str]) -> None:
        super().__init__(f"no text for {', '.join(map(repr, members))}")
        self.members = tuple(members)


class Texts:
    """The text of every value, by its stored form."""

    def __init__(self, texts: Mapping[str, Any]) -> None:
        self._texts = {str(value): text for value, text in texts.items()}

    def of(self, value: str, **variables: object) -> str:
        """The text in the language of the request, with the variables that it names. A value that
        this release does not know, such as one of an older row, is shown as it is."""
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
    MissingText when a member is neither there nor named in ``without``."""
    missing = [member for member in kind if member not in texts and member not in without]
    if missing:
        raise MissingText(missing)
    return Texts(texts)
