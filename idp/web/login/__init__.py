"""The pages of a sign-in. Each one returns to the dispatcher; none knows the next."""

from __future__ import annotations

from flask import Blueprint

from idp.web.login import (
    account_pages,
    activation_page,
    call_page,
    consent_page,
    device_page,
    enrolment_pages,
    factor_page,
    password_change_page,
    recovery_pages,
    signin_page,
)


def blueprints() -> tuple[Blueprint, ...]:
    """Sign-in, activation and recovery."""
    login = Blueprint("login", __name__)
    signin_page.register(login)
    consent_page.register(login)
    account_pages.register(login)
    device_page.register(login)
    password_change_page.register(login)
    factor_page.register(login)
    enrolment_pages.register(login)
    recovery = Blueprint("recover", __name__)
    recovery_pages.register(recovery)
    call_page.register(recovery)
    activation = Blueprint("activate", __name__)
    activation_page.register(activation)
    return login, recovery, activation
