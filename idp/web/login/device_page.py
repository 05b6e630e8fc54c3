"""The pages where a person connects a device that has no browser of its own (RFC 8628 section 3.3):
type its code, sign in as the application demands, compare, decide."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import eastern
from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.grants import device_authorizations
from idp.mfa.code_input import MAX_TYPED
from idp.models import DeviceAuthorization, Interaction
from idp.policy.addresses import network_of
from idp.session import interactions
from idp.signin import transitions
from idp.web import client_logos
from idp.web.i18n import name_of
from idp.web.login.consent_page import describe


def register(pages: Blueprint) -> None:
    methods = ["GET", "POST"]
    pages.add_url_rule("/device", "device", device, methods=methods)
    pages.add_url_rule("/device/confirm", "confirm_device", confirm_device, methods=methods)


def device() -> BaseResponse:
    """Ask for the code, and start the sign-in that its application demands. The link with a code
    only fills it in: the person has to compare it."""
    if request.method != "POST":
        return _code_page(request.args.get("user_code", "")[:MAX_TYPED])
    typed = request.form.get("user_code", "")[:MAX_TYPED]
    work = current.work()
    row = device_authorizations.find_waiting(work, typed)
    if row is None:
        return _code_page(
            typed,
            gettext(
                "This code is incorrect, has expired or was used. Compare it with the device, or "
                "start again there to get a new one."
            ),
        )
    found = interactions.begin(
        work,
        current.browser_binding(),
        client=row.client,
        request=row.request | {"device_id": row.id},
    )
    return _back(found)


def confirm_device() -> BaseResponse:
    """Show which application on which device asks for what, and store the decision."""
    found, session = current.interaction(), current.browser_session()
    row = _device_of(found)
    if found is None or row is None or session is None:
        return redirect(url_for("login.device"), code=303)
    work = current.work()
    if request.method != "POST":
        return _confirm_page(found, row)
    if request.form.get("decision") == "allow":
        scopes = found.request["scopes"]
        if not row.client.trusted:
            interactions.remember_consent(work, session.account, row.client, scopes)
        transitions.record_consent(found, session.account, work.now)
        events.record(
            work,
            AuditAction.CONSENT_GIVEN,
            account=session.account,
            client=row.client,
            session=session,
            scope=" ".join(scopes),
        )
    else:
        transitions.record_denial(found, session.account, work.now)
    return _back(found)


def _device_of(found: Interaction | None) -> DeviceAuthorization | None:
    device_id = found.request.get("device_id") if found is not None else None
    return device_authorizations.by_id(current.work(), device_id) if device_id else None


def _code_page(typed: str, error: str = "") -> BaseResponse:
    body = render_template("device.html", user_code=typed, error=error)
    return Response(body, status=400 if error else 200)


def _confirm_page(found: Interaction, row: DeviceAuthorization) -> BaseResponse:
    session = current.browser_session()
    body = render_template(
        "device_confirm.html",
        client_name=name_of(row.client),
        client_logo=client_logos.url_of(row.client),
        code=device_authorizations.code_of(current.work(), row),
        address=row.ip,
        is_elsewhere=network_of(row.ip) != network_of(current.sender_ip()),
        asked_at=eastern(row.created_at),
        username=session.account.username if session else "",
        scopes=[text for text in map(describe, found.request["scopes"]) if text],
        flow=found.handle,
    )
    return Response(body)


def _back(found: Interaction) -> BaseResponse:
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)
