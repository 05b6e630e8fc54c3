"""The current request: its unit of work, its session and the person who asks."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar, cast

from flask import current_app, g, request
from werkzeug.wrappers import Response

from registration import browser_sessions
from registration.access_tokens import TokenSignIn
from registration.models import Person, Session
from registration.transaction import Origin, Runtime, UnitOfWork
from service_base import request_ids

R = TypeVar("R", bound=Response)


def runtime() -> Runtime:
    """The settings, ports and connections of the application."""
    return cast(Runtime, current_app.extensions["runtime"])


def work() -> UnitOfWork:
    """The unit of work of this request."""
    return cast(UnitOfWork, g.work)


def find_session() -> None:
    """Look up the session of this browser; its person acts in the unit of work."""
    token = request.cookies.get(runtime().settings.cookie_name("session"), "")
    found = browser_sessions.find(work(), token) if token else None
    g.session = found
    if found is not None:
        work().origin = Origin(found.person.person_id)
        request_ids.is_asked_by(found.subject)
        g.viewer = {"full_name": found.person.full_name, "person_id": found.person.person_id}


def session() -> Session | None:
    """The session of this browser."""
    return cast("Session | None", g.get("session"))


def use_token(found: TokenSignIn) -> None:
    """The person of this access token asks, and acts in the unit of work."""
    g.token_sign_in = found
    work().origin = Origin(found.person.person_id)


def sign_in() -> Session | TokenSignIn | None:
    """How the person who asks has signed in: a session of pages, or an access token of a program.
    No request has both."""
    return cast("TokenSignIn | None", g.get("token_sign_in")) or session()


def person() -> Person:
    """The person who is signed in. Views run only for somebody."""
    found = sign_in()
    if found is None:
        raise RuntimeError("nobody is signed in")
    return found.person


def is_operator() -> bool:
    """Whether the person works at the Market Registration desk."""
    found = sign_in()
    return found is not None and runtime().settings.operator_group in found.role_groups


def has_fresh_factor() -> bool:
    """Whether the person proved a second factor recently enough for a sensitive act."""
    found = sign_in()
    since = work().now - timedelta(seconds=runtime().settings.fresh_seconds)
    return found is not None and browser_sessions.is_strong_since(
        found.acr, found.authenticated_at, since
    )


def set_cookie(response: R, token: str) -> R:
    """This browser has the session of this token from now on; none for an empty one."""
    g.session_cookie = token
    if not token:
        g.viewer = None
    return response


def write_cookie(response: Response) -> None:
    """Write the cookie of the session if it changed."""
    token = g.pop("session_cookie", None)
    if token is None:
        return
    settings = runtime().settings
    name, secure = settings.cookie_name("session"), not settings.is_loopback_http
    if token:
        response.set_cookie(name, token, secure=secure, httponly=True, samesite="Lax", path="/")
    else:
        response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax", path="/")
