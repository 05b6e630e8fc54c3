"""The mails, in words: one template for each kind and language, text and HTML from one source.

A template is plain text. Its first line is the subject; blank lines separate paragraphs; a
paragraph that is nothing but an address of the gateway becomes a button in the HTML part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
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
    "account_suspended",
    "activation_finished",
    "not_activated",
    "password_changed",
    "password_reset_link",
)
LOCALES = ("en", "fr")
EASTERN = ZoneInfo("America/Toronto")
MAX_NAME = 100
ENVIRONMENTS = {
    "en": {"sandbox": "Sandbox", "production": "Production"},
    "fr": {"sandbox": "Bac à sable", "production": "Production"},
}
BUTTONS = {
    "account_created": {"en": "Activate my account", "fr": "Activer mon compte"},
    "password_reset_link": {"en": "Choose a new password", "fr": "Choisir un nouveau mot de passe"},
}


@dataclass(frozen=True)
class Rendered:
    """A mail's words."""

    subject: str
    text: str
    html: str


def _environment() -> Environment:
    # Plain text is not escaped here; the HTML part escapes every paragraph itself.
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
) -> Rendered:
    """The words of a mail. ``data`` may hold ``path`` (a path of the gateway) and ``expires_at``.
    Links are built from the configured issuer only (N60); ValueError when ``path`` is no path of
    this site."""
    values = {key: _inert(value) for key, value in data.items()}
    if "path" in values:
        values["link"] = _link(settings, values.pop("path"))
    if isinstance(values.get("expires_at"), datetime):
        values["expires"] = _moment(values.pop("expires_at"), locale)
    place = ENVIRONMENTS[locale][settings.environment]
    text = _template(kind, locale).render(
        name=harmless(name), username=username, environment=place, settings=settings, **values
    )
    subject, _, body = text.partition("\n")
    if settings.environment == "sandbox":
        subject = f"[{place}] {subject}"
    return Rendered(
        subject.strip(),
        body.strip() + "\n",
        _html(body.strip(), locale, settings.issuer, BUTTONS.get(kind, {}).get(locale, "")),
    )


def harmless(name: str) -> str:
    """A display name without control or direction-changing characters, bounded (N82)."""
    return _one_line(name)[:MAX_NAME]


def _one_line(text: str) -> str:
    # split() also takes the line separators of Unicode, which are no control characters.
    return " ".join("".join(char for char in text if printable(char)).split())


def _inert(value: Any) -> Any:
    """Lists hold names of role groups and participants: text that others typed (N82)."""
    return [_one_line(entry) for entry in value] if isinstance(value, list) else value


def _link(settings: Settings, path: str) -> str:
    if safe_path(path) != path:
        raise ValueError("not a path of the gateway")
    return settings.issuer + path


def _template(kind: str, locale: str) -> Template:
    return _TEMPLATES.get_template(f"{kind}.{locale}.txt")


def _moment(moment: datetime, locale: str) -> str:
    """A moment in Eastern Time with its zone."""
    pattern = "d MMMM y, HH:mm zzz" if locale == "en" else "d MMMM y, HH 'h' mm zzz"
    return format_datetime(
        moment.astimezone(EASTERN), pattern, tzinfo=EASTERN, locale=f"{locale}_CA"
    )


def _html(body: str, locale: str, issuer: str, button: str) -> str:
    parts = []
    for paragraph in body.split("\n\n"):
        if button and paragraph.startswith(issuer) and " " not in paragraph.strip():
            link = escape(paragraph.strip(), quote=True)
            parts.append(f'<p><a href="{link}"><strong>{escape(button)}</strong></a></p>')
            parts.append(f"<p>{link}</p>")
        else:
            parts.append(f"<p>{'<br>'.join(map(escape, paragraph.splitlines()))}</p>")
    inner = Markup("\n").join(map(Markup, parts))
    return (
        f'<!doctype html>\n<html lang="{locale}"><head><meta charset="utf-8"></head>'
        f'<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">\n{inner}\n'
        "</body></html>\n"
    )
