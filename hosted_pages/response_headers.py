"""The security headers of every answer."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

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


def begin() -> None:
    """Give this request the nonce of its scripts."""
    g.csp_nonce = new_nonce()


def vary_by(response: Response, name: str) -> None:
    """The answer depends on this header of the request. As ``response.vary.add``, which parses and
    writes the header anew each time."""
    headers = response.headers
    before = headers.get("Vary")
    if before is None:
        headers.add("Vary", name)
    elif name.lower() not in (part.strip() for part in before.lower().split(",")):
        headers["Vary"] = f"{before}, {name}"


def new_nonce() -> str:
    """A nonce for the scripts of one answer."""
    return secrets.token_urlsafe(16)


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
    headers = response.headers
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
    headers.extend(
        (
            ("Content-Security-Policy", allowed),
            *(() if framed else (("X-Frame-Options", "DENY"),)),
            ("Cross-Origin-Opener-Policy", "same-origin" if parts else "unsafe-none"),
            ("X-Request-Id", known.get("request_id", "")),
            *_FIXED,
            *((_HTTPS_ONLY,) if is_https else ()),
        )
    )
    if not may_be_cached or response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
        vary_by(response, "Cookie")


def policy(nonce: str, form_action: str = "'self'", frames: Sequence[str] = ()) -> str:
    """No inline code without this answer's nonce, and nothing from other sites but ``frames``."""
    frame_src = f"frame-src {' '.join(frames)}; " if frames else ""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; "
        f"{frame_src}form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )
