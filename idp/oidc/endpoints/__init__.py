"""The protocol endpoints, one file each. ``blueprint`` registers them."""

from __future__ import annotations

from flask import Blueprint

from idp.oidc.endpoints import (
    authorize,
    check_session,
    client_registration,
    cors,
    device,
    discovery,
    introspect,
    logout,
    par,
    revoke,
    shared_signals,
    token,
    userinfo,
)


def blueprint() -> Blueprint:
    """A blueprint with every endpoint."""
    pages = Blueprint("oidc", __name__)
    for module in (
        authorize,
        check_session,
        client_registration,
        device,
        discovery,
        introspect,
        logout,
        par,
        revoke,
        shared_signals,
        token,
        userinfo,
    ):
        module.register(pages)
    cors.install(pages)
    return pages
