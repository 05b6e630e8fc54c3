"""Error responses: a page for people, the protocol's form for programs. Never a traceback."""

from __future__ import annotations

from enum import StrEnum

from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, g, jsonify, render_template, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from hosted_pages.status_texts import TEXTS, ErrorText
from idp import current, metrics
from idp.directory.directory_refusals import Forbidden
from idp.errors import (
    Collision,
    Conflict,
    Invalid,
    NotFound,
    Overloaded,
    Refused,
    ServiceError,
    Unstorable,
)
from idp.limits import counter
from idp.transaction import DATABASE_UNAVAILABLE
from idp.web import forward_auth
from service_base import logs, request_metrics

log = logs.Logger("gateway.error")
PROGRAM_PATHS = ("/oauth2/v1/", "/.well-known/", "/healthz", "/readyz")
SCIM_PATH = "/scim/"
SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PAGE_PATHS = ("/oauth2/v1/authorize", "/oauth2/v1/logout")
#: What a refusal means that no view has an answer of its own for.
STATUSES: dict[type[Exception], int] = {
    Conflict: 409,
    Collision: 409,
    Invalid: 400,
    Unstorable: 400,
    NotFound: 404,
    Refused: 403,
    Forbidden: 403,
}
CODES = {
    429: "temporarily_unavailable",
    500: "server_error",
    503: "temporarily_unavailable",
}


class ErrorForm(StrEnum):
    """The form of an error, by its reader."""

    SCIM = "scim"
    #: A proxy that asks.
    FORWARD = "forward"
    PROGRAM = "program"
    #: A person.
    PAGE = "page"


if absent := {*STATUSES.values(), *CODES} - TEXTS.keys():
    raise RuntimeError(f"no text for the status {absent}")


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RateLimitExceeded, _limited)
    app.register_error_handler(OAuth2Error, _oauth)
    app.register_error_handler(ServiceError, _refused)
    app.register_error_handler(Overloaded, _overloaded)
    for kind in DATABASE_UNAVAILABLE:
        app.register_error_handler(kind, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def answer(status: int, headers: list[tuple[str, str]] | None = None) -> Response:
    """The answer for ``status`` in the form of the path."""
    response = ANSWERS[form_of(request.path)](status)
    for name, value in headers or []:
        response.headers[name] = value
    return response


def form_of(path: str) -> ErrorForm:
    """Who reads an error at this path."""
    if path.startswith(SCIM_PATH):
        return ErrorForm.SCIM
    if path == forward_auth.PATH:
        return ErrorForm.FORWARD
    if path.startswith(PROGRAM_PATHS) and not path.startswith(PAGE_PATHS):
        return ErrorForm.PROGRAM
    return ErrorForm.PAGE


def page(status: int, *, title: str = "", message: str = "", advice: str = "") -> Response:
    """The error page."""
    heading = words(status)
    body = render_template(
        "hosted/error.html",
        status=status,
        title=title or heading[0],
        message=message or heading[1],
        advice=advice or heading[2],
    )
    return Response(body, status=status)


def _for_programs(status: int) -> Response:
    code = CODES.get(status, "invalid_request")
    response = jsonify(error=code, error_description=_text(status).description)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _for_scim(status: int) -> Response:
    """RFC 7644 section 3.12."""
    response = jsonify(schemas=[SCIM_ERROR], status=str(status), detail=_text(status).description)
    response.status_code = status
    response.mimetype = "application/scim+json"
    return response


def _for_proxies(status: int) -> Response:
    """401 or 403 for every error, because no proxy passes on another status unchanged."""
    if status == 401:
        return forward_auth.challenge()
    return forward_auth.denied(CODES.get(status, "invalid_request"))


def words(status: int) -> tuple[str, str, str]:
    """Title, message and advice for people, in the language of the request."""
    found = _text(status)
    return str(found.title), str(found.message), str(found.advice)


def _text(status: int) -> ErrorText:
    return TEXTS.get(status) or TEXTS[500 if status >= 500 else 400]


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if 300 <= status < 400:
        return Response(error.get_response().get_data(), status, error.get_headers())
    headers = [pair for pair in error.get_headers() if pair[0] in ("Allow", "Retry-After")]
    return answer(status, headers)


def _limited(_error: RateLimitExceeded) -> Response:
    metrics.RATE_LIMITED.add(request.endpoint or request_metrics.NO_ENDPOINT)
    return answer(429, [("Retry-After", str(counter.retry_after_seconds()))])


#: How an error is written; a form without an answer is found at import.
ANSWERS = {
    ErrorForm.SCIM: _for_scim,
    ErrorForm.FORWARD: _for_proxies,
    ErrorForm.PROGRAM: _for_programs,
    ErrorForm.PAGE: page,
}
if missing := set(ErrorForm) - ANSWERS.keys():
    raise RuntimeError(f"no answer for {missing}")


def _refused(error: ServiceError) -> Response:
    """A refusal of a service or a database error. Nothing of the change was stored."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        return _unexpected(error)
    request_metrics.REFUSALS.add(type(error).__name__)
    log.warning("refused", code=error.code, reason=error.detail)
    return answer(status)


def _oauth(error: OAuth2Error) -> Response:
    log.warning("unhandled_protocol_error", error=error.error)
    return answer(error.status_code or 400)


def _overloaded(error: Overloaded) -> Response:
    request_metrics.FAULTS.add("overloaded")
    log.warning("overloaded", reason=error.detail)
    return answer(503, [("Retry-After", "5")])


def _unavailable(error: Exception) -> Response:
    reason = str(getattr(error, "orig", error))
    request_metrics.FAULTS.add("database_unavailable")
    log.error("database_unavailable", reason=reason)
    _without_database()
    return answer(503, [("Retry-After", "5")])


def _unexpected(error: Exception) -> Response:
    request_metrics.FAULTS.add("unexpected")
    log.error("unexpected", exc_info=error)
    _without_database()
    return answer(500)


def _without_database() -> None:
    """The page of a database failure must not use the database."""
    g.browser_session = None
    try:
        current.runtime().discard()
    except Exception as error:
        log.error("rollback_failed", error=type(error).__name__)
