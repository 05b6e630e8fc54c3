"""Render mails and text messages: one template for each kind and language; text and HTML come from
the same template.

A template is plain text. Its first line is the subject. Blank lines separate paragraphs. A
paragraph that contains only a URL of the gateway becomes a button in the HTML part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.policy.local_path import safe_path
from idp.policy.names import printable
from idp.settings import Settings

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
        # The templates are those of the package, which do not change while it runs.
        auto_reload=False,
    )


class MissingTemplate(Exception):
    """Kinds of message without a template in each language. Raised at import."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(f"no template {', '.join(sorted(names))}")
        self.names = frozenset(names)


def template_names(kinds: Iterable[MailKind | TextMessageKind]) -> set[str]:
    """The templates that these kinds need: one for each language."""
    return {f"{kind}.{locale}.txt" for kind in kinds for locale in LOCALES}


def check_templates(names: Collection[str], environment: Environment) -> None:
    """Raises MissingTemplate if the environment does not have all of them."""
    if missing := set(names).difference(environment.list_templates()):
        raise MissingTemplate(missing)


_TEMPLATES = _environment()
check_templates(template_names((*MailKind, *TextMessageKind)), _TEMPLATES)


def render(
    kind: MailKind,
    locale: str,
    settings: Settings,
    name: str,
    username: str,
    data: Mapping[str, Any],
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
    kind: TextMessageKind, locale: str, settings: Settings, data: Mapping[str, Any]
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
    kept = text if printable(text) else "".join(char for char in text if printable(char))
    # split() also removes the Unicode line separators, which are not control characters.
    return " ".join(kept.split())


def _inert(value: Any) -> Any:
    """Names of role groups, participants, agents and programs: text entered by others (N82)."""
    if isinstance(value, list):
        return [_one_line(entry) for entry in value]
    return _one_line(value) if isinstance(value, str) else value


def _link(settings: Settings, path: str) -> str:
    if safe_path(path) != path:
        raise ValueError("not a path of the gateway")
    return settings.issuer + path


def _template(kind: MailKind | TextMessageKind, locale: str) -> Template:
    return _TEMPLATES.get_template(f"{kind}.{locale}.txt")


@lru_cache(64)
def _moment(moment: datetime, locale: str) -> str:
    """A time in Eastern Time, with its zone."""
    # Few messages have one.
    from babel.dates import format_datetime

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
    inner = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{locale}"><head><meta charset="utf-8"></head>'
        f'<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">\n{inner}\n'
        "</body></html>\n"
    )
