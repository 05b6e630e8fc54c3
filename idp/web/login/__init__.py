"""Pages of a sign-in. Each ends by returning to the dispatcher; none knows the next."""

from __future__ import annotations

from flask import Blueprint

from idp.web.login import activate, call, change, consent, enrol, factor, recover, signin


def blueprints() -> tuple[Blueprint, ...]:
    """Sign-in, activation and recovery."""
    login = Blueprint("login", __name__)
    signin.register(login)
    consent.register(login)
    change.register(login)
    factor.register(login)
    enrol.register(login)
    recovery = Blueprint("recover", __name__)
    recover.register(recovery)
    call.register(recovery)
    activation = Blueprint("activate", __name__)
    activate.register(activation)
    return login, recovery, activation
