"""Sign-in with user name and password (GW-02 to GW-04)."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import interactions
from idp.accounts import signin as service
from idp.models import Account, Interaction
from idp.policy.local_path import safe_path
from idp.policy.redirect_uri import origin_of

REMEMBER_SECONDS = 30 * 86400
MAX_PASSWORD = 4096


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin", "signin", signin, methods=["GET", "POST"])


def signin() -> BaseResponse:
    """Show the page, or check what was typed."""
    handle = request.values.get("flow", "")
    found = interactions.find(browser.work(), handle, browser.existing_binding())
    if found is not None and found.client is not None:
        # Before the first word is translated: the language is chosen once for each answer.
        g.ui_locales = found.request.get("ui_locales", ())
    if request.method == "POST":
        return _attempt(found)
    if found is None and browser.current_session() is not None:
        return redirect(url_for("profile.dashboard"), code=303)
    lost = bool(handle) and found is None
    notice = gettext("That sign-in was open too long. Sign in here to reach your applications.")
    return _page(found, username=_suggested_name(found), error=notice if lost else None)


def _attempt(found: Interaction | None) -> BaseResponse:
    work = browser.work()
    typed = request.form.get("username", "")
    accepted = service.attempt(
        work,
        browser.hasher(),
        typed=typed,
        password=request.form.get("password", "")[:MAX_PASSWORD],
        cookie=browser.recognition(),
        client=found.client if found else None,
    )
    if accepted is None:
        refused = gettext(
            "The user name and password do not fit. Check both, and whether Caps Lock is on."
        )
        more = gettext(
            "After many wrong tries no password is accepted for a while; then wait a quarter of "
            "an hour, or use “Need help signing in?”."
        )
        return _page(found, username=typed, error=f"{refused} {more}", status=400)
    found = found or interactions.begin(
        work, browser.binding(), return_to=safe_path(request.form.get("next"))
    )
    remember = bool(request.form.get("remember"))
    if accepted.change is not None:
        service.hold(found, accepted)
        response: BaseResponse = redirect(url_for("oidc.resume", flow=found.handle), code=303)
    else:
        response = proceed(accepted.account, found, remember=remember)
    _remember_name(response, accepted.account.username if remember else None)
    return response


def proceed(account: Account, found: Interaction, *, remember: bool = False) -> BaseResponse:
    """The password is right: a session, or first the second factor."""
    if not service.owes_factor(browser.work(), account, browser.recognition()):
        return enter(account, found, remember=remember)
    service.owe(found, account, remember=remember)
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def enter(
    account: Account, found: Interaction, *, remember: bool = False, with_factor: bool = False
) -> BaseResponse:
    """Start the session of somebody who has proved who they are, and go on with the sign-in."""
    work = browser.work()
    entered = service.enter(
        work,
        account,
        cookie=browser.recognition(),
        previous=browser.current_session(),
        remember=remember,
        client=found.client,
        with_factor=with_factor,
    )
    found.authenticated_at = work.now
    found.factor_account_id = None
    browser.enter(entered)
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def _page(
    found: Interaction | None, *, username: str, error: str | None, status: int = 200
) -> BaseResponse:
    if found is not None and found.client is not None:
        browser.allow_form_action(origin_of(found.request["redirect_uri"]))
    body = render_template(
        "signin.html",
        username=username,
        remember=bool(request.form.get("remember") or _remembered_name()),
        error=error,
        flow=found.handle if found else "",
        next_path=safe_path(request.values.get("next")),
        client_name=found.client.name if found and found.client else None,
    )
    return Response(body, status=status)


def _suggested_name(found: Interaction | None) -> str:
    """The relying party's hint, who is signed in, or the name kept in this browser."""
    if found is not None and (hint := found.request.get("login_hint")):
        return str(hint)
    session = browser.current_session()
    return session.account.username if session else _remembered_name()


def _serializer() -> URLSafeSerializer:
    keys = current_app.extensions["means"].vault.cookie_keys
    return URLSafeSerializer(list(reversed(keys)), salt="remembered-name")


def _remembered_name() -> str:
    raw = request.cookies.get(browser.means().settings.cookie_name("name"), "")
    try:
        value = _serializer().loads(raw) if raw else ""
    except BadSignature:
        return ""
    return value if isinstance(value, str) else ""


def _remember_name(response: BaseResponse, username: str | None) -> None:
    settings = browser.means().settings
    name, secure = settings.cookie_name("name"), not settings.is_loopback_http
    if username is None:
        if _remembered_name():
            response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
        return
    response.set_cookie(
        name,
        str(_serializer().dumps(username)),
        max_age=REMEMBER_SECONDS,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
