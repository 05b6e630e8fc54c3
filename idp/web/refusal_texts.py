"""Refusals of the services in the language of the page."""

from __future__ import annotations

from flask_babel import gettext

from idp.errors import Refusal
from idp.web.i18n import eastern


def of(error: Refusal) -> str:
    """The translated sentence of the refusal, with the phrases in its data. Times are in Eastern
    Time."""
    return error.sentence(_translated, eastern)


def _translated(text: str) -> str:
    # gettext("") would return the header of the catalogue.
    return gettext(text) if text else ""
