"""Refusals of the services in the language of the page."""

from __future__ import annotations

from flask_babel import gettext

from idp.errors import Refusal
from idp.web.i18n import eastern


def of(error: Refusal) -> str:
    """The sentence of the refusal and the phrases in its data, translated; moments in Eastern
    Time."""
    return error.sentence(_translated, eastern)


def _translated(text: str) -> str:
    # A placeholder such as "{faults}" is the whole sentence of some refusals; "" is the catalogue's
    # own header.
    return gettext(text) if text else ""
