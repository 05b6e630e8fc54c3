"""Render mails and text messages: one template for each kind and language; text and HTML come from
the same template.

A template is plain text. Its first line is the subject. Blank lines separate paragraphs. A
paragraph that contains only a URL of the gateway becomes a button in the HTML part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from idp.policy.local_path import safe_path
from idp.policy.names import printable
from idp.settings import Settings

KINDS = (
    "access_changed",
    "account_created",
    "account_deactivated",
    "account_locked",
    "account_restored",
    "account_restored_reset",
    "account_suspended",
    "account_unlocked",
    "activation_finished",
    "activation_reminder",
    "address_changed",
    "browser_suspect",
    "caller_code",
    "contact_added",
    "contact_ended",
    "contact_vacant",
    "custodian_changed",
    "custodian_left",
    "enrol_code",
    "factor_added",
    "factor_changed",
    "factor_code",
    "factor_failed",
    "factor_removed",
    "factors_reset",
    "holder_access_changed",
    "holder_account_ended",
    "holder_not_activated",
    "machine_dormant",
    "machine_key_added",
    "machine_key_ends",
    "networks_changed",
    "not_activated",
    "passkey_copied",
    "password_changed",
    "password_reset_by_agent",
    "password_reset_link",
    "profile_changed",
    "question_changed",
    "recovery_code_used",
    "recovery_codes_made",
    "recovery_not_possible",
    "recovery_phone_changed",
    "renewal_reminder",
    "sessions_ended",
    "setup_code",
    "signin_from_new_browser",
    "signin_locked",
    "temporary_password_issued",
    "unlock_link",
)
#: Kinds of text message: one short text without a subject.
SMS_KINDS = (
    "sms_caller_code",
    "sms_factor_code",
    "sms_phone_code",
    "sms_reset_code",
    "sms_setup_code",
    "sms_unlock_code",
)
#: Sent first: the user waits for a code at a page, and for a link at the mailbox.
CODES = (*SMS_KINDS, "caller_code", "enrol_code", "factor_code", "setup_code")
LINKS = ("password_reset_link", "unlock_link")
LOCALES = ("en", "fr")
EASTERN = ZoneInfo("America/Toronto")
MAX_NAME = 100
ENVIRONMENTS = {
    "en": {"sandbox": "Sandbox", "production": "Production"},
    "fr": {"sandbox": "Bac à sable", "production": "Production"},
}
#: Button labels, by the page that the URL leads to.
BUTTONS = {
    "/activate": {"en": "Activate my account", "fr": "Activer mon compte"},
    "/recover/open": {"en": "Choose a new password", "fr": "Choisir un nouveau mot de passe"},
    "/recover/unlock/open": {"en": "Unlock my account", "fr": "Déverrouiller mon compte"},
    "/recover/not-me": {"en": "This was not me", "fr": "Ce n’était pas moi"},
    "/call": {"en": "Verify who is calling", "fr": "Vérifier qui appelle"},
}


@dataclass(frozen=True)
class RenderedMessage:
    """A rendered mail."""

    subject: str
    text: str
    html: str


def _environment() -> Environment:
    # Plain text needs no escaping; the HTML part escapes every paragraph.
    return Environment(
        loader=PackageLoader("idp.messages"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - text templates; see _html
        keep_trailing_newline=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEMPLATES = _environment()


def render(
    kind: str, locale: str, settings: Settings, name: str, username: str, data: Mapping[str, Any]
) -> RenderedMessage:
    """Render a mail. In ``data``, times are formatted in Eastern Time, and ``path`` or ``..._path``
    (a path of the gateway) becomes ``link`` or ``..._link``. Links use the configured issuer only
    (N60). Raises ValueError for a path outside the gateway."""
    values = _values(settings, locale, data)
    place = ENVIRONMENTS[locale][settings.environment]
    text = _template(kind, locale).render(
        name=sanitized_name(name), username=username, environment=place, settings=settings, **values
    )
    subject, _, body = text.partition("\n")
    if settings.environment == "sandbox":
        subject = f"[{place}] {subject}"
    return RenderedMessage(
        subject.strip(),
        body.strip() + "\n",
        _html(body.strip(), locale, settings.issuer),
    )


def render_sms(
    kind: str, locale: str, settings: Settings, data: Mapping[str, Any]
) -> RenderedMessage:
    """Render a text message."""
    place = ENVIRONMENTS[locale][settings.environment]
    values = _values(settings, locale, data)
    # With the last line, browsers offer the code on this site only (WebOTP).
    host = urlsplit(settings.issuer).hostname
    text = (
        _template(kind, locale)
        .render(environment=place, settings=settings, host=host, **values)
        .strip()
    )
    if settings.environment == "sandbox":
        text = f"[{place}] {text}"
    return RenderedMessage("", text + "\n", "")


def _values(settings: Settings, locale: str, data: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key == "path" or key.endswith("_path"):
            values[key.removesuffix("path") + "link"] = _link(settings, value)
        elif isinstance(value, datetime):
            values["expires" if key == "expires_at" else key] = _moment(value, locale)
        else:
            values[key] = _inert(value)
    return values


def sanitized_name(name: str) -> str:
    """A display name, shortened, without control or bidirectional override characters (N82)."""
    return _one_line(name)[:MAX_NAME]


def _one_line(text: str) -> str:
    # split() also removes the Unicode line separators, which are not control characters.
    return " ".join("".join(char for char in text if printable(char)).split())


def _inert(value: Any) -> Any:
    """Names of role groups, participants, agents and programs: text entered by others (N82)."""
    if isinstance(value, list):
        return [_one_line(entry) for entry in value]
    return _one_line(value) if isinstance(value, str) else value


def _link(settings: Settings, path: str) -> str:
    if safe_path(path) != path:
        raise ValueError("not a path of the gateway")
    return settings.issuer + path


def _template(kind: str, locale: str) -> Template:
    return _TEMPLATES.get_template(f"{kind}.{locale}.txt")


def _moment(moment: datetime, locale: str) -> str:
    """A time in Eastern Time, with its zone."""
    pattern = "d MMMM y, HH:mm zzz" if locale == "en" else "d MMMM y, HH 'h' mm zzz"
    return format_datetime(
        moment.astimezone(EASTERN), pattern, tzinfo=EASTERN, locale=f"{locale}_CA"
    )


def _html(body: str, locale: str, issuer: str) -> str:
    parts = []
    for paragraph in body.split("\n\n"):
        address = paragraph.strip()
        if address.startswith(f"{issuer}/") and " " not in address:
            page = address.removeprefix(issuer).partition("?")[0]
            words = BUTTONS.get(page, {}).get(locale, address)
            link = escape(address, quote=True)
            parts.append(f'<p><a href="{link}"><strong>{escape(words)}</strong></a></p>')
            parts.append(f"<p>{link}</p>")
        else:
            parts.append(f"<p>{'<br>'.join(map(escape, paragraph.splitlines()))}</p>")
    inner = Markup("\n").join(map(Markup, parts))
    return (
        f'<!doctype html>\n<html lang="{locale}"><head><meta charset="utf-8"></head>'
        f'<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">\n{inner}\n'
        "</body></html>\n"
    )
