"""The security headers of every answer."""

from __future__ import annotations

import secrets

from flask import Response, g

#: Documents that may be cached, by endpoint; everything else says no-store.
CACHEABLE = frozenset({"static", "hosted.brand_colours", "hosted.brand_logo"})


#: The policy of an image, which is also a document when its URL is opened.
INERT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


def begin() -> None:
    """Give this request the nonce of its scripts."""
    g.csp_nonce = secrets.token_urlsafe(16)


def mark_inert() -> None:
    """The answer to this request is an image. It can run, load and send nothing."""
    g.is_inert = True


def protect(
    response: Response,
    *,
    is_https: bool,
    may_be_cached: bool,
    keeps_opener: bool = False,
    form_action: str = "'self'",
) -> None:
    """Set the headers. ``keeps_opener`` is for pages that a site shows in a popup, ``form_action``
    says where forms may end."""
    headers = response.headers
    headers["Content-Security-Policy"] = INERT if g.get("is_inert") else _policy(form_action)
    headers["X-Frame-Options"] = "DENY"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    # A redirect has no document to protect, and would part a popup from its opener on the way.
    parts = not keeps_opener and not 300 <= response.status_code < 400
    headers["Cross-Origin-Opener-Policy"] = "same-origin" if parts else "unsafe-none"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers["X-Request-Id"] = g.get("request_id", "")
    if is_https:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if not may_be_cached or response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")


def _policy(form_action: str) -> str:
    """No inline code without this answer's nonce, and nothing from other sites."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{g.get('csp_nonce', '')}'",
            "style-src 'self'",
            "img-src 'self'",
            f"form-action {form_action}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
