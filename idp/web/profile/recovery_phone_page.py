"""The recovery phone in settings: number and password, then the code (SP-03)."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.errors import CodeNotSent
from idp.factors import recovery_phone as service
from idp.models import BrowserSession
from idp.policy.phone_number import Fault, for_sms, formatted
from idp.recovery import password_replacement
from idp.web import factor_words
from idp.web.guard import needs_session
from idp.web.login import code_page
from idp.web.login.signin_page import MAX_PASSWORD


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/settings/phone", "phone", phone, methods=["GET", "POST"])
    pages.add_url_rule("/settings/phone/code", "phone_code", phone_code, methods=["GET", "POST"])


@needs_session
def phone(session: BrowserSession) -> BaseResponse:
    """Add, change or remove the number. The password is required, so that an unattended browser is
    not enough to add a way to recover the account (N66)."""
    if current.runtime().ports.sms is None:
        abort(404)
    if request.method != "POST":
        return _number_page(session)
    typed = request.form.get("number", "").strip()
    removing = request.form.get("do") == "remove"
    number = "" if removing else for_sms(typed, current.runtime().settings.sms_countries)
    if isinstance(number, Fault):
        return _number_page(session, typed=typed, error=factor_words.number_fault(number))
    password = request.form.get("current", "")[:MAX_PASSWORD]
    if not password_replacement.verify_password(
        current.work(), current.hasher(), session, password
    ):
        error = gettext("The current password is incorrect.")
        return _number_page(session, typed=typed, error=error)
    if removing:
        service.remove(current.work(), session.account)
        flash(gettext("The number was removed."))
        return redirect(url_for("profile.factors"), code=303)
    try:
        service.send_code(current.work(), session.account, flow_of(session), number)
    except CodeNotSent as refusal:
        error = factor_words.not_sent(refusal.limit)
        return _number_page(session, typed=typed, error=error)
    return redirect(url_for("profile.phone_code"), code=303)


@needs_session
def phone_code(session: BrowserSession) -> BaseResponse:
    """The code that came to the new number."""
    message = gettext("We sent a 6-digit code to your phone.")
    again = url_for("profile.phone")
    if request.method != "POST":
        return code_page.page(message, again=again)
    typed = request.form.get("code", "")
    if not service.confirm(current.work(), session.account, flow_of(session), typed):
        return code_page.page(message, again=again, wrong=True)
    flash(gettext("Phone number successfully verified"))
    return redirect(url_for("profile.factors"), code=303)


def flow_of(session: BrowserSession) -> str:
    """Binds codes and challenges to this session."""
    return f"session:{session.public_id}"


def _number_page(
    session: BrowserSession, *, typed: str = "", error: str | None = None
) -> BaseResponse:
    present = session.account.recovery_phone
    body = render_template(
        "phone.html",
        username=session.account.username,
        present=formatted(present) if present else "",
        typed=typed,
        error=error,
    )
    return Response(body, status=400 if error else 200)
