"""What the front refuses by itself, in the form of the path: OAuth JSON, a SCIM error, a page."""

from __future__ import annotations

import re
from html import escape

from flask import Flask
from flask_babel import force_locale

from idp.serving.exchange import Answer
from idp.web import error_responses

STATUSES = (400, 408, 500, 503)
#: Seconds after which a second try is worth while.
RETRY_AFTER = 5
LOCALES = ("en", "fr")
#: One path of each form.
SAMPLES = {"program": "/oauth2/v1/token", "scim": f"{error_responses.SCIM_PATH}v2/Users"}
_FRENCH = re.compile(rb"\s*fr\b", re.IGNORECASE)


class RefusedRequest(Exception):
    """A request that does not reach the application; ``reason`` is for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Refusals:
    """The answers, made once: refusing must cost next to nothing."""

    def __init__(self, app: Flask) -> None:
        self._made = {
            (form, status, locale): _make(app, form, status, locale)
            for form in ("program", "scim", "page")
            for status in STATUSES
            for locale in LOCALES
        }

    def answer(self, path: str, language: bytes, status: int) -> Answer:
        """The answer at a path; ``language`` is the Accept-Language header."""
        locale = "fr" if _FRENCH.match(language) else "en"
        return self._made[error_responses.form_of(path), status, locale]


def _make(app: Flask, form: str, status: int, locale: str) -> Answer:
    with app.test_request_context(SAMPLES.get(form, "/")), force_locale(locale):
        if form == "page":
            kind, body = "text/html; charset=utf-8", _page(status, locale).encode()
        else:
            response = error_responses.answer(status)
            kind, body = response.content_type, response.get_data()
    headers = {
        "content-type": kind,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if status in (408, 503):
        headers["retry-after"] = str(RETRY_AFTER)
    return Answer(status, [(k.encode(), v.encode()) for k, v in headers.items()], body)


def _page(status: int, locale: str) -> str:
    """A page that needs nothing else from here: there may be no thread to serve a style sheet."""
    title, message, advice = map(escape, error_responses.words(status))
    return (
        f'<!doctype html><html lang="{locale}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><h1>{title}</h1><p>{message}</p><p>{advice}</p></html>"
    )
