"""The current request: its unit of work, its browser's cookies and session, and its origin.

Flask's signed cookie holds the CSRF token and the value that binds interactions to this browser.
Three more cookies are random values: one for the session, one that names the sessions of a browser
with several accounts, and one to recognise the browser at its next sign-in. The database has only
their digests. A signed one shows for minutes that the browser proved the key that its sessions are
bound to (``device_bindings``). A last one changes with the session and can be read by
a script of the gateway (``browser_state``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from flask import (
    Flask,
    Request,
    Response,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.ctx import _AppCtxGlobals
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer
from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.form_requests import FormRequest
from hosted_pages.response_headers import ProtectedResponse
from idp.bound_sessions import copied_sessions, refresh, registration
from idp.credentials.hashing import PasswordHasher
from idp.machines.machine_authentication import MachineAuthenticator
from idp.models import BrowserSession, DeviceBinding, Interaction
from idp.models.records import AnyClient, AnySession, OpenSession
from idp.policy.addresses import ClientAddress, client_address, is_trusted_proxy
from idp.policy.device_binding import Standing
from idp.session import browser_accounts, browser_state, device_bindings, interactions, sessions
from idp.session.device_bindings import FRESH_SECONDS
from idp.signin import first_factor
from idp.signin.completion import SignedIn
from idp.signin.first_factor import Attempt
from idp.transaction import CLOCK_SECONDS, Origin, Runtime, UnitOfWork
from service_base import logs, request_ids

if TYPE_CHECKING:
    from idp.credentials.certificates import ClientCertificate

log = logs.Logger("gateway.request")
#: What a proxy says of a certificate whose chain it verified.
VERIFIED = "SUCCESS"
MAX_AGENT = 400
#: A browser is recognised for a year after its latest sign-in. Recognition gives no access.
RECOGNITION_SECONDS = 365 * 86400
#: Where browsers register the key of a session (``idp.web.bound_session_endpoints``).
BIND_PATH = "/session/bind"
#: Where the password is sent to, in a sign-in (``ask_for_proof``).
SIGN_IN = "login.signin"


#: Those of programs.
_NO_COOKIES: ImmutableMultiDict[str, str] = ImmutableMultiDict()


class GatewayRequest(FormRequest):
    """A request that ignores a cookie that is sent twice. An attacker may have set one of the two,
    and nothing shows which (N55)."""

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        if "HTTP_COOKIE" not in self.environ:
            return _NO_COOKIES
        sent = super().cookies
        return ImmutableMultiDict(
            [(name, values[0]) for name, values in sent.lists() if len(values) == 1]
        )

    @cached_property
    def sender(self) -> ClientAddress:
        """The address of the sender; only trusted proxies may name another one (F2, N52)."""
        peer = self.environ.get("REMOTE_ADDR") or ""
        forwarded = self.environ.get("HTTP_X_FORWARDED_FOR", "")
        found = client_address(peer, forwarded, runtime().settings.trusted_proxies)
        if found.unreadable:
            log.warning("unreadable_forwarded_address", sent=found.unreadable[:100], peer=peer)
        return found


#: Headers that Werkzeug changes when it sends them.
_CHANGED_WHEN_SENT = frozenset({"location", "content-location"})


class GatewayResponse(ProtectedResponse):
    """A response whose headers are sent as they are, without a copy, where Werkzeug would change
    nothing in them."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        names = {name.lower() for name, _ in self.headers}
        if "content-length" in names and names.isdisjoint(_CHANGED_WHEN_SENT):
            status = self.status_code
            if status >= 200 and status not in (204, 304):
                return self.headers
        return super().get_wsgi_headers(environ)


def asked() -> GatewayRequest:
    """The request itself. Flask's ``request`` looks for it each time that it is read."""
    return cast(GatewayRequest, request._get_current_object())  # type: ignore[attr-defined]


def held() -> _AppCtxGlobals:
    """What this request holds, as Flask's ``g``, without a search for each use."""
    return cast(_AppCtxGlobals, g._get_current_object())


def trusted_traceparent(sent: str) -> str | None:
    """The ``traceparent`` of this request, if a trusted proxy sent it."""
    peer = request.environ.get("REMOTE_ADDR") or ""
    return request_ids.trusted_traceparent(sent, peer, runtime().settings.trusted_proxies)


def client_certificate() -> ClientCertificate | None:
    """The certificate that the client of this request presented to a trusted proxy. One that
    anybody else names is dropped."""
    settings = runtime().settings
    name, verified = (
        settings.client_certificate_header,
        settings.client_certificate_verified_header,
    )
    text = request.headers.get(name) if name else None
    if not text:
        return None
    from idp.credentials import certificates

    peer = request.environ.get("REMOTE_ADDR") or ""
    if not is_trusted_proxy(peer, settings.trusted_proxies):
        log.warning("client_certificate_dropped", peer=peer)
        return None
    is_verified = bool(verified) and request.headers.get(verified) == VERIFIED
    found = certificates.read(text, is_verified=is_verified)
    if found is None:
        log.warning("client_certificate_unreadable", peer=peer)
    return found


def certificate_thumbprint() -> str | None:
    """The SHA-256 thumbprint of ``client_certificate``."""
    found = client_certificate()
    return found.thumbprint if found is not None else None


def work() -> UnitOfWork:
    """The unit of work of this request; started when first needed."""
    holding = held()
    found: UnitOfWork | None = holding.get("work")
    if found is None:
        found = holding.work = runtime().work(origin(), may_presume=True)
    return found


#: The cookies of a request by what holds their new values.
_COOKIES = {
    "session_cookie": "session",
    "accounts_cookie": "accounts",
    "browser_cookie": "browser",
    "bound_cookie": "bound",
    "browser_state": "state",
}
_SENT_IF_HELD = frozenset({*_COOKIES, "registration_offer"})
#: What a view finds or sets for its own transaction, and for the answer.
OF_THE_VIEW = (
    *_COOKIES, "attempt", "browser_session", "confirmed", "operator", "registration_offer",
)  # fmt: skip


def start_again(error: Exception) -> None:
    """The view runs again after this error, in another transaction. What it found or set is
    forgotten."""
    for name in OF_THE_VIEW:
        g.pop(name, None)
    work().start_again(error)


def runtime() -> Runtime:
    """The settings and ports of the application."""
    return cast(Runtime, current_app.extensions["runtime"])


def hasher() -> PasswordHasher:
    """The password hasher of the application."""
    return cast(PasswordHasher, current_app.extensions["hasher"])


def machine_authenticator() -> MachineAuthenticator:
    """The authentication of machine accounts."""
    return cast(MachineAuthenticator, current_app.extensions["machine_authenticator"])


def origin() -> Origin:
    """Where this request comes from."""
    asking = asked()
    agent = asking.environ.get("HTTP_USER_AGENT", "")[:MAX_AGENT] or None
    return Origin(
        ip=asking.sender.ip,
        user_agent=agent,
        request_id=held().get("request_id"),
        device_key=_device_key(),
    )


def _device_key() -> str | None:
    """The key that this browser has proved lately, by its bound cookie; just now, if it was asked
    for a proof."""
    if not asked().cookies:
        return None
    is_asked = _is_asked_for_proof()
    return _key_proved_within(
        FRESH_SECONDS if is_asked else runtime().settings.bound_cookie_seconds
    )


def _key_proved_within(seconds: int) -> str | None:
    known = runtime()
    cookie = asked().cookies.get(known.settings.cookie_name("bound"))
    if not cookie:
        return None
    return device_bindings.key_named_by(known.vault, cookie, known.ports.clock.now(), seconds)


def _is_asked_for_proof() -> bool:
    """Whether ``ask_for_proof`` has just returned this sign-in to the browser: its address says
    when. Whoever claims it only loses trust."""
    sent = asked()
    since = sent.args.get("asked", "") if sent.endpoint == SIGN_IN else ""
    if sent.method != "POST" or not (since.isascii() and since.isdigit() and len(since) < 12):
        return False
    age = runtime().ports.clock.now().timestamp() - int(since)
    return abs(age) <= FRESH_SECONDS + CLOCK_SECONDS


def ask_for_proof() -> BaseResponse | None:
    """Return this sign-in to a browser whose proof is too old: it proves its key and sends the form
    again. It is asked once. None if there is nothing to prove.

    The bound cookie ends, and browsers get a new one before they follow the redirect ("Server
    considerations" of the draft). One that cannot comes without it, and so does a thief."""
    key = work().origin.device_key
    if key is None or _is_asked_for_proof() or _key_proved_within(FRESH_SECONDS) is not None:
        return None
    drop_bound_cookie()
    again = redirect(url_for(SIGN_IN, asked=int(work().now.timestamp())), code=307)
    again.headers["Secure-Session-Challenge"] = refresh.challenge(work(), key)
    return again


def sender_ip() -> str | None:
    """The address of the sender."""
    return asked().sender.ip


def browser_session() -> BrowserSession | None:
    """The active session of this browser; looked up once a request."""
    if "browser_session" not in g:
        found = session_of_cookie()
        standing = _standing(found) if found is not None else None
        g.browser_session = found if standing is Standing.OPEN else None
        if g.browser_session is not None:
            sessions.touch(work(), g.browser_session)
            request_ids.is_asked_by(g.browser_session.account.subject)
        elif standing is not Standing.UNPROVED and _session_cookie():
            _set_browser_state("")
    return cast("BrowserSession | None", g.browser_session)


