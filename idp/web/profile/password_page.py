"""Change the password in settings (SP-02)."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp import current
from idp.models import BrowserSession
from idp.recovery import password_replacement
from idp.web.guard import needs_session
from idp.web.login import new_password_page
from idp.web.login.signin_page import MAX_PASSWORD


def register(pages: Blueprint) -> None:
    pages.add_url_rule(
        "/settings/password", "change_password", change_password, methods=["GET", "POST"]
    )


@needs_session
def change_password(session: BrowserSession) -> Response:
    """Current password, new one twice; other sessions end."""
    action = url_for("profile.change_password")
    if request.method != "POST":
        return new_password_page.page(session.account, purpose="change", action=action)
    hours = request.form.get("overlap", "0")
    if hours not in map(str, new_password_page.OVERLAPS):
        abort(400)
    new, faults = new_password_page.chosen(session.account)
    if faults:
        return new_password_page.page(
            session.account, purpose="change", action=action, errors=faults
        )
    outcome = password_replacement.change_password(
        current.work(),
        current.hasher(),
        session,
        current=request.form.get("current", "")[:MAX_PASSWORD],
        new=new,
        overlap=timedelta(hours=int(hours)),
    )
    if not isinstance(outcome, str):
        return new_password_page.page(
            session.account, purpose="change", action=action, errors=outcome
        )
    current.set_session(session, outcome)
    flash(gettext("Password changed successfully"))
    return redirect(url_for("profile.settings"), code=303)
