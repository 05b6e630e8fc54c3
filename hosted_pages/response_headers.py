"""The security headers of every answer."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from flask import Response, g

#: Documents that may be cached, by endpoint; everything else says no-store.
CACHEABLE = frozenset({"static", "hosted.brand_colours", "hosted.brand_logo"})


#: The policy of an image, which is also a document when its URL is opened.
INERT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
#: The policy of a page that is made to be opened in frames of other sites.
FRAMED = (
    "default-src 'none'; script-src {script}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors *"
)
#: The same in every answer.
_FIXED = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)
_HTTPS_ONLY = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")


class ProtectedResponse(Response):
    """A response whose fixed security headers follow its other headers when it is sent: nothing
    looks for them, and they have no values to check."""

    security_headers: tuple[tuple[str, str], ...] = ()

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Any, str, list[tuple[str, str]]]:
        body, status, headers = super().get_wsgi_response(environ)
        return body, status, [*headers, *self.security_headers]


def vary_by(response: Response, name: str) -> None:
    """The answer depends on this header of the request. As ``response.vary.add``, which parses and
    writes the header anew each time."""
    headers = response.headers
    before = headers.get("Vary")
    if before is None:
        headers.add("Vary", name)
    elif name.lower() not in (part.strip() for part in before.lower().split(",")):
        headers["Vary"] = f"{before}, {name}"


def nonce() -> str:
    """The nonce of the scripts of this answer. It is made for a page that asks for it; no other
    answer lets a script run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return cast(str, g.csp_nonce)


def mark_inert() -> None:
    """The answer to this request is an image. It can run, load and send nothing."""
    g.is_inert = True


def allow_any_frame(script: str) -> None:
    """The answer to this request is a page that any site may open in a frame. It runs this one
    script (a source of the policy), and loads and sends nothing."""
    g.framed_script = script


def protect(
    response: Response,
    *,
    is_https: bool,
    may_be_cached: bool,
    keeps_opener: bool = False,
    form_action: str = "'self'",
    frames: Sequence[str] = (),
) -> None:
    """Set the headers, once for each answer. ``keeps_opener`` is for pages that a site shows in a
    popup, ``form_action`` says where forms may end, ``frames`` the origins that the page may open
    in frames."""
    # Each use of the proxy looks for the object.
    known: Any = g._get_current_object()
    # A redirect has no document to protect, and would part a popup from its opener on the way.
    redirects = 300 <= response.status_code < 400 and response.status_code != 304
    parts = not keeps_opener and not redirects
    framed = known.get("framed_script")
    if known.get("is_inert"):
        allowed = INERT
    elif framed:
        allowed = FRAMED.format(script=framed)
    else:
        allowed = policy(known.get("csp_nonce", ""), form_action, frames)
    # Werkzeug checks it, since it may name origins of applications.
    response.headers.add("Content-Security-Policy", allowed)
    cast(ProtectedResponse, response).security_headers = (
        ("X-Request-Id", known.get("request_id", "")),
        *_same(parts=parts, is_framed=bool(framed), is_https=is_https),
    )
    if not may_be_cached or response.status_code >= 400:
        response.headers["Cache-Control"] = "no-store"
        vary_by(response, "Cookie")


@lru_cache
def _same(*, parts: bool, is_framed: bool, is_https: bool) -> tuple[tuple[str, str], ...]:
    """The headers that are the same in all answers of a kind."""
    return (
        *(() if is_framed else (("X-Frame-Options", "DENY"),)),
        ("Cross-Origin-Opener-Policy", "same-origin" if parts else "unsafe-none"),
        *_FIXED,
        *((_HTTPS_ONLY,) if is_https else ()),
    )


def policy(nonce: str, form_action: str = "'self'", frames: Sequence[str] = ()) -> str:
    """No code without this answer's nonce, none at all without one, and nothing from other sites
    but ``frames``."""
    script_src = f"'nonce-{nonce}'" if nonce else "'none'"
    frame_src = f"frame-src {' '.join(frames)}; " if frames else ""
    return (
        f"default-src 'none'; script-src {script_src}; style-src 'self'; img-src 'self'; "
        f"{frame_src}form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )
