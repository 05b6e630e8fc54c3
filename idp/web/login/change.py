"""A new password before the sign-in counts: after a temporary one, or when it is due (CR-06, L)."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from idp import browser
from idp.accounts import signin
from idp.mfa.assurance import PASSWORD
from idp.web.login import set_password
from idp.web.login.signin import MAX_PASSWORD, proceed


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/signin/password", "change_password", change_password, methods=["GET", "POST"]
    )


def change_password() -> Response:
    """The old or temporary password again, the new one twice; then the sign-in goes on."""
    work = browser.work()
    handle = request.values.get("flow", "")
    found = browser.under_way()
    account = signin.held(work, found)
    if found is None or account is None:
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    by_secret = found.change_reason == signin.Change.TEMPORARY
    purpose, action = found.change_reason or "", url_for("login.change_password")
    if request.method != "POST":
        return set_password.page(account, purpose=purpose, action=action, flow=handle)
    new, faults = set_password.chosen(account)
    if not faults:
        old = request.form.get("current", "")[:MAX_PASSWORD]
        faults = signin.change_password(
            work,
            browser.hasher(),
            found,
            account,
            old=old,
            new=new,
            cookie=browser.recognition(),
        )
    if faults:
        return set_password.page(
            account, purpose=purpose, action=action, flow=handle, errors=faults
        )
    return proceed(account, found, PASSWORD, has_secret=by_secret)
