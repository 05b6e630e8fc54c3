"""The authorization endpoint, and the dispatcher that every page of a sign-in returns to."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from idp import client_records, current
from idp.audit import events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.clients import registry
from idp.directory import held_role_groups
from idp.grants import authorization_codes, device_authorizations, grant_lifecycle
from idp.models import Interaction
from idp.models.records import AnyClient, OpenSession
from idp.oidc import interaction as rules
from idp.oidc import request_object, response_token
from idp.oidc.endpoints import device_answers, posted
from idp.oidc.endpoints.wiring import ring
from idp.oidc.interaction import AuthorizationRequest
from idp.oidc.parameters import single
from idp.oidc.request_validation import (
    NotRedirectable,
    PageError,
    RequestError,
    check_is_pushed,
    response_mode,
    trusted_target,
    validate,
)
from idp.policy.signin_state import Authenticated
from idp.session import browser_state, interactions, pushed_requests, sessions
from idp.signin import state_loader

PAGES: dict[type, str] = {
    rules.SignIn: "login.signin",
    rules.ChangePassword: "login.change_password",
    rules.StepUp: "login.factor",
    rules.Enrol: "login.enrol",
    rules.OtherAccount: "login.other_account",
    rules.SelectAccount: "login.select_account",
    rules.Consent: "login.consent",
    rules.ConfirmDevice: "login.confirm_device",
}


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/oauth2/v1/authorize", "authorize", authorize, methods=["GET", "POST"])
    pages.add_url_rule("/oauth2/v1/authorize/posted", "authorize_posted", authorize_posted)
    pages.add_url_rule("/oauth2/v1/authorize/resume", "resume", resume)


def authorize() -> BaseResponse:
    """A new authorization request (RFC 6749 section 3.1, OIDC Core 3.1.2)."""
    work = current.work()
    params, repeated = single(request.args, request.form)
    if params.get("request_uri", "").startswith(pushed_requests.PREFIX):
        return _pushed(params, repeated)
    params, fault = request_object.unwrap(work, params, may_fetch=True)
    try:
        client, uri = trusted_target(work, params, repeated)
    except NotRedirectable as error:
        return _refused_page(error.code, error.client)
    current.use_client_preferences(client)
    try:
        if fault is not None:
            raise fault
        check_is_pushed(client, work.settings)
        asked = validate(work, ring(), client, uri, params, repeated)
    except RequestError as error:
        state = None if "state" in repeated else params.get("state")
        target = AuthorizationRequest(
            redirect_uri=uri, scopes=(), response_mode=response_mode(params), state=state
        )
        return _refuse(client, target, rules.Refuse(error.code, error.description))
    if request.method == "POST":
        return _repeat_by_get(client, asked)
    return _dispatch(client, asked, None)


def _pushed(params: dict[str, str], repeated: set[str]) -> BaseResponse:
    """A request that the client pushed (RFC 9126 section 4). Parameters beside ``client_id`` and
    ``request_uri`` do not count."""
    work = current.work()
    if repeated & {"client_id", "request_uri"}:
        return _refused_page(PageError.REPEATED_PARAMETER)
    client = registry.find_record(work, params.get("client_id", "")[:200])
    if client is None:
        return _refused_page(PageError.UNKNOWN_CLIENT)
    if client.disabled_at is not None:
        return _refused_page(PageError.DISABLED_CLIENT, client)
    row = pushed_requests.find(work, client, params["request_uri"])
    if row is None:
        return _refused_page(PageError.STALE_REQUEST, client)
    asked = replace(AuthorizationRequest.from_json(row.request), pushed_id=row.id)
    if request.method == "POST":
        return _repeat_by_get(client, asked)
    return _dispatch(client, asked, None)


def _repeat_by_get(client: AnyClient, asked: AuthorizationRequest) -> BaseResponse:
    return posted.redirect_to_get(
        "oidc.authorize_posted", {"client_id": client.client_id, "request": asked.to_json()}
    )


def authorize_posted() -> BaseResponse:
    """An authorization request that came by POST and was validated there."""
    received = posted.received()
    if received is None:
        return _hard_error(PageError.STALE_REQUEST)
    client = registry.find_record(current.work(), received["client_id"])
    if client is None or client.disabled_at is not None:
        return _hard_error(PageError.DISABLED_CLIENT if client else PageError.UNKNOWN_CLIENT)
    return _dispatch(client, AuthorizationRequest.from_json(received["request"]), None)


def resume() -> BaseResponse:
    """Continue an interaction: decide again from what is stored."""
    handle = request.args.get("flow", "")
    found = current.interaction(handle)
    if found is None:
        return redirect(url_for("login.signin", flow=handle), code=303)
    if found.client is None:
        return _local(found)
    if found.client.disabled_at is not None:
        return _hard_error(PageError.DISABLED_CLIENT)
    return _dispatch(found.client, AuthorizationRequest.from_json(found.request), found)


def _dispatch(
    client: AnyClient, asked: AuthorizationRequest, found: Interaction | None
) -> BaseResponse:
    work, session = current.work(), _session_of(client, asked)
    current.use_client_preferences(client, asked.ui_locales)
    may_choose = session is None and "select_account" in asked.prompt
    state = state_loader.load(
        work,
        found,
        session,
        client,
        browser_cookie=current.browser_cookie(),
        demands_level=bool(asked.essential_acrs or asked.acr_values),
        has_others=may_choose and bool(current.other_sessions()),
    )
    step = rules.decide(state, asked, work.now)
    if isinstance(step, rules.Refuse):
        return _finish(found, asked) or _refuse(client, asked, step, after_form=found is not None)
    if isinstance(step, rules.Proceed) and session is not None:
        existing = not isinstance(state.progress, Authenticated)
        return _finish(found, asked) or _grant(
            client, asked, session, after_form=found is not None, existing_session=existing
        )
    flow = (
        found.handle
        if found is not None
        else interactions.store(work, current.browser_binding(), client, asked.to_json())
    )
    # A person who is signed in but has to sign in again must not be redirected by the page.
    again = 1 if session is not None and isinstance(step, rules.SignIn) else None
    return redirect(url_for(PAGES[type(step)], flow=flow, again=again), code=303)


def _session_of(client: AnyClient, asked: AuthorizationRequest) -> OpenSession | None:
    """The active session. If a silent request names another account that is signed in in this
    browser, its session (OIDC Core 3.1.2.1, ``id_token_hint``): so an application stays signed in
    after the person has switched the account elsewhere."""
    active, wanted = current.unchanged_session(), asked.expected_subject
    if not wanted or "none" not in asked.prompt or not current.accounts_cookie():
        return active
    work = current.work()
    for row in current.all_sessions():
        if client_records.subject_for(work, client, row.account.subject) == wanted:
            sessions.touch(work, row)
            return row
    return active


def _local(found: Interaction) -> BaseResponse:
    """The end of a sign-in to the gateway's own pages."""
    work = current.work()
    state = state_loader.load(work, found, current.browser_session())
    step = rules.decide(state, None, work.now)
    if type(step) in PAGES:
        return redirect(url_for(PAGES[type(step)], flow=found.handle), code=303)
    interactions.complete(work, found)
    session = current.browser_session()
    if found.return_to == "/" and session and held_role_groups.console_roles(work, session.account):
        # Operators work in the console; the applications are one link away.
        return redirect(url_for("console.home"), code=303)
    return current.redirect_after_form(found.return_to)


