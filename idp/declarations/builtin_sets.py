"""The declarations that come with the package."""

from __future__ import annotations

from importlib import resources

#: ``ieso``: the applications of the market and their role groups.
NAMES = ("ieso",)


def text_of(name: str) -> str:
    """The text of one of them."""
    return (resources.files("idp") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
