"""The frame that applications ask whether the sign-in of the browser changed (OpenID Connect
Session Management 1.0 section 3.2)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, request

from hosted_pages import response_headers
from idp import current

AGE = 3600
SCRIPT = "check-session.js"


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/check_session", "check_session", check_session)


def check_session() -> Response:
    """The page has nothing but its script, the same for everybody. Any site may open it in a frame:
    it shows nothing, and answers only who knows a session state of their own origin."""
    script = _script(Path(current_app.root_path) / "static" / SCRIPT)
    cookie = current.runtime().settings.cookie_name("state")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    response_headers.allow_any_frame(f"'sha256-{digest}'")
    page = (
        f'<!doctype html>\n<html lang="en" data-cookie="{cookie}">'
        f"<title>Session</title><script>{script}</script></html>\n"
    )
    response = Response(page)
    response.add_etag()
    response.cache_control.public = True
    response.cache_control.max_age = AGE
    response.make_conditional(request)
    return response


@cache
def _script(path: Path) -> str:
    return path.read_text(encoding="utf-8")
