"""The languages of pages, and times in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from flask import request, session
from flask_babel import get_locale

LANGUAGES = ("en", "fr")
EASTERN = ZoneInfo("America/Toronto")
_KEY = "locale"


def catalogues(*folders: Path) -> str:
    """The folders with translations as Flask-Babel takes them: those of this package and of the
    application."""
    return ";".join(str(folder) for folder in (Path(__file__).parent / "translations", *folders))


def chosen_on_page() -> str | None:
    """The language that was chosen on a page of this browser."""
    language = session.get(_KEY)
    return str(language) if language in LANGUAGES else None


def remember(language: str) -> bool:
    """Keep a choice in this browser; False if it is none of the languages."""
    if language not in LANGUAGES:
        return False
    session[_KEY] = language
    return True


def first_of(wishes: Iterable[str]) -> str | None:
    """The first of the wishes (BCP 47) that is one of the languages."""
    short = (wish.split("-")[0].lower() for wish in wishes)
    return next((language for language in short if language in LANGUAGES), None)


def of_browser() -> str:
    """The language that the browser asks for."""
    return request.accept_languages.best_match(LANGUAGES) or "en"


def is_french() -> bool:
    """Whether the page is in French."""
    return str(get_locale() or "en").startswith("fr")


def canadian() -> str:
    """The locale for dates and names. Plain "en" and "fr" write zones as offsets; the Canadian
    forms know EST and HNE."""
    return "fr_CA" if is_french() else "en_CA"


def eastern(moment: datetime | None) -> str:
    """A moment in Eastern Time with the zone, such as "25 November 2026, 09:30 EST"."""
    if moment is None:
        return ""
    pattern = "d MMMM y, HH 'h' mm zzz" if is_french() else "d MMMM y, HH:mm zzz"
    return format_datetime(moment.astimezone(EASTERN), pattern, tzinfo=EASTERN, locale=canadian())


def day(value: date | datetime | None) -> str:
    """A day in Eastern Time, such as "25 November 2026"."""
    if value is None:
        return ""
    local = value.astimezone(EASTERN).date() if isinstance(value, datetime) else value
    return _written(local, canadian())


@lru_cache(maxsize=1024)
def _written(local: date, locale: str) -> str:
    """Lists show the same few days many times."""
    return format_date(local, "d MMMM y", locale=locale)
