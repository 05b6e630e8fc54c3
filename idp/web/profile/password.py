"""Change the password in settings (SP-02)."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp import browser
from idp.accounts import recovery
from idp.models import BrowserSession
from idp.web.guard import needs_session
from idp.web.login import set_password
from idp.web.login.signin import MAX_PASSWORD


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/settings/password", "change_password", change_password, methods=["GET", "POST"]
    )


@needs_session
def change_password(session: BrowserSession) -> Response:
    """Current password, new one twice; other sessions end."""
    action = url_for("profile.change_password")
    if request.method != "POST":
        return set_password.page(session.account, purpose="change", action=action)
    hours = request.form.get("overlap", "0")
    if hours not in map(str, set_password.OVERLAPS):
        abort(400)
    new, faults = set_password.chosen(session.account)
    if faults:
        return set_password.page(session.account, purpose="change", action=action, errors=faults)
    outcome = recovery.change(
        browser.work(),
        browser.hasher(),
        session,
        current=request.form.get("current", "")[:MAX_PASSWORD],
        new=new,
        overlap=timedelta(hours=int(hours)),
    )
    if not isinstance(outcome, str):
        return set_password.page(session.account, purpose="change", action=action, errors=outcome)
    browser.adopt(session, outcome)
    flash(gettext("Password changed successfully"))
    return redirect(url_for("profile.settings"), code=303)
