"""Responses that the server sends without the application, in the form of the path: OAuth JSON, a
SCIM error, a forward-authentication response, or a page."""

from __future__ import annotations

import re
from functools import cache, partial
from html import escape

from flask import Flask, Response
from flask_babel import force_locale
from werkzeug.test import create_environ

from idp.oidc.endpoints import cors
from idp.serving.exchange import Answer, Headers
from idp.web import error_responses, forward_auth
from idp.web.error_responses import ErrorForm

#: ``Retry-After`` in seconds.
RETRY_AFTER = 5
#: It is ambiguous which one the proxy means, so neither is used.
TWO_CREDENTIALS = "repeated_authorization"
#: One path of each form.
SAMPLES = {
    ErrorForm.PROGRAM: "/oauth2/v1/token",
    ErrorForm.SCIM: f"{error_responses.SCIM_PATH}v2/Users",
    ErrorForm.FORWARD: forward_auth.PATH,
    ErrorForm.PAGE: "/",
}
_FRENCH = re.compile(rb"\s*fr\b", re.IGNORECASE)


class RefusedRequest(Exception):
    """A request that does not reach the application; ``reason`` is for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Refusals:
    """The responses, each rendered once, when it is first needed, so that a refusal costs almost
    nothing."""

    def __init__(self, app: Flask) -> None:
        self._made = cache(partial(_make, app))

    def answer(self, path: str, language: bytes, refusal: RefusedRequest) -> Answer:
        """The response for a path; ``language`` is the Accept-Language header."""
        locale = "fr" if _FRENCH.match(language) else "en"
        form, status = error_responses.form_of(path), refusal.status
        if form is ErrorForm.FORWARD and refusal.reason == TWO_CREDENTIALS:
            status = 401
        made = self._made(form, status, locale)
        readable = _fields(cors.headers_of_failure(path))
        return made._replace(headers=[*made.headers, *readable])


def _make(app: Flask, form: ErrorForm, status: int, locale: str) -> Answer:
    with app.request_context(create_environ(SAMPLES[form])), force_locale(locale):
        if form is ErrorForm.PAGE:
            response = Response(_page(status, locale), status)
        else:
            response = error_responses.answer(status)
    headers = {name.lower(): value for name, value in response.headers.items()} | {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if status in (408, 503):
        headers["retry-after"] = str(RETRY_AFTER)
    return Answer(response.status_code, _fields(headers), response.get_data())


def _fields(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _page(status: int, locale: str) -> str:
    """A self-contained page: there may be no thread to serve a style sheet."""
    title, message, advice = map(escape, error_responses.words(status))
    return (
        f'<!doctype html><html lang="{locale}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><h1>{title}</h1><p>{message}</p><p>{advice}</p></html>"
    )
