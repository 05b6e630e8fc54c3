"""The declarations in the package, for ``gateway apply --builtin``."""

from __future__ import annotations

from importlib import resources

#: ``ieso``: the applications of Ontario's electricity market and their role groups.
NAMES = ("ieso",)


def text_of(name: str) -> str:
    """The YAML text of a built-in declaration. Raises FileNotFoundError for an unknown name."""
    return (resources.files("idp") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
