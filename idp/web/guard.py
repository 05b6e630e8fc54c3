"""Pages for people who are signed in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from idp import current
from idp.models import BrowserSession
from idp.policy.local_path import safe_path
from idp.web import interrupted_forms

P = ParamSpec("P")


def needs_session(
    view: Callable[Concatenate[BrowserSession, P], Response],
) -> Callable[P, Response]:
    """Pass the session to the view, or redirect to the sign-in page and back."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        session = current.browser_session()
        if session is None and request.method == "POST":
            return interrupted_forms.sign_in_first()
        if session is None:
            here = safe_path(request.full_path.rstrip("?"))
            target = None if here == "/" else here
            return redirect(url_for("login.signin", next=target), code=303)
        return view(session, *args, **kwargs)

    guarded.needs_session = True  # type: ignore[attr-defined]
    return guarded
