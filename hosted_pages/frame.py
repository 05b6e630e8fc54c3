"""Puts templates, static files and brand of this package into an application."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, request, send_file, url_for
from flask_babel import get_locale
from jinja2 import StrictUndefined

from hosted_pages import response_headers, template_texts
from hosted_pages.brand import Brand, monogram
from hosted_pages.languages import day, eastern

HERE = Path(__file__).parent
YEAR = 31536000
_CACHE = "public, max-age=86400"
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Contact:
    """How to reach Customer Relations (GW-13)."""

    phone: str
    toll_free: str
    fax: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What is around every page of an application."""

    brand: Brand
    environment: str
    contact: Contact
    #: Endpoints: the page that the name of the brand leads to, and the form of the languages.
    home: str
    #: The text of a link to that page, lazily translated.
    home_text: Any
    language: str


def form_config(cookie: str, *, is_https: bool, seconds: int) -> dict[str, Any]:
    """The configuration of forms: the signed cookie and the token that every form carries
    (Flask-WTF), valid for some seconds."""
    return {
        "SESSION_COOKIE_NAME": cookie,
        "SESSION_COOKIE_SECURE": is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "WTF_CSRF_TIME_LIMIT": seconds,
        # The pages send no Referer; the token and SameSite carry the check.
        "WTF_CSRF_SSL_STRICT": False,
        "SEND_FILE_MAX_AGE_DEFAULT": YEAR,
        "BABEL_DEFAULT_LOCALE": "en",
    }


def form_keys(keys: list[str]) -> dict[str, Any]:
    """The configuration of what signs the cookie and the token of forms: the first of these keys.
    All of them verify, so that a form outlives a change of the key."""
    return {
        "SECRET_KEY": keys[0],
        "SECRET_KEY_FALLBACKS": keys[1:],
        # Of a list, the last one signs.
        "WTF_CSRF_SECRET_KEY": keys[::-1],
    }


def install(app: Flask, frame: Frame) -> None:
    """Templates and static files of this package after those of the application, which has
    ``static_folder=None``; the brand; what the layout needs. Flask-Babel and Flask-WTF are the
    application's."""
    files = _static_files(HERE / "static", Path(app.root_path) / "static")
    app.register_blueprint(_blueprint(frame.brand))
    _serve(app, files)
    template_texts.install(app)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(eastern=eastern, day=day, monogram=monogram)
    versions = {name: _digest(path) for name, path in files.items()}

    @lru_cache(256)
    def asset(root: str, name: str) -> str:  # noqa: ARG001 - the address depends on it
        return url_for("static", filename=name, v=versions.get(name, ""))

    @app.context_processor
    def names() -> dict[str, Any]:
        return {
            "environment": frame.environment,
            "brand": frame.brand,
            "contact": frame.contact,
            "frame": frame,
            "csp_nonce": response_headers.nonce(),
            "request_id": g.get("request_id", ""),
            "locale": str(get_locale() or "en"),
            "asset": partial(asset, request.root_path),
        }


def _blueprint(brand: Brand) -> Blueprint:
    hosted = Blueprint("hosted", __name__, template_folder="templates")

    @hosted.get("/brand/colours.css")
    def brand_colours() -> Response:
        """The stylesheet of the brand."""
        response = Response(brand.stylesheet, content_type="text/css")
        response.headers["Cache-Control"] = _CACHE
        return response

    @hosted.get("/brand/logo")
    def brand_logo() -> Response:
        """The logo of the brand; 404 if the brand has none and the built-in one is used."""
        if brand.logo is None:
            abort(404)
        response_headers.mark_inert()
        response = Response(brand.logo.read_bytes(), content_type=_TYPES[brand.logo.suffix])
        response.headers["Cache-Control"] = _CACHE
        return response

    return hosted


def _static_files(*folders: Path) -> dict[str, Path]:
    """The static files by name. A later folder goes before an earlier one."""
    return {path.name: path for folder in folders for path in folder.glob("*.*")}


def _serve(app: Flask, files: dict[str, Path]) -> None:
    def static(filename: str) -> Response:
        """A static file; the name is never used as a path."""
        if filename not in files:
            abort(404)
        return send_file(files[filename])

    app.add_url_rule("/static/<path:filename>", "static", static)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
