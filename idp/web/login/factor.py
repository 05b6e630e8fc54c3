"""The second factor at a sign-in, or when an application demands more than the session has."""

from __future__ import annotations

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import factors, interactions, sessions, signin
from idp.models import Account, BrowserSession, Interaction
from idp.policy.redirect_uri import origin_of
from idp.policy.scopes import ACR_MFA
from idp.web.login.signin import enter

MAX_TYPED = 40


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin/factor", "factor", factor, methods=["GET", "POST"])


def factor() -> BaseResponse:
    """A code of the app, or a recovery code."""
    work = browser.work()
    handle = request.values.get("flow", "")
    found = interactions.find(work, handle, browser.existing_binding())
    owing, session = signin.owing(work, found), browser.current_session()
    account = owing or _stepping_up(found, session)
    if found is None or account is None:
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    if found.client is not None:
        g.ui_locales = found.request.get("ui_locales", ())
        browser.allow_form_action(origin_of(found.request["redirect_uri"]))
    if request.method != "POST":
        return _page(found)
    typed = request.form.get("code", "")[:MAX_TYPED]
    if not signin.prove(work, account, typed, tell=owing is not None):
        return _page(found, wrong=True)
    if owing is not None or session is None:
        return enter(account, found, remember=found.remember, with_factor=True)
    browser.adopt(session, sessions.raise_level(work, session, amr=signin.MFA_AMR, acr=ACR_MFA))
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def _stepping_up(found: Interaction | None, session: BrowserSession | None) -> Account | None:
    """Who is signed in with less than the application of this sign-in demands."""
    if found is None or found.client is None or session is None or session.acr == ACR_MFA:
        return None
    return session.account if factors.of(browser.work(), session.account) else None


def _page(found: Interaction, *, wrong: bool = False) -> Response:
    body = render_template("factor.html", flow=found.handle, wrong=wrong)
    return Response(body, status=400 if wrong else 200)
