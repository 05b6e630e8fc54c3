"""Forms that are posted after their session or cookie has ended.

Such a form changes nothing. A page shows what was entered, without passwords and codes, and the
person can send it again. This works only if the browser reports that the form came from a page of
this site, so that other sites cannot prepare a form (N17).
"""

from __future__ import annotations

from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.session import interactions
from idp.web import error_responses, field_names
from idp.web.login.signin_page import sign_in_again

#: Fields that are never kept.
SECRETS = frozenset({"password", "again", "current", "answer", "code", "credential"})
#: As much as people type; more is not stored for somebody who has not signed in.
MAX_KEPT = 16_384
#: Fields that no person types.
_MACHINERY = frozenset({"csrf_token", "account", "confirmation"})
SIGN_IN = ("login.signin", "login.passkey")


def install(app: Flask) -> None:
    """Answer forms whose token has expired."""
    app.register_error_handler(CSRFError, _stale_form)


def _stale_form(_error: CSRFError) -> BaseResponse:
    if not current.is_same_origin():
        return error_responses.page(
            400,
            title=gettext("This page has expired"),
            message=gettext("The form has expired. Nothing was changed."),
            advice=gettext("Go back, reload the page and submit the form again."),
        )
    answer = _resumed()
    if "work" in g:
        # The form check comes before the view that would commit.
        g.work.commit()
    return answer


def _resumed() -> BaseResponse:
    if request.endpoint in SIGN_IN:
        return sign_in_again(_notice())
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "needs_session", False) and current.browser_session() is None:
        return sign_in_first()
    return _page(_typed(), request.path, _way_back(), is_whole=_is_whole())


def sign_in_first() -> BaseResponse:
    """The session ended while a form was open: sign in, then review the input."""
    work, back = current.work(), _way_back()
    typed = _typed()
    if not typed or sum(len(name) + len(value) for name, value in typed) > MAX_KEPT:
        return redirect(url_for("login.signin", next=back), code=303)
    keeper = interactions.begin(
        work,
        current.browser_binding(),
        request={
            "kept": typed,
            "action": request.path,
            "back": back,
            "is_whole": _is_whole(),
            "account": current.last_account_id(),
        },
    )
    target = url_for("pages.kept", flow=keeper.handle)
    return redirect(url_for("login.signin", next=target), code=303)


def show() -> BaseResponse:
    """The input from before the session ended, for the person who entered it."""
    session, found = current.browser_session(), current.interaction()
    if session is None:
        target = url_for("pages.kept", flow=request.args.get("flow", ""))
        return redirect(url_for("login.signin", next=target), code=303)
    kept = found.request if found is not None else {}
    if "kept" not in kept or kept["account"] not in (None, session.account_id):
        return redirect(url_for("profile.dashboard"), code=303)
    if found is not None and kept["account"] is None:
        # Its owner is unknown: it belongs to the first person who signs in, and to no other.
        found.request = {**kept, "account": session.account_id}
    return _page(kept["kept"], kept["action"], kept["back"], is_whole=kept["is_whole"], status=200)


def _page(
    typed: list[list[str]], action: str, back: str, *, is_whole: bool, status: int = 400
) -> Response:
    body = render_template(
        "interrupted_form.html",
        notice=_notice() if status == 400 else "",
        typed=typed,
        shown=field_names.shown(typed),
        action=action,
        back=back,
        is_whole=is_whole,
    )
    return Response(body, status=status)


def _typed() -> list[list[str]]:
    hidden = SECRETS | _MACHINERY
    return [[n, v] for n, v in request.form.items(multi=True) if v and n not in hidden]


def _is_whole() -> bool:
    """Whether the complete input is kept, so that it can be sent unchanged."""
    return not any(request.form.get(name) for name in SECRETS)


def _way_back() -> str:
    """The page of the form."""
    rule = request.url_rule
    if rule is None or "GET" not in (rule.methods or ()):
        part = request.path.split("/")[1]
        return f"/{part}" if part in ("console", "settings") else "/"
    flow = request.form.get("flow", "")
    return url_for(rule.endpoint, **(request.view_args or {}), flow=flow or None)


def _notice() -> str:
    if current.sends_cookies():
        return str(
            gettext(
                "This page expired before you submitted it. What you entered is kept, except "
                "passwords and codes."
            )
        )
    return str(
        gettext(
            "Your browser did not send a cookie, so nothing was done. If it blocks cookies, "
            "allow them for %(host)s. You need them to sign in.",
            host=request.host,
        )
    )
