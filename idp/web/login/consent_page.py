"""Consent, for the requests that need it (OIDC Core 3.1.2.4)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import BrowserSession, Client, Interaction
from idp.session import interactions
from idp.signin import transitions
from idp.web import client_logos
from idp.web.i18n import name_of


@dataclass(frozen=True)
class ScopeText:
    """What a scope means, in plain words."""

    text: str


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin/consent", "consent", consent, methods=["GET", "POST"])


def consent() -> BaseResponse:
    """Ask for consent to what the relying party requests."""
    asked = _asked()
    if asked is None:
        return _back(request.values.get("flow", ""))
    found, client, session = asked
    work = current.work()
    if request.method != "POST":
        scopes = [ScopeText(text) for text in map(describe, found.request["scopes"]) if text]
        body = render_template(
            "consent.html",
            client_name=name_of(client),
            client_logo=client_logos.url_of(client),
            scopes=scopes,
            flow=found.handle,
        )
        return Response(body)
    if request.form.get("decision") == "allow":
        interactions.remember_consent(work, session.account, client, found.request["scopes"])
        transitions.record_consent(found, session.account, work.now)
        events.record(
            work,
            AuditAction.CONSENT_GIVEN,
            account=session.account,
            client=client,
            session=session,
            scope=" ".join(found.request["scopes"]),
        )
    else:
        transitions.record_denial(found, session.account, work.now)
    return _back(found.handle)


def _asked() -> tuple[Interaction, Client, BrowserSession] | None:
    """The interaction that waits for an answer of the signed-in person, its client and session."""
    found, session = current.interaction(), current.browser_session()
    if found is None or found.client is None or session is None:
        return None
    return found, found.client, session


def _back(handle: str) -> BaseResponse:
    return redirect(url_for("oidc.resume", flow=handle), code=303)


def describe(scope: str) -> str:
    words: dict[str, str] = {
        "profile": gettext("Your name, UserID, Person ID, language and time zone"),
        "email": gettext("Your e-mail address"),
        "phone": gettext("Your phone number"),
        "groups": gettext("Your role groups in this application"),
        "participants": gettext("The market participants for which you have these role groups"),
        "participant_groups": gettext("Your role groups and their participants"),
        "offline_access": gettext(
            "Access to this information when you are not using the application"
        ),
    }
    return words.get(scope, "" if scope == "openid" else scope)
