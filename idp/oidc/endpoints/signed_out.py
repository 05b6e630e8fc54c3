"""The page after a sign-out, which also signs the person out of applications in this browser
(OpenID Connect Front-Channel Logout 1.0 section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Response, g, render_template


def page(frames: Iterable[str] = (), continue_url: str | None = None) -> Response:
    """The page opens these addresses in frames, from whose origins alone it may load something, and
    goes on to ``continue_url`` when they have loaded or after some seconds."""
    frames = list(frames)
    g.frame_origins = sorted({_origin(address) for address in frames})
    body = render_template("signed_out.html", frames=frames, continue_url=continue_url)
    return Response(body)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
