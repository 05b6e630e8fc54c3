"""Refusals of the services in the language of the page."""

from __future__ import annotations

from flask_babel import gettext

from hosted_pages.languages import eastern
from idp.errors import Refusal


def of(error: Refusal) -> str:
    """The translated sentence of the refusal, with the phrases in its data. Times are in Eastern
    Time."""
    return error.sentence(_translated, eastern)


def _translated(text: str) -> str:
    # gettext("") would return the header of the catalogue.
    return gettext(text) if text else ""
