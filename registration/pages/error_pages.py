"""Error answers: a plain page for people, a problem for programs. Never a trace."""

from __future__ import annotations

from flask import Flask, Response, render_template
from werkzeug.exceptions import HTTPException

from hosted_pages.status_texts import TEXTS
from registration import problems
from registration.transaction import DATABASE_UNAVAILABLE
from service_base import logs, request_metrics
from service_base.refusals import Collision, Conflict, ServiceError, Unstorable

log = logs.Logger("registration.error")
#: What a refusal means that no view has an answer of its own for.
STATUSES: dict[type[ServiceError], int] = {Conflict: 409, Collision: 409, Unstorable: 400}


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ServiceError, _refused)
    for kind in DATABASE_UNAVAILABLE:
        app.register_error_handler(kind, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def page(status: int, code: str = "") -> Response:
    """The error page; for a program a problem, of the type ``code`` if there is one."""
    if problems.is_asked():
        return problems.of_status(status, code)
    text = TEXTS.get(status) or TEXTS[500 if status >= 500 else 400]
    body = render_template(
        "hosted/error.html",
        status=status,
        title=text.title,
        message=text.message,
        advice=text.advice,
    )
    return Response(body, status=status)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if 300 <= status < 400:
        return Response(error.get_response().get_data(), status, error.get_headers())
    response = page(status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _refused(error: ServiceError) -> Response:
    """A refusal of a service or of the database: nothing of the change was kept."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 403)
    request_metrics.REFUSALS.add(type(error).__name__)
    log.warning("refused", code=error.code, reason=error.detail)
    return page(status, error.code)


def _unavailable(error: Exception) -> Response:
    reason = str(getattr(error, "orig", error))
    request_metrics.FAULTS.add("database_unavailable")
    log.error("database_unavailable", reason=reason)
    return page(503)


def _unexpected(error: Exception) -> Response:
    request_metrics.FAULTS.add("unexpected")
    log.exception("unexpected", exc_info=error)
    return page(500)
