"""Pages of the person who is signed in: applications, settings."""

from __future__ import annotations

from flask import Blueprint

from idp.web.profile import dashboard, factors, password, phone, programs, settings


def blueprint() -> Blueprint:
    """Applications and settings."""
    pages = Blueprint("profile", __name__)
    for module in (dashboard, factors, password, phone, programs, settings):
        module.register(pages)
    return pages
