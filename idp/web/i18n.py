"""The language of a page, and numbers and names of the directory in it."""

from __future__ import annotations

from collections.abc import Iterable

from babel import Locale
from flask import g, has_request_context
from flask_babel import gettext

from hosted_pages import languages
from hosted_pages.languages import canadian, eastern, is_french
from idp import current
from idp.directory import preferences
from idp.models import Assignment, Client, RoleGroup
from idp.policy.phone_number import calling_code, formatted


def choose() -> str:
    """The language chosen on the page, else that of the account, of the relying party's request, or
    of the browser."""
    if not has_request_context():
        return "en"
    if chosen := languages.chosen_on_page():
        return chosen
    signed_in = g.get("browser_session")
    if signed_in is not None and signed_in.account.locale_is_chosen:
        return str(signed_in.account.locale)
    return languages.first_of(g.get("ui_locales", ())) or languages.of_browser()


def phone(e164: str, extension: str) -> str:
    """A phone number with its extension."""
    number = formatted(e164)
    if not extension:
        return number
    return str(gettext("%(number)s ext. %(extension)s", number=number, extension=extension))


def name_of(row: Client | RoleGroup) -> str:
    """The name of an application or role group in the language of the page."""
    return (is_french() and row.name_fr) or row.name


def description_of(row: Client | RoleGroup) -> str:
    """The description in the language of the page; without a French one, the English one."""
    return (is_french() and row.description_fr) or row.description


def term(row: Assignment) -> str:
    """The validity of a role group, unless it is simply valid now. One that starts later gives no
    access yet."""
    parts = []
    if row.valid_from is not None and row.valid_from > current.work().now:
        parts.append(gettext("from %(at)s", at=eastern(row.valid_from)))
    if row.valid_until is not None:
        parts.append(gettext("until %(at)s", at=eastern(row.valid_until)))
    return ", ".join(parts)


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
    """Countries by their ISO code, each with its name and calling code."""
    names = Locale.parse(canadian()).territories
    return [(code, f"{names.get(code, code)} (+{calling_code(code)})") for code in codes]


def remember_choice(locale: str) -> None:
    """Store the choice in this browser and, if somebody is signed in, in the account."""
    if not languages.remember(locale):
        return
    signed_in = current.browser_session()
    if signed_in is not None:
        preferences.set_language(current.work(), signed_in, locale)
