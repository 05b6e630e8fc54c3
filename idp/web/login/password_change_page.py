"""A new password before the sign-in counts: after a temporary one, or when it is due (CR-06, L)."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from idp import current
from idp.mfa.assurance import PASSWORD
from idp.signin import attempt
from idp.web.login import new_password_page
from idp.web.login.signin_page import MAX_PASSWORD, proceed


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/signin/password", "change_password", change_password, methods=["GET", "POST"]
    )


def change_password() -> Response:
    """The old or temporary password again, the new one twice; then the sign-in goes on."""
    work = current.work()
    handle = request.values.get("flow", "")
    found = current.interaction()
    account = attempt.held(work, found)
    if found is None or account is None:
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    by_secret = found.change_reason == attempt.Change.TEMPORARY
    purpose, action = found.change_reason or "", url_for("login.change_password")
    if request.method != "POST":
        return new_password_page.page(account, purpose=purpose, action=action, flow=handle)
    new, faults = new_password_page.chosen(account)
    if not faults:
        old = request.form.get("current", "")[:MAX_PASSWORD]
        faults = attempt.change_password(
            work,
            current.hasher(),
            found,
            account,
            old=old,
            new=new,
            cookie=current.browser_cookie(),
        )
    if faults:
        return new_password_page.page(
            account, purpose=purpose, action=action, flow=handle, errors=faults
        )
    return proceed(account, found, PASSWORD, has_secret=by_secret)
