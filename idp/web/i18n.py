"""Languages and times as people see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime
from flask import g, has_request_context, request, session
from flask_babel import get_locale, gettext

from idp import current
from idp.directory import preferences
from idp.models import Assignment, Client, RoleGroup
from idp.policy.phone_number import calling_code, formatted

LANGUAGES = ("en", "fr")
EASTERN = ZoneInfo("America/Toronto")


def choose() -> str:
    """The choice made on the page, the account's, the relying party's wish, the browser's."""
    if not has_request_context():
        return "en"
    if (chosen := session.get("locale")) in LANGUAGES:
        return str(chosen)
    signed_in = g.get("browser_session")
    if signed_in is not None and signed_in.account.locale_is_chosen:
        return str(signed_in.account.locale)
    for wish in g.get("ui_locales", ()):
        if wish.split("-")[0].lower() in LANGUAGES:
            return str(wish.split("-")[0].lower())
    return request.accept_languages.best_match(LANGUAGES) or "en"


def eastern(moment: datetime | None) -> str:
    """A moment in Eastern Time with the zone, such as "25 November 2026, 09:30 EST"."""
    if moment is None:
        return ""
    locale = get_locale() or "en"
    pattern = "d MMMM y, HH:mm zzz" if str(locale).startswith("en") else "d MMMM y, HH 'h' mm zzz"
    return format_datetime(moment.astimezone(EASTERN), pattern, tzinfo=EASTERN, locale=_canada())


def phone(e164: str, extension: str) -> str:
    """A phone number with its extension."""
    number = formatted(e164)
    if not extension:
        return number
    return str(gettext("%(number)s ext. %(extension)s", number=number, extension=extension))


def name_of(row: Client | RoleGroup) -> str:
    """The name of an application or role group in the language of the page."""
    return (_is_french() and row.name_fr) or row.name


def description_of(row: Client | RoleGroup) -> str:
    """The same of the description. Without a French one, the English one."""
    return (_is_french() and row.description_fr) or row.description


def _is_french() -> bool:
    return str(get_locale() or "en").startswith("fr")


def term(row: Assignment) -> str:
    """When a role group counts, where that is not simply now: what begins later gives no access
    yet."""
    parts = []
    if row.valid_from is not None and row.valid_from > current.work().now:
        parts.append(gettext("from %(at)s", at=eastern(row.valid_from)))
    if row.valid_until is not None:
        parts.append(gettext("until %(at)s", at=eastern(row.valid_until)))
    return ", ".join(parts)


def _canada() -> str:
    # Plain "en" and "fr" write zones as offsets; the Canadian forms know EST and HNE.
    return "fr_CA" if str(get_locale() or "en").startswith("fr") else "en_CA"


def zone_names() -> list[str]:
    """The zones that settings offer: Canada's and UTC."""
    return [
        "America/Toronto",
        "America/Halifax",
        "America/St_Johns",
        "America/Winnipeg",
        "America/Regina",
        "America/Edmonton",
        "America/Vancouver",
        "America/Whitehorse",
        "UTC",
    ]


def countries(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Countries by their ISO code, each with its name and what its numbers begin with."""
    names = Locale.parse(_canada()).territories
    return [(code, f"{names.get(code, code)} (+{calling_code(code)})") for code in codes]


def remember_choice(locale: str) -> None:
    """Keep a choice in this browser and, when somebody is signed in, in the account."""
    if locale not in LANGUAGES:
        return
    session["locale"] = locale
    signed_in = current.browser_session()
    if signed_in is not None:
        preferences.set_language(current.work(), signed_in, locale)
