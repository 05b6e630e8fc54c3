"""The protocol's endpoints, one file each; ``blueprint`` gathers them under their paths."""

from __future__ import annotations

from flask import Blueprint

from idp.oidc.endpoints import (
    authorize,
    discovery,
    introspect,
    logout,
    revoke,
    scripts,
    token,
    userinfo,
)


def blueprint() -> Blueprint:
    """A blueprint with every endpoint."""
    pages = Blueprint("oidc", __name__)
    for module in (authorize, discovery, introspect, logout, revoke, token, userinfo):
        module.register(pages)
    scripts.install(pages)
    return pages
