"""Pages of the person who is signed in: applications, settings."""

from __future__ import annotations

from flask import Blueprint

from idp.web.profile import (
    dashboard_page,
    factor_pages,
    password_page,
    program_pages,
    recovery_phone_page,
    settings_page,
    settings_sections,
)


def blueprint() -> Blueprint:
    """Applications and settings."""
    pages = Blueprint("profile", __name__)
    pages.add_app_template_global(settings_sections.links, "settings_sections")
    for module in (
        dashboard_page,
        factor_pages,
        password_page,
        recovery_phone_page,
        program_pages,
        settings_page,
    ):
        module.register(pages)
    return pages
