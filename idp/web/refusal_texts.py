"""Refusals of the services in the language of the page."""

from __future__ import annotations

from flask_babel import gettext

from hosted_pages.languages import eastern
from idp.errors import Refusal


def of(error: Refusal) -> str:
    """The translated sentence of the refusal as pages show it, with a capital letter and a full
    stop. Times are in Eastern Time; a name or an identifier at the beginning stays as it is."""
    sentence = error.sentence(_translated, eastern)
    if not error.template.startswith("{"):
        sentence = sentence[:1].upper() + sentence[1:]
    return sentence if sentence.endswith((".", "?", "!")) or not sentence else f"{sentence}."


def _translated(text: str) -> str:
    # gettext("") would return the header of the catalogue.
    return gettext(text) if text else ""
