"""A new password during a sign-in, after a temporary or expired one (CR-06)."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from idp import current
from idp.mfa.assurance import PASSWORD
from idp.policy.signin_state import ChangeReason, Evidence, PasswordChangeRequired
from idp.signin import password_change, state_loader
from idp.web.login import new_password_page
from idp.web.login.signin_page import MAX_PASSWORD, proceed


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/signin/password", "change_password", change_password, methods=["GET", "POST"]
    )


def change_password() -> Response:
    """Ask for the old or temporary password and twice for the new one; then the sign-in
    continues."""
    work = current.work()
    handle = request.values.get("flow", "")
    found = current.interaction()
    required = state_loader.progress_of(work, found)
    if found is None or not isinstance(required, PasswordChangeRequired):
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    account = state_loader.account_of(work, required)
    purpose, action = str(required.reason), url_for("login.change_password")
    if request.method != "POST":
        return new_password_page.page(account, purpose=purpose, action=action, flow=handle)
    is_first = new_password_page.is_first(account)
    new, faults = new_password_page.chosen(account)
    if not faults:
        faults = password_change.change_password(
            work,
            current.hasher(),
            required,
            old=request.form.get("current", "")[:MAX_PASSWORD],
            new=new,
            cookie=current.browser_cookie(),
        )
    if faults:
        return new_password_page.page(
            account, purpose=purpose, action=action, flow=handle, errors=faults
        )
    if is_first:
        new_password_page.accept_conditions(account)
    by_secret = required.reason is ChangeReason.TEMPORARY
    return proceed(account, found, Evidence(PASSWORD, has_secret=by_secret))
