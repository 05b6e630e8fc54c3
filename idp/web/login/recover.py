"""Forgot password, and where to turn for a locked account (RS-01, RS-02, RS-09)."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import activation, recovery
from idp.accounts.links import Problem, Purpose
from idp.web.login import set_password
from idp.web.login.activate import drop_token, keep_token, kept_token, problem_page


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
    if "token" in request.args:
        return keep_token(Purpose.RESET, url_for("recover.open_link"))
    found = activation.owner_of(browser.work(), Purpose.RESET, kept_token(Purpose.RESET))
    if isinstance(found, Problem):
        return problem_page(found, Purpose.RESET)
    link, account = found
    action = url_for("recover.open_link")
    if request.method != "POST":
        return set_password.page(account, purpose="reset", action=action)
    password, faults = set_password.chosen(account)
    if faults:
        return set_password.page(account, purpose="reset", action=action, errors=faults)
    broken = recovery.finish(browser.work(), browser.hasher(), link, account, password)
    if isinstance(broken, Problem):
        return problem_page(broken, Purpose.RESET, link)
    if broken:
        return set_password.page(account, purpose="reset", action=action, errors=broken)
    drop_token(Purpose.RESET)
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
