"""Activation by mailed link (AC-03 to AC-05, K.02)."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from idp import browser
from idp.accounts import activation, events, interactions, sessions
from idp.accounts.links import Purpose
from idp.models import Account
from idp.policy.scopes import ACR_PASSWORD
from idp.web.login import mailed_link


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/activate", "activate", activate, methods=["GET", "POST"])


def activate() -> Response:
    """The link's page."""
    return mailed_link.serve(
        Purpose.ACTIVATE, "activate.activate", activation.finish, _first_session
    )


def _first_session(account: Account) -> Response:
    """The person has just shown the mailed secret and made the password: signed in (AC-09)."""
    work = browser.work()
    started, cookie = sessions.start(
        work, account, amr=["pwd"], acr=ACR_PASSWORD, previous=browser.current_session()
    )
    events.record(work, "signin.succeeded", account=account, session=started, amr=started.amr)
    flow = interactions.begin(work, browser.binding(), return_to="/")
    browser.adopt(started, cookie)
    return redirect(url_for("oidc.resume", flow=flow.handle), code=303)
