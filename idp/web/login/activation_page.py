"""Activation by mailed link (AC-03 to AC-05, K.02)."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from idp import current
from idp.credentials.links import Purpose
from idp.directory import activation
from idp.mfa.assurance import PASSWORD
from idp.models import Account
from idp.policy.signin_state import Evidence
from idp.session import interactions
from idp.web.login import mailed_link_page, new_password_page
from idp.web.login.signin_page import proceed


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/activate", "activate", activate, methods=["GET", "POST"])


def activate() -> Response:
    """The link's page."""
    return mailed_link_page.serve(
        Purpose.ACTIVATE, "activate.activate", activation.complete, _first_session
    )


def _first_session(account: Account) -> Response:
    """The person has just used the mailed link and chosen a password. The remaining setup follows,
    then the session (AC-04, AC-09)."""
    new_password_page.accept_conditions(account)
    found = interactions.begin(current.work(), current.browser_binding())
    return proceed(account, found, Evidence(PASSWORD, has_secret=True))
