"""The end of a request of a device: the person reads a page, and the device asks for the result
(RFC 8628 section 3.3)."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, url_for
from flask_babel import gettext

from idp.grants import device_authorizations
from idp.oidc.interaction import AuthorizationRequest, Refuse
from idp.policy.scopes import DEVICE_CODE
from idp.transaction import UnitOfWork


def allowed() -> Response:
    """The device gets its tokens."""
    return _page(
        gettext("The device is connected"),
        gettext("Return to the device or program. It continues within a few seconds."),
    )


def refused(refusal: Refuse) -> Response:
    """The device gets none."""
    if refusal.code == "access_denied":
        text = gettext(
            "You did not allow it. If somebody sent you the code, call Customer Relations."
        )
        return _page(gettext("The device is not connected"), text)
    text = gettext(
        "This application requires a stronger verification method than your account has. Set one "
        "up in Settings, then start again on the device."
    )
    link = {"url": url_for("profile.factors"), "text": gettext("Open Settings")}
    return _page(gettext("The device is not connected"), text, 403, link)


def stale() -> Response:
    """Too late, or somebody has decided in another browser."""
    return _page(
        gettext("This code is no longer valid"),
        gettext("It has expired or was used. Start again on the device to get a new code."),
        400,
        {"url": url_for("login.device"), "text": gettext("Enter another code")},
    )


def event_fields(work: UnitOfWork, asked: AuthorizationRequest) -> dict[str, Any]:
    """What the audit trail records of the device: the grant type and its address."""
    if asked.device_id is None:
        return {}
    row = device_authorizations.by_id(work, asked.device_id)
    return {"grant_type": DEVICE_CODE, "device_ip": (row and row.ip) or ""}


def _page(
    title: str, message: str, status: int = 200, link: dict[str, str] | None = None
) -> Response:
    body = render_template("message.html", title=title, message=message, link=link)
    return Response(body, status=status)
