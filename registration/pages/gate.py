"""Before every page: a session; after it: the answers to what delegation refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from registration import current
from registration.pages import error_pages
from registration.pages.change_lines import refusal_lines
from registration.pages.sign_in_pages import local_path
from registration.pages.standing import NotAllowed, NotHere


def gate(view: Callable[..., str | BaseResponse]) -> Callable[..., BaseResponse]:
    """The view for people who are signed in; others are led to the gateway and back. A refusal
    rolls back what the view wrote."""

    @wraps(view)
    def guarded(**arguments: Any) -> BaseResponse:
        if current.session() is None:
            is_page = request.method == "GET"
            target = local_path(request.full_path.rstrip("?")) if is_page else "/"
            return redirect(url_for("auth.sign_in", next=target), code=303)
        try:
            return make_response(view(**arguments))
        except NotHere:
            current.work().db.rollback()
            return error_pages.page(404)
        except NotAllowed as error:
            lines = refusal_lines(error.refused, error.here)
            body = render_template("not_allowed.html", organization=error.here, lines=lines)
            current.work().db.rollback()
            return Response(body, status=403)

    return guarded
