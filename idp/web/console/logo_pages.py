"""The logo of an application: upload it, look at it, then use it.

An upload changes nothing that anyone sees. The form that uses the logo contains only its digest, so
the page that asks for a fresh factor can keep it.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.clients import client_data, client_proposals, logos
from idp.errors import Invalid
from idp.policy.logo_image import MAX_BYTES
from idp.web import client_logos, refusal_texts
from idp.web.console import client_pages


def register(pages: Blueprint) -> None:
    path = "/clients/<client_id>/logo"
    pages.add_url_rule(path, "upload_logo", upload_logo, methods=["POST"])
    pages.add_url_rule(f"{path}/use", "set_logo", set_logo, methods=["POST"])


def upload_logo(client_id: str) -> BaseResponse:
    """Store a file or a drawing of the package, and show how it looks."""
    found = client_pages.one(client_id)
    try:
        digest = logos.store(current.work(), _content())
    except Invalid as error:
        return client_pages.refused(found, refusal_texts.of(error))
    body = render_template(
        "console/logo.html", client=found, digest=digest, url=client_logos.url_for_digest(digest)
    )
    return Response(body)


def set_logo(client_id: str) -> BaseResponse:
    """Use a stored image, or none."""
    found = client_pages.one(client_id)
    data = replace(client_data.current_data(found), logo=request.form.get("logo") or None)
    try:
        outcome = client_proposals.update(current.work(), found, data)
    except Invalid as error:
        return client_pages.refused(found, refusal_texts.of(error))
    return client_pages.saved(outcome)


def _content() -> bytes:
    """The uploaded file, up to the first byte that is too many; else the chosen drawing."""
    file = request.files.get("logo_file")
    content = file.read(MAX_BYTES + 1) if file else b""
    icon = request.form.get("icon", "")
    return logos.read(f"{logos.ICON}{icon}") if icon and not content else content
