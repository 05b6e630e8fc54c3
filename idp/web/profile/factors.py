"""Extra verification in settings: an authenticator app, recovery codes (SP-04, MF-07, MF-08)."""

from __future__ import annotations

import segno
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import factors as service
from idp.accounts import recovery, sessions
from idp.accounts.signin import MFA_AMR
from idp.mfa import totp
from idp.models import Authenticator, BrowserSession
from idp.policy.scopes import ACR_MFA
from idp.web.guard import needs_session
from idp.web.login.factor import MAX_TYPED
from idp.web.login.signin import MAX_PASSWORD


def register(pages: Blueprint) -> None:
    both = ["GET", "POST"]
    for path, view in (
        ("/settings/authenticator", authenticator),
        ("/settings/authenticator/confirm", confirm_authenticator),
        ("/settings/authenticator/<public_id>/remove", remove_authenticator),
        ("/settings/recovery-codes", recovery_codes),
    ):
        pages.add_url_rule(path, view.__name__, view, methods=both)


@needs_session
def authenticator(session: BrowserSession) -> BaseResponse:
    """Begin to set up an app: who is here is proved first, by what there is (N66)."""
    title = gettext("Set up an authenticator app")
    if request.method != "POST":
        return _proof_page(session, title, button=gettext("Continue"), ask_name=True)
    if not _is_proved(session):
        return _proof_page(session, title, button=gettext("Continue"), ask_name=True, wrong=True)
    service.begin(browser.work(), session.account, request.form.get("name", ""))
    return redirect(url_for("profile.confirm_authenticator"), code=303)


@needs_session
def confirm_authenticator(session: BrowserSession) -> BaseResponse:
    """The QR code and the key; the first code makes it count."""
    work, account = browser.work(), session.account
    row = service.begun(work, account)
    if row is None:
        flash(gettext("That took too long. Begin again."))
        return redirect(url_for("profile.authenticator"), code=303)
    if request.method != "POST":
        return _setup_page(session, row)
    codes = service.confirm(work, account, row, request.form.get("code", "")[:MAX_TYPED])
    if codes is None:
        return _setup_page(session, row, wrong=True)
    cookie = sessions.raise_level(work, session, amr=MFA_AMR, acr=ACR_MFA)
    browser.adopt(session, cookie)
    flash(gettext("The authenticator app is set up."))
    return _codes_page(codes) if codes else redirect(url_for("profile.settings"), code=303)


@needs_session
def remove_authenticator(session: BrowserSession, public_id: str) -> BaseResponse:
    """Remove an app, with a code of it or of another factor."""
    rows = [row for row in service.of(browser.work(), session.account)
            if row.public_id == public_id]  # fmt: skip
    if not rows:
        abort(404)
    title, button = gettext("Remove the authenticator app"), gettext("Remove it")
    if request.method != "POST":
        return _proof_page(session, title, button=button)
    if not _is_proved(session):
        return _proof_page(session, title, button=button, wrong=True)
    service.remove(browser.work(), session.account, public_id)
    flash(gettext("The authenticator app is removed."))
    return redirect(url_for("profile.settings"), code=303)


@needs_session
def recovery_codes(session: BrowserSession) -> BaseResponse:
    """New recovery codes; the earlier ones end."""
    if not service.of(browser.work(), session.account):
        abort(404)
    title, button = gettext("New recovery codes"), gettext("Make new codes")
    if request.method != "POST":
        return _proof_page(session, title, button=button)
    if not _is_proved(session):
        return _proof_page(session, title, button=button, wrong=True)
    return _codes_page(service.make_recovery_codes(browser.work(), session.account))


def _is_proved(session: BrowserSession) -> bool:
    """By a code of a factor where there is one, else by the password; a session that was opened
    long ago, or by somebody else, is not enough (N66)."""
    work = browser.work()
    if service.of(work, session.account):
        typed = request.form.get("code", "")[:MAX_TYPED]
        return service.check(work, session.account, typed) is not None
    password = request.form.get("current", "")[:MAX_PASSWORD]
    return recovery.confirm(work, browser.hasher(), session, password)


def _proof_page(
    session: BrowserSession,
    title: str,
    *,
    button: str,
    ask_name: bool = False,
    wrong: bool = False,
) -> Response:
    body = render_template(
        "factor_proof.html",
        title=title,
        button=button,
        action=request.path,
        ask_name=ask_name,
        by_code=bool(service.of(browser.work(), session.account)),
        username=session.account.username,
        wrong=wrong,
    )
    return Response(body, status=400 if wrong else 200)


def _setup_page(session: BrowserSession, row: Authenticator, *, wrong: bool = False) -> Response:
    secret = service.secret(browser.work(), row)
    settings = browser.means().settings
    label = "IESO Gateway" + (" Sandbox" if settings.environment == "sandbox" else "")
    address = totp.uri(secret, username=session.account.username, issuer=label)
    picture = segno.make(address, error="m").svg_inline(
        scale=5, border=4, dark="#000000", light="#ffffff", omitsize=True, title=gettext("QR code")
    )
    body = render_template(
        "authenticator.html",
        picture=Markup(picture),  # noqa: S704 - made here, of our own address
        key=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        wrong=wrong,
    )
    return Response(body, status=400 if wrong else 200)


def _codes_page(codes: list[str]) -> Response:
    return Response(render_template("recovery_codes.html", codes=codes))