def unchanged_session() -> OpenSession | None:
    """The same as ``browser_session``, as a value if this request changes nothing of it."""
    known = "browser_session" in held()
    found = None if known else sessions.unchanged(work(), _session_cookie())
    if found is None:
        return browser_session()
    request_ids.is_asked_by(found.account.subject)
    return found


def _session_cookie() -> str:
    return request.cookies.get(runtime().settings.cookie_name("session"), "")


def session_of_cookie() -> BrowserSession | None:
    """The active session whose cookie this request has, even if its key was not proved."""
    cookie = _session_cookie()
    return sessions.of_cookie(work(), cookie) if cookie else None


def _standing(found: BrowserSession) -> Standing:
    """What this request may do with the session. One that was copied ends."""
    is_skipped = "Secure-Session-Skipped" in request.headers
    standing = device_bindings.assess(work(), found, is_skipped=is_skipped)
    if standing is Standing.UNPROVED:
        log.info("session_unproved", session=found.public_id, skipped=is_skipped)
    if standing is Standing.COPIED:
        copied_sessions.end(work(), found)
    return standing


def set_session(owned: BrowserSession, cookie: str) -> None:
    """This browser has the session from now on; it gets a new CSRF token."""
    g.browser_session = owned
    g.session_cookie = cookie
    request_ids.is_asked_by(owned.account.subject)
    session.pop("csrf_token", None)
    show_browser_state(owned)
    if not runtime().settings.is_loopback_http:
        g.registration_offer = registration.offer(work(), owned, BIND_PATH)


def set_bound_cookie(binding: DeviceBinding) -> None:
    """This browser has proved its key."""
    g.bound_cookie = device_bindings.cookie_of(work(), binding)


def drop_bound_cookie() -> None:
    """This browser has no key that sessions are bound to."""
    g.bound_cookie = ""


def show_browser_state(owned: AnySession) -> None:
    """Applications in this browser see that it has this session (``browser_state``)."""
    _set_browser_state(browser_state.value(work(), owned))


def _set_browser_state(value: str) -> None:
    is_known = request.cookies.get(runtime().settings.cookie_name("state"), "") == value
    g.browser_state = None if is_known else value


def accounts_cookie() -> str:
    """The cookie that names the sessions of this browser; empty if it has one at most."""
    return request.cookies.get(runtime().settings.cookie_name("accounts"), "")


def other_sessions() -> list[BrowserSession]:
    """The active sessions of this browser besides ``browser_session``, last used first. They are
    looked up when it has the cookie."""
    if not accounts_cookie() or g.get("accounts_cookie") == "":
        return []
    return browser_accounts.others(work(), browser_session(), accounts_cookie())


def all_sessions() -> list[BrowserSession]:
    """The active sessions of this browser; ``browser_session`` is the first."""
    active = browser_session()
    return [*((active,) if active is not None else ()), *other_sessions()]


def switch(public_id: str) -> BrowserSession | None:
    """Continue with another session of this browser; None if it does not have it."""
    switched = browser_accounts.switch(work(), browser_session(), public_id, accounts_cookie())
    if switched is None:
        return None
    chosen, cookie, names_all = switched
    set_session(chosen, cookie)
    _set_accounts_cookie(names_all)
    return chosen


def _set_accounts_cookie(value: str) -> None:
    g.accounts_cookie = value if value or accounts_cookie() else None


def browser_cookie() -> str:
    """The cookie by which this browser is recognised at sign-in; empty when it has none."""
    return request.cookies.get(runtime().settings.cookie_name("browser"), "")


def attempt() -> Attempt:
    """Whose password the form of this request has, for its limit and its view: looked up once."""
    if "attempt" not in g:
        typed = request.form.get("username", "")
        g.attempt = first_factor.find_attempt(work(), typed, browser_cookie())
    return cast(Attempt, g.attempt)


def take_attempt() -> Attempt:
    """The same for the view. When it runs again, in another transaction, it is looked up again."""
    found = attempt()
    del g.attempt
    return found


def sign_in(signed_in: SignedIn) -> None:
    """This browser has the session from now on, and is recognised at the next sign-in."""
    set_session(signed_in.session, signed_in.session_cookie)
    _set_accounts_cookie(signed_in.accounts_cookie)
    session["entered"] = True
    g.browser_cookie = signed_in.browser_cookie


def is_first_page_after_sign_in() -> bool:
    """Whether this is the first page after a sign-in; it notifies the other tabs."""
    return bool(session.pop("entered", False))


def clear_session(*, is_all: bool = False) -> None:
    """This browser has no active session any more; ``last_account_id`` still knows whose it was.
    ``is_all``: nor has it other sessions."""
    if is_all:
        _set_accounts_cookie("")
    if (ended := browser_session()) is not None:
        session["former"] = ended.account_id
    g.browser_session = None
    g.session_cookie = ""
    _set_browser_state("")
    session.pop("csrf_token", None)