def _finish(found: Interaction | None, asked: AuthorizationRequest) -> BaseResponse | None:
    """Finish the interaction, and the pushed request or the device that it came from. A second tab
    that comes later goes to the applications; a second answer is a page."""
    work = current.work()
    if found is not None and not interactions.complete(work, found):
        return redirect(url_for("profile.dashboard"), code=303)
    if asked.pushed_id is not None and not pushed_requests.spend(work, asked.pushed_id):
        return _hard_error(PageError.STALE_REQUEST)
    if asked.device_id is not None and not device_authorizations.decide(work, asked.device_id):
        return device_answers.stale()
    return None


def _grant(
    client: AnyClient,
    asked: AuthorizationRequest,
    session: OpenSession,
    *,
    after_form: bool,
    existing_session: bool,
) -> BaseResponse:
    work = current.work()
    grant = grant_lifecycle.create_for_person(
        work,
        grant_lifecycle.Authorization(
            session=session,
            client=client,
            scopes=list(asked.scopes),
            claims=asked.claims,
            nonce=asked.nonce,
        ),
    )
    events.record(
        work,
        AuditAction.AUTHORIZE_GRANTED,
        account=session.account,
        client=client,
        session=session,
        scope=" ".join(asked.scopes),
        existing_session=existing_session,
        **device_answers.event_fields(work, asked),
    )
    if asked.device_id is not None:
        device_authorizations.allow(work, asked.device_id, grant)
        return device_answers.allowed()
    code = authorization_codes.issue(
        work,
        grant,
        redirect_uri=asked.redirect_uri,
        code_challenge=asked.code_challenge,
        dpop_jkt=asked.dpop_jkt,
    )
    fields = [("code", code)]
    if "openid" in asked.scopes and (state := _session_state(client, asked)):
        fields.append(("session_state", state))
    return _answer(client, asked, fields, after_form=after_form)


