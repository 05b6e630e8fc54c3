"""The conditions of use of an environment (GW-02): those of its brand or the built-in ones.

They come from the settings (docs/decisions/0038), which are checked at the start.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from flask_babel import force_locale, get_locale, gettext

from hosted_pages.languages import LANGUAGES
from idp import current
from idp.settings_checks import conditions_file


@dataclass(frozen=True)
class Conditions:
    """The conditions of use (GW-02): a brief form for the sign-in page, and all paragraphs."""

    summary: str
    paragraphs: tuple[str, ...]


def conditions() -> Conditions:
    """The conditions of use in the language of the page: those of the brand, else the built-in
    ones. The brief form of a brand's conditions is their first paragraph."""
    locale = str(get_locale() or "en")
    path = conditions_file(current.runtime().settings, locale)
    if path is not None:
        text = path.read_text(encoding="utf-8")
        own = tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())
        return Conditions(own[0], own)
    return _built_in(locale)


@lru_cache(len(LANGUAGES))
def _built_in(_locale: str) -> Conditions:
    """The built-in ones, in the language of the page."""
    return Conditions(
        gettext(
            "By signing in, you accept the conditions of use of this private system. Your activity "
            "may be monitored and recorded."
        ),
        (
            gettext(
                "This is a private system of the Independent Electricity System Operator. Only "
                "authorized people and companies may use it, and only for the purpose for which "
                "they have access."
            ),
            gettext(
                "Your activity may be monitored, recorded and reviewed, and may be disclosed to "
                "the authorities where the law allows. If you misuse this system, you may lose "
                "your access and face consequences under the market rules and the law."
            ),
            gettext(
                "By signing in, you accept these conditions and agree to keep your password "
                "confidential."
            ),
        ),
    )


def conditions_version() -> str:
    """A digest of the conditions in all languages, stored when a holder accepts them."""
    digest = hashlib.sha256()
    for locale in LANGUAGES:
        with force_locale(locale):
            digest.update("\0".join(conditions().paragraphs).encode())
    return digest.hexdigest()[:12]
