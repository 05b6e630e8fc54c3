"""What every template can use."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request
from flask_babel import lazy_gettext

from hosted_pages import frame as hosted
from idp import current
from idp.directory import held_role_groups
from idp.models import Account
from idp.policy.local_path import safe_path
from idp.settings import Settings
from idp.web import conditions_text
from idp.web.i18n import name_of, term


def install(app: Flask, settings: Settings) -> None:
    """Globals and filters of the templates."""
    hosted.install(app, _frame(settings))
    app.jinja_env.filters["term"] = term
    app.jinja_env.filters["shown_name"] = name_of

    @app.context_processor
    def names() -> dict[str, Any]:
        session = g.get("browser_session")
        return {
            "conditions_of_use": conditions_text.conditions,
            "viewer": _viewer(session.account) if session else None,
            "operator": g.get("operator"),
            "here": _here(),
            "is_news": current.is_first_page_after_sign_in,
            "goes_on": "" if session else g.get("goes_on", ""),
            "may_set_cookies": not current.is_cross_site_form(),
        }


def _frame(settings: Settings) -> hosted.Frame:
    return hosted.Frame(
        brand=settings.brand,
        environment=settings.environment,
        contact=hosted.Contact(
            settings.contact_phone,
            settings.contact_toll_free,
            settings.contact_fax,
            settings.contact_email,
        ),
        home="profile.dashboard",
        home_text=lazy_gettext("Your applications"),
        language="pages.language",
    )


def _viewer(account: Account) -> dict[str, Any]:
    """Who is signed in."""
    return {
        "username": account.username,
        "full_name": account.person.full_name,
        "is_operator": lambda: bool(held_role_groups.console_roles(current.work(), account)),
    }


def _here() -> str:
    """This page's own path, to come back to after a change of language."""
    if request.method == "POST":
        return request.path if request.path in ("/signin",) else "/"
    return safe_path(request.full_path.rstrip("?"))
