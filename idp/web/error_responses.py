"""Error answers: a plain page for people, the protocol's form for programs. Never a trace."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, g, jsonify, render_template, request
from flask_babel import lazy_gettext as _
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from idp.directory.directory_refusals import Forbidden
from idp.errors import (
    Collision,
    Conflict,
    GatewayError,
    Invalid,
    NotFound,
    Overloaded,
    Refused,
    Unstorable,
)
from idp.limits import counter
from idp.transaction import DATABASE_UNAVAILABLE, discard
from idp.web import forward_auth

log = structlog.get_logger("gateway.error")
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
    """Who reads an error, and so its form."""

    SCIM = "scim"
    #: A proxy that asks.
    FORWARD = "forward"
    PROGRAM = "program"
    #: A person.
    PAGE = "page"


@dataclass(frozen=True)
class ErrorText:
    """What an error means."""

    #: For people, in the language of the request.
    title: Any
    message: Any
    advice: Any
    #: For programs.
    description: str


_HOME = _("Go to your applications and start again.")
#: By status; other ones have the text of 400 or of 500.
TEXTS = {
    400: ErrorText(
        _("Invalid request"),
        _("This page cannot process the information that your browser sent."),
        _HOME,
        "The request cannot be understood.",
    ),
    403: ErrorText(
        _("Access denied"),
        _("You do not have permission to open this page."),
        _HOME,
        "The request cannot be understood.",
    ),
    404: ErrorText(
        _("Page not found"),
        _("We cannot find a page at this address."),
        _HOME,
        "There is nothing at this address.",
    ),
    405: ErrorText(
        _("Action not allowed"),
        _("You cannot use this page in this way."),
        _HOME,
        "This method is not supported here.",
    ),
    408: ErrorText(
        _("Request timed out"),
        _("Your request took too long to arrive. Nothing was changed."),
        _("Check your connection, then try again."),
        "The request took too long to arrive.",
    ),
    409: ErrorText(
        _("Another change was made first"),
        _("Someone changed this information before you. Your change was not saved."),
        _("Go back, reload the page and check the information."),
        "Another change came first.",
    ),
    413: ErrorText(
        _("Request too large"),
        _("The information that you sent is too large."),
        _HOME,
        "The request is too large.",
    ),
    429: ErrorText(
        _("Too many attempts"),
        _("There were too many attempts from your network."),
        _("Wait a minute, then try again."),
        "Too many requests; wait and try again.",
    ),
    500: ErrorText(
        _("Something went wrong"),
        _("The problem is on our side and has been recorded. Nothing was changed."),
        _(
            "Try again. If the problem continues, contact Customer Relations and quote the "
            "reference below."
        ),
        "Error.",
    ),
    503: ErrorText(
        _("Service temporarily unavailable"),
        _(
            "The gateway is not available right now. The information that you entered was not "
            "saved."
        ),
        _("Wait a few seconds, then try again."),
        "Try again in a moment.",
    ),
}
if absent := {*STATUSES.values(), *CODES} - TEXTS.keys():
    raise RuntimeError(f"no text for the status {absent}")


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RateLimitExceeded, _limited)
    app.register_error_handler(OAuth2Error, _oauth)
    app.register_error_handler(GatewayError, _refused)
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
        "error.html",
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
    """401 or 403, whatever happened: no proxy passes anything else on as it is."""
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


def _refused(error: GatewayError) -> Response:
    """A refusal of a service or of the database itself: nothing of the change was kept."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        return _unexpected(error)
    log.warning("refused", code=error.code, reason=error.detail, request_id=g.get("request_id"))
    return answer(status)


def _oauth(error: OAuth2Error) -> Response:
    log.warning("unhandled_protocol_error", error=error.error)
    return answer(error.status_code or 400)


def _overloaded(error: Overloaded) -> Response:
    log.warning("overloaded", reason=error.detail, request_id=g.get("request_id"))
    return answer(503, [("Retry-After", "5")])


def _unavailable(error: Exception) -> Response:
    reason = str(getattr(error, "orig", error))
    log.error("database_unavailable", reason=reason, request_id=g.get("request_id"))
    _without_database()
    return answer(503, [("Retry-After", "5")])


def _unexpected(error: Exception) -> Response:
    log.error("unexpected", request_id=g.get("request_id"), exc_info=error)
    _without_database()
    return answer(500)


def _without_database() -> None:
    """The page of a failure must not need what has failed."""
    g.browser_session = None
    try:
        discard()
    except Exception as error:
        log.error("rollback_failed", error=type(error).__name__)