def _session_state(client: AnyClient, asked: AuthorizationRequest) -> str | None:
    """What the frame of the gateway compares with this browser (Session Management 1.0 section 2).
    The browser shows its session from now on, also one that started before it did."""
    active = current.unchanged_session()
    if active is None:
        return None
    current.show_browser_state(active)
    return browser_state.session_state(current.work(), active, client, asked.redirect_uri)


def _refuse(
    client: AnyClient,
    asked: AuthorizationRequest,
    refusal: rules.Refuse,
    *,
    after_form: bool = False,
) -> BaseResponse:
    work, session = current.work(), current.unchanged_session()
    events.record(
        work,
        AuditAction.AUTHORIZE_REFUSED,
        reason=ProtocolCode(refusal.code),
        client=client,
        session=session,
        account=session.account if session else None,
        proved=session is not None,
        detail=refusal.description,
        **device_answers.event_fields(work, asked),
    )
    if asked.device_id is not None:
        return device_answers.refused(refusal)
    fields = [("error", refusal.code)]
    if refusal.description:
        fields.append(("error_description", refusal.description))
    return _answer(client, asked, fields, after_form=after_form)


def _answer(
    client: AnyClient,
    asked: AuthorizationRequest,
    fields: list[tuple[str, str]],
    *,
    after_form: bool,
) -> BaseResponse:
    """The authorization response in the response mode of the request, with ``state`` and ``iss``
    (RFC 9207), as parameters or in a signed JWT. After a form of this site it is a page; otherwise
    a redirect."""
    if asked.state is not None:
        fields.append(("state", asked.state))
    fields.append(("iss", current.runtime().settings.issuer))
    if asked.response_mode.endswith("jwt"):
        fields = [("response", response_token.sign(current.work(), ring(), client, fields))]
    if asked.response_mode.startswith("form_post"):
        g.form_goes_anywhere = True
        return Response(render_template("form_post.html", action=asked.redirect_uri, fields=fields))
    parts = urlsplit(asked.redirect_uri)
    query = "&".join(filter(None, (parts.query, urlencode(fields))))
    target = urlunsplit(parts._replace(query=query))
    return current.continue_page(target) if after_form else redirect(target, code=303)


_NOT_REGISTERED = _(
    "The application asked us to send you to an address that is not registered for it."
)
PAGE_ERRORS = {
    PageError.REPEATED_PARAMETER: _NOT_REGISTERED,
    PageError.UNKNOWN_CLIENT: _(
        "The application that sent you here is not registered with the gateway."
    ),
    PageError.DISABLED_CLIENT: _("This application is disabled."),
    PageError.UNREGISTERED_REDIRECT_URI: _NOT_REGISTERED,
    PageError.STALE_REQUEST: _("The application's request is incomplete or has expired."),
}
if missing := set(PageError) - PAGE_ERRORS.keys():
    raise RuntimeError(f"no text for {missing}")


def _refused_page(code: PageError, client: AnyClient | None = None) -> BaseResponse:
    events.record(
        current.work(),
        AuditAction.AUTHORIZE_REFUSED,
        reason=ProtocolCode(code),
        client=client,
        proved=False,
    )
    return _hard_error(code)


def _hard_error(code: PageError) -> BaseResponse:
    """A page for the person, status 400, no redirect."""
    body = render_template(
        "hosted/error.html",
        status=400,
        title=gettext("We cannot complete this sign-in"),
        message=PAGE_ERRORS[code],
        advice=gettext(
            "Return to the application and start again. If the problem continues, contact the "
            "people who run the application."
        ),
    )
    return Response(body, status=400)
