"""Settings by section: profile, factors, sessions, consents, language (SP-01, SP-05)."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import (
    session as form_session,
)
from flask_babel import gettext, refresh
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import LANGUAGES
from idp import current
from idp.audit import trail
from idp.directory import held_role_groups
from idp.directory import preferences as profile
from idp.models import Account, BrowserSession, Client, Event, KnownBrowser
from idp.policy.phone_number import formatted
from idp.policy.user_agents import describe_user_agent
from idp.session import browsers, interactions, sessions
from idp.session.end_reasons import EndReason
from idp.web import client_logos, i18n
from idp.web.guard import needs_session
from idp.web.login import consent_page
from idp.web.profile import factor_pages

#: The largest number that a row can have.
MAX_ID = 2**63 - 1
#: Recent sign-ins that are shown.
RECENT = 10


def register(pages: Blueprint) -> None:
    for path, name, page in (
        ("/settings", "settings", settings),
        ("/settings/factors", "factors", factors),
        ("/settings/sessions", "sessions", sessions_page),
        ("/settings/consents", "consents", consents),
    ):
        pages.add_url_rule(path, name, page)
    pages.add_url_rule("/settings/preferences", "preferences", preferences, methods=["GET", "POST"])
    for path, view in (
        ("/settings/sessions/<public_id>/end", end_session),
        ("/settings/sessions/end-others", end_other_sessions),
        ("/settings/browsers/<public_id>/forget", forget_browser),
        (f"/settings/consents/<int(max={MAX_ID}):consent_id>/revoke", revoke_consent),
    ):
        pages.add_url_rule(path, view.__name__, view, methods=["POST"])


@needs_session
def settings(session: BrowserSession) -> BaseResponse:
    """The account holder's profile and role groups."""
    return Response(render_template("settings/profile.html", profile=_profile(session.account)))


@needs_session
def factors(session: BrowserSession) -> BaseResponse:
    """The verification methods, security question and recovery codes."""
    account = session.account
    body = render_template(
        "settings/factors.html",
        offers_phone=current.runtime().ports.sms is not None,
        phone=formatted(account.recovery_phone) if account.recovery_phone else "",
        **factor_pages.shown(account),
    )
    return Response(body)


@needs_session
def sessions_page(session: BrowserSession) -> BaseResponse:
    """Sessions by application, remembered browsers, recent sign-ins."""
    work, account = current.work(), session.account
    rows = sessions.active(work, account)
    applications = sessions.applications(work, rows)
    body = render_template(
        "settings/sessions.html",
        sessions=[_session(row, session, applications[row.id]) for row in rows],
        browsers=[_browser(row) for row in browsers.remembered(work, account)],
        recent=[_sign_in(event) for event in trail.recent_sign_ins(work, account, RECENT)],
    )
    return Response(body)


@needs_session
def consents(session: BrowserSession) -> BaseResponse:
    """Applications with a consent."""
    rows = [
        {
            "id": row.id,
            "client_name": i18n.name_of(row.client),
            "client_logo": client_logos.url_of(row.client),
            "scopes": list(filter(None, map(consent_page.describe, row.scopes))),
            "granted_at": row.granted_at,
        }
        for row in interactions.consents(current.work(), session.account)
    ]
    return Response(render_template("settings/consents.html", consents=rows))


@needs_session
def preferences(session: BrowserSession) -> BaseResponse:
    """Show or save language and time zone."""
    if request.method != "POST":
        zones, zone = i18n.zone_names(), session.account.zoneinfo
        return Response(render_template("settings/preferences.html", zones=zones, zoneinfo=zone))
    locale, zone = request.form.get("locale", ""), request.form.get("zoneinfo", "")
    if locale not in LANGUAGES or zone not in i18n.zone_names():
        abort(400)
    profile.set_preferences(current.work(), session, locale=locale, zoneinfo=zone)
    form_session["locale"] = locale
    refresh()
    flash(gettext("Your preferences are saved."))
    return _back_to("profile.preferences")


@needs_session
def end_session(session: BrowserSession, public_id: str) -> BaseResponse:
    """End one of one's own sessions."""
    work = current.work()
    rows = [r for r in sessions.active(work, session.account) if r.public_id == public_id]
    if not rows:
        abort(404)
    sessions.end(work, rows[0], EndReason.ENDED_BY_HOLDER)
    if rows[0].id == session.id:
        current.clear_session()
        return redirect(url_for("login.signin"), code=303)
    flash(gettext("The session was ended."))
    return _back_to("profile.sessions")


@needs_session
def end_other_sessions(session: BrowserSession) -> BaseResponse:
    """End every session but this one."""
    work, account = current.work(), session.account
    sessions.end_all(work, account, EndReason.ENDED_BY_HOLDER, but=session)
    browsers.forget_all(work, account)
    flash(gettext("All other sessions were ended. Your browsers are no longer remembered."))
    return _back_to("profile.sessions")


@needs_session
def forget_browser(session: BrowserSession, public_id: str) -> BaseResponse:
    """Forget one of one's own remembered browsers."""
    if not browsers.forget(current.work(), session.account, public_id):
        abort(404)
    flash(gettext("The browser is no longer remembered."))
    return _back_to("profile.sessions")


@needs_session
def revoke_consent(session: BrowserSession, consent_id: int) -> BaseResponse:
    """Revoke a consent; the tokens of the relying party end at once (N33)."""
    if not profile.revoke_consent(current.work(), session, consent_id):
        abort(404)
    flash(gettext("The application's access was removed."))
    return _back_to("profile.consents")


def _back_to(endpoint: str) -> BaseResponse:
    return redirect(url_for(endpoint), code=303)


def _profile(account: Account) -> dict[str, Any]:
    person = account.person
    by_participant: dict[str, dict[str, Any]] = {}
    for row in held_role_groups.list_held(current.work(), account):
        entry = by_participant.setdefault(
            row.participant.number,
            {"number": row.participant.number, "name": row.participant.name, "groups": []},
        )
        time = i18n.term(row)
        entry["groups"].append(i18n.name_of(row.role_group) + (f" ({time})" if time else ""))
    return {
        "username": account.username,
        "full_name": person.full_name,
        "email": person.email,
        "phone": i18n.phone(person.phone, person.phone_extension) if person.phone else "",
        "person_id": person.person_id,
        "participants": list(by_participant.values()),
    }


def _session(
    row: BrowserSession, own: BrowserSession, applications: list[Client]
) -> dict[str, Any]:
    return {
        "applications": [i18n.name_of(client) for client in applications],
        "public_id": row.public_id,
        "created_at": row.created_at,
        "last_seen_at": row.last_seen_at,
        "ip": row.ip or "",
        "agent": describe_user_agent(row.user_agent),
        "current": row.id == own.id,
        "is_bound": row.binding_id is not None,
    }


def _browser(row: KnownBrowser) -> dict[str, Any]:
    return {
        "public_id": row.public_id,
        "last_seen_at": row.last_seen_at,
        "until": row.remembered_until,
        "is_bound": row.binding_id is not None,
        "ip": row.ip or "",
        "agent": describe_user_agent(row.user_agent),
    }


def _sign_in(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "ok": event.outcome == "ok",
        "app": event.client_id or "",
        "ip": event.ip or "",
        "agent": describe_user_agent(event.user_agent),
    }
