"""Activation by mailed link (AC-03 to AC-05, K.02)."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from idp import browser
from idp.accounts import activation, interactions
from idp.accounts.links import Purpose
from idp.mfa.assurance import PASSWORD
from idp.models import Account
from idp.web.login import mailed_link
from idp.web.login.signin import proceed


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/activate", "activate", activate, methods=["GET", "POST"])


def activate() -> Response:
    """The link's page."""
    return mailed_link.serve(
        Purpose.ACTIVATE, "activate.activate", activation.finish, _first_session
    )


def _first_session(account: Account) -> Response:
    """The person has just shown the mailed secret and made the password: what else has to be set
    up, then signed in (AC-04, AC-09)."""
    found = interactions.begin(browser.work(), browser.binding())
    return proceed(account, found, PASSWORD, has_secret=True)
