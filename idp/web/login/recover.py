"""Forgot password, and where to turn for a locked account (RS-01, RS-02, RS-09)."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import recovery
from idp.accounts.links import Purpose
from idp.models import Account
from idp.web.login import mailed_link


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/recover", "start", start, methods=["GET", "POST"])
    pages.add_url_rule("/recover/open", "open_link", open_link, methods=["GET", "POST"])
    pages.add_url_rule("/recover/unlock", "unlock", unlock)


def start() -> BaseResponse:
    """Ask for a name; the answer is the same whoever has it (N48)."""
    if request.method != "POST":
        return Response(render_template("recover.html", error=None))
    typed = request.form.get("username", "").strip()
    if not typed:
        error = gettext("Enter your user name or your e-mail address.")
        return Response(render_template("recover.html", error=error), status=400)
    recovery.request(browser.work(), typed)
    return Response(render_template("recover_sent.html"))


def open_link() -> BaseResponse:
    """The page of a reset link: a new password, then sign in with it."""
    return mailed_link.serve(Purpose.RESET, "recover.open_link", recovery.finish, _changed)


def _changed(_account: Account) -> BaseResponse:
    """Nobody is signed in by a reset (N66)."""
    browser.forget()
    body = render_template(
        "message.html",
        title=gettext("Password changed successfully"),
        message=gettext("You are signed out everywhere. Sign in with your new password to go on."),
        link={"url": url_for("login.signin"), "text": gettext("Sign in")},
    )
    return Response(body)


def unlock() -> BaseResponse:
    """Who unlocks an account."""
    return Response(render_template("unlock.html"))