def last_account_id() -> int | None:
    """The key of the account whose session this browser had last; None if unknown."""
    found = sessions.last_account_id(work(), _session_cookie())
    former = session.get("former")
    return found if found is not None or not isinstance(former, int) else former


def browser_binding() -> str:
    """The value that binds interactions to this browser; created when first needed."""
    if not isinstance(session.get("browser"), str):
        session["browser"] = work().token(16)
    return cast(str, session["browser"])


def existing_browser_binding() -> str | None:
    """The same, without creating one."""
    value = session.get("browser")
    return value if isinstance(value, str) else None


def use_client_preferences(client: AnyClient | None, wishes: Sequence[str] = ()) -> None:
    """The pages of this response belong to a request of ``client``: they use the language that it
    asks for, and keep their opener if the client shows them in popups. Call it before the first
    text is translated, since the language is chosen once."""
    if client is not None:
        g.ui_locales = wishes
        g.keeps_opener = client.uses_popups


def interaction(handle: str | None = None) -> Interaction | None:
    """The unfinished sign-in that this request names in ``flow``, if this browser started it."""
    named = request.values.get("flow", "") if handle is None else handle
    if not named:
        return None
    found = interactions.find(work(), named, existing_browser_binding())
    if found is not None:
        use_client_preferences(found.client, found.request.get("ui_locales", ()))
        g.goes_on = url_for("oidc.resume", flow=found.handle)
    return found


def restart_interaction(handle: str) -> Interaction | None:
    """Restart the sign-in that this request names, after its time-out or without its cookie."""
    if not handle:
        return None
    found = interactions.restart(
        work(),
        handle,
        browser_binding(),
        former=existing_browser_binding(),
        is_same_origin=is_same_origin(),
    )
    return interaction(found.handle) if found is not None else None


def continue_page(url: str) -> Response:
    """A page that continues to ``url`` by an automatic refresh, or by its link.

    Browsers apply ``form-action`` of the page with the form to every redirect that follows (CSP
    level 3 section 6.4.1), and the gateway cannot know where an application redirects to. So the
    response to a form never redirects to an application."""
    return Response(render_template("onward.html", url=url))


def redirect_after_form(path: str) -> BaseResponse:
    """Continue at a path of this site after a form. Protocol endpoints may redirect further."""
    return continue_page(path) if path.startswith("/oauth2/") else redirect(path, code=303)


def sends_cookies() -> bool:
    """Whether the cookie that every page with a form sets came back."""
    return runtime().settings.cookie_name("form") in request.cookies


def is_same_origin() -> bool:
    """Whether a page of this site sent this, as the browser says (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin"


#: What other sites may send here by their forms.
OPEN_TO_FORMS = ("oidc.authorize", "oidc.logout")


def is_cross_site_form() -> bool:
    """Whether a form of another site sent this. Such a request comes without cookies, so none may
    be set in the response either."""
    if request.method != "POST":
        return False
    return (
        request.endpoint in OPEN_TO_FORMS or request.headers.get("Sec-Fetch-Site") == "cross-site"
    )


class FormCookie(SecureCookieSessionInterface):
    """Flask's session cookie, which a form of another site cannot replace. A request without the
    cookie, whose view does not use it, costs nothing."""

    _serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Made once: the keys of a process do not change."""
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed or session.modified:
            super().save_session(app, session, response)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return not is_cross_site_form() and super().should_set_cookie(app, session)


def install(app: Flask) -> None:
    """Write the cookies into the answer when they changed."""
    app.session_interface = FormCookie()

    @app.after_request
    def write_cookies(response: Response) -> Response:
        holding = held()
        if _SENT_IF_HELD.isdisjoint(holding):
            return response
        if holding.get("registration_offer") is not None:
            response.headers["Secure-Session-Registration"] = holding.pop("registration_offer")
        for name, purpose in _COOKIES.items():
            if (value := holding.pop(name, None)) is not None:
                _write(response, purpose, value)
        return response


def _write(response: Response, purpose: str, value: str) -> None:
    """Set the cookie, delete it for an empty value. A script of the gateway reads ``state`` in
    frames of other sites, for which browsers demand https."""
    settings = runtime().settings
    for_frames = purpose == "state"
    ages = {"browser": RECOGNITION_SECONDS, "bound": settings.bound_cookie_seconds}
    name, secure = settings.cookie_name(purpose), not settings.is_loopback_http
    attributes: dict[str, Any] = {
        "secure": secure,
        "httponly": not for_frames,
        "samesite": "None" if for_frames and secure else "Lax",
        "path": "/",
    }
    if value:
        response.set_cookie(name, value, max_age=ages.get(purpose), **attributes)
    else:
        response.delete_cookie(name, **attributes)
