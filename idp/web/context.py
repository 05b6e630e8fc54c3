"""What every template can use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, g, request, url_for
from flask_babel import get_locale
from jinja2 import StrictUndefined
from werkzeug.local import LocalProxy

from idp import current
from idp.directory import held_role_groups
from idp.models import Account
from idp.policy.local_path import safe_path
from idp.settings import Settings
from idp.web import branding
from idp.web.i18n import eastern, name_of, term


@dataclass(frozen=True)
class Contact:
    """How to reach Customer Relations (GW-13)."""

    phone: str
    toll_free: str
    fax: str
    email: str


def install(app: Flask, settings: Settings) -> None:
    """Globals and filters of the templates."""
    contact = Contact(
        settings.contact_phone,
        settings.contact_toll_free,
        settings.contact_fax,
        settings.contact_email,
    )
    asset, brand = _asset_urls(app), branding.brand(settings)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters["eastern"] = eastern
    app.jinja_env.filters["term"] = term
    app.jinja_env.filters["shown_name"] = name_of
    app.jinja_env.filters["monogram"] = branding.monogram

    @app.context_processor
    def names() -> dict[str, Any]:
        session = g.get("browser_session")
        return {
            "environment": settings.environment,
            "brand": brand,
            "conditions": LocalProxy(branding.conditions),
            "contact": contact,
            "csp_nonce": g.get("csp_nonce", ""),
            "locale": str(get_locale() or "en"),
            "viewer": _viewer(session.account) if session else None,
            "operator": g.get("operator"),
            "asset": asset,
            "here": _here(),
            "is_news": current.is_first_page_after_sign_in,
            "goes_on": "" if session else g.get("goes_on", ""),
            "may_set_cookies": not current.is_cross_site_form(),
            "request_id": g.get("request_id", ""),
        }


def _asset_urls(app: Flask) -> Callable[[str], str]:
    """The URL of a static file, by its name, with a digest of its content."""
    versions = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in Path(app.static_folder or "").glob("*.*")
    }
    return lambda name: url_for("static", filename=name, v=versions.get(name, ""))


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
