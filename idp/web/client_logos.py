"""Logos of applications: their URL in pages, and their content."""

from __future__ import annotations

from flask import Response, abort, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages import response_headers
from idp import current
from idp.clients import logos
from idp.models import Client


def url_of(client: Client | None) -> str:
    """The URL of the logo; empty if the client has none, and pages show initials."""
    return url_for_digest(client.logo) if client and client.logo else ""


def url_for_digest(digest: str) -> str:
    """The URL of a stored logo."""
    return url_for("pages.client_logo", digest=digest)


def show(digest: str) -> BaseResponse:
    """The content of a logo, which never changes. It can run and load nothing, also in a window of
    its own."""
    row = logos.find(current.work(), digest)
    if row is None:
        abort(404)
    response_headers.mark_inert()
    response = Response(row.content, content_type=row.media_type)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.set_etag(row.digest)
    return response.make_conditional(request)
