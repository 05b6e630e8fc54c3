"""The brand of an environment: name, logo, accent colours and conditions of use.

It comes from the settings (docs/decisions/0038). They are checked at the start, so this module does
not handle files that cannot be read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort
from flask_babel import force_locale, get_locale, gettext

from idp import current
from idp.settings import Settings
from idp.settings_checks import LOGOS, conditions_file
from idp.web import i18n

_WORDS = re.compile(r"[^\W_]+")
_CACHE = "public, max-age=86400"
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Brand:
    """The brand as the page templates use it."""

    name: str
    #: A digest of logo and colours. It is part of their URLs, so that caches notice a change.
    version: str
    has_logo: bool
    has_colours: bool
    platform_url: str
    other_environment_url: str


@dataclass(frozen=True)
class Conditions:
    """The conditions of use (GW-02): a brief form for the sign-in page, and all paragraphs."""

    summary: str
    paragraphs: tuple[str, ...]


def brand(settings: Settings) -> Brand:
    """The brand of this environment."""
    logo, colours = _logo(settings), colours_of(settings)
    content = colours.encode() + (logo.read_bytes() if logo else b"")
    return Brand(
        name=settings.brand_name,
        version=hashlib.sha256(content).hexdigest()[:12],
        has_logo=logo is not None,
        has_colours=colours != colours_of(Settings()),
        platform_url=settings.platform_url,
        other_environment_url=settings.other_environment_url,
    )


def colours_of(settings: Settings) -> str:
    """A stylesheet with the accent colours for light and dark. Forced colours ignore it."""
    plain = "not (forced-colors: active)"
    return (
        f"@media {plain} {{ :root {{ --accent: {settings.brand_accent}; }} }}\n"
        f"@media (prefers-color-scheme: dark) and ({plain})"
        f" {{ :root {{ --accent: {settings.brand_accent_dark}; }} }}\n"
    )


def colours() -> Response:
    """The stylesheet of the brand."""
    response = Response(colours_of(current.runtime().settings), content_type="text/css")
    response.headers["Cache-Control"] = _CACHE
    return response


def logo() -> Response:
    """The logo of the brand; 404 if the brand has none and the built-in one is used."""
    path = _logo(current.runtime().settings)
    if path is None:
        abort(404)
    response = Response(path.read_bytes(), content_type=_TYPES[path.suffix])
    response.headers["Cache-Control"] = _CACHE
    return response


def conditions() -> Conditions:
    """The conditions of use in the language of the page: those of the brand, else the built-in
    ones. The brief form of a brand's conditions is their first paragraph."""
    locale = str(get_locale() or "en")
    path = conditions_file(current.runtime().settings, locale)
    if path is not None:
        text = path.read_text(encoding="utf-8")
        own = tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())
        return Conditions(own[0], own)
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
    for locale in i18n.LANGUAGES:
        with force_locale(locale):
            digest.update("\0".join(conditions().paragraphs).encode())
    return digest.hexdigest()[:12]


def monogram(name: str) -> str:
    """Two letters for an application: the initials of the first two words before a dash, or the
    start of a single word."""
    words: list[str] = _WORDS.findall(name.partition(" – ")[0])
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name.strip()[:2]).upper()


def _logo(settings: Settings) -> Path | None:
    if not settings.brand_folder:
        return None
    paths = (Path(settings.brand_folder) / name for name in LOGOS)
    return next((path for path in paths if path.is_file()), None)
