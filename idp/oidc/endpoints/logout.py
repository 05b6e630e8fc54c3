"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

A valid ``id_token_hint`` of the browser's session ends the session at once. Any other request asks
the person first, so that another site cannot sign a person out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from idp import client_records, current
from idp.clients import registry
from idp.models import BrowserSession, Client
from idp.oidc import tokens
from idp.oidc.endpoints import posted, signed_out
from idp.oidc.endpoints.wiring import ring
from idp.oidc.jwks import BadToken
from idp.oidc.parameters import is_malformed, single
from idp.policy.redirect_uri import is_registered
from idp.session import sessions

#: The parameters in the form of the confirmation page. They are validated again when it is sent.
CONFIRMED = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")
PARAMETERS = ("id_token_hint", *CONFIRMED)


@dataclass(frozen=True)
class LogoutRequest:
    """A validated logout request."""

    client: Client | None
    #: The registered redirect URI with the state, if any.
    target: str | None
    #: From a valid hint, which may be expired.
    subject: str | None = None
    sid: str | None = None


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/logout", "logout", logout, methods=["GET", "POST"])
    pages.add_url_rule("/oauth2/v1/logout/posted", "logout_posted", logout_posted)
    pages.add_url_rule(
        "/oauth2/v1/logout/confirm", "confirm_logout", confirm_logout, methods=["POST"]
    )


def logout() -> BaseResponse:
    """A relying party requests that the person is signed out."""
    params = _readable_parameters(request.args, request.form)
    logout_request = _validated(params)
    if logout_request.sid is not None:
        # The tokens of that session end even if this browser has no session.
        sessions.end_by_sid(current.work(), logout_request.sid)
    fields = {name: params[name] for name in CONFIRMED if name in params}
    if logout_request.client is not None:
        fields["client_id"] = logout_request.client.client_id
    if request.method == "POST":
        validated = {"fields": fields, "subject": logout_request.subject, "sid": logout_request.sid}
        return posted.redirect_to_get("oidc.logout_posted", validated)
    return _confirm_or_end(logout_request, fields)


def logout_posted() -> BaseResponse:
    """A request by POST, after its redirect. The POST has verified the hint."""
    received = posted.received() or {"fields": {}}
    logout_request = _validated(received["fields"])
    known = {name: received.get(name) for name in ("subject", "sid")}
    return _confirm_or_end(replace(logout_request, **known), received["fields"])


def _confirm_or_end(logout_request: LogoutRequest, fields: dict[str, str]) -> BaseResponse:
    """End the session of this browser to which the hint belongs. Otherwise ask the person to
    confirm."""
    session = current.browser_session()
    current.use_client_preferences(logout_request.client)
    if session is not None and _is_own(logout_request, session):
        return _signed_out(logout_request, signed_out.end_sessions(is_all=False))
    for other in current.other_sessions():
        if _is_own(logout_request, other):
            return _signed_out(logout_request, signed_out.end(other))
    if session is None:
        return _signed_out(logout_request)
    action = url_for("oidc.confirm_logout")
    return signed_out.question(action, logout_request.client, fields.items())


def _is_own(logout_request: LogoutRequest, session: BrowserSession) -> bool:
    """Whether the hint names the person of the session, as its client knows them."""
    client, subject = logout_request.client, session.account.subject
    if client is None or logout_request.subject is None:
        return False
    return logout_request.subject == client_records.subject_for(current.work(), client, subject)


def confirm_logout() -> BaseResponse:
    """The person has confirmed (CSRF-protected, unlike the endpoint above)."""
    params = _readable_parameters(request.form)
    params.pop("id_token_hint", None)
    logout_request = _validated(params)
    current.use_client_preferences(logout_request.client)
    frames = signed_out.end_sessions(is_all=request.form.get("which") == "all")
    return _signed_out(logout_request, frames, after_form=True)


def _readable_parameters(*sources: MultiDict[str, str]) -> dict[str, str]:
    """The parameters without those that are repeated or malformed."""
    params, repeated = single(*sources)
    return {
        name: params[name]
        for name in PARAMETERS
        if name in params and name not in repeated and not is_malformed(name, params[name])
    }


def _signed_out(
    logout_request: LogoutRequest, frames: Sequence[str] = (), *, after_form: bool = False
) -> BaseResponse:
    if logout_request.target and not frames:
        return (
            current.continue_page(logout_request.target)
            if after_form
            else redirect(logout_request.target, code=303)
        )
    return signed_out.page(frames, logout_request.target)


def _validated(params: dict[str, str]) -> LogoutRequest:
    """The request with its client and redirect URI, or without them if they do not match."""
    hint = _hint(params.get("id_token_hint"))
    client_id = params.get("client_id")
    hinted = tokens.client_id_of(hint) if hint else None
    if hinted and client_id and hinted != client_id:
        return LogoutRequest(None, None)
    name = hinted or client_id
    client = registry.find(current.work(), name) if name else None
    if client is None:
        return LogoutRequest(None, None)
    uri = params.get("post_logout_redirect_uri", "")
    known = client.disabled_at is None and is_registered(uri, client.post_logout_redirect_uris)
    target = _with_state(uri, params.get("state")) if known else None
    if hint is None:
        return LogoutRequest(client, target)
    return LogoutRequest(client, target, _text(hint.get("sub")), _text(hint.get("sid")))


def _hint(token: str | None) -> dict[str, object] | None:
    """The claims of an ID token of this gateway, which may be expired. None for anything else."""
    if not token:
        return None
    try:
        return ring().verify(current.work(), token, tokens.ID)
    except BadToken:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _with_state(uri: str, state: str | None) -> str:
    if state is None:
        return uri
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode({"state": state}))))
    return urlunsplit(parts._replace(query=query))
