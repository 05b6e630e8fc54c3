"""Sign-in with user name and password (GW-02 to GW-04)."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import eastern
from idp import current
from idp.factors import passkeys
from idp.factors.passkeys import Ceremony, Fault
from idp.mfa.assurance import PASSWORD
from idp.models import Account, Interaction
from idp.policy.local_path import safe_path
from idp.policy.signin_state import Evidence
from idp.session import interactions
from idp.signin import completion, first_factor, second_factor, transitions
from idp.signin.first_factor import Held
from idp.signin.signin_refusals import SignInRefusal
from idp.web import client_logos, factor_words, i18n
from idp.web.login import proof_page

REMEMBER_SECONDS = 30 * 86400
MAX_PASSWORD = 4096
#: The page that shows what was entered before a session ended.
KEPT = "/signin/kept"


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin", "signin", signin, methods=["GET", "POST"])
    pages.add_url_rule("/signin/passkey", "passkey", passkey, methods=["POST"])


def signin() -> BaseResponse:
    """Show the page, or check the user name and password, after a proof of the browser's key."""
    if request.method == "POST" and (again := current.ask_for_proof()) is not None:
        return again
    handle = request.values.get("flow", "")
    found = current.interaction()
    is_late = bool(handle) and found is None
    found = found or current.restart_interaction(handle)
    if request.method == "POST":
        return _attempt(found)
    if current.browser_session() is not None and not (found and request.args.get("again")):
        # Another tab was first, or this page was opened once more.
        if found is None:
            return current.redirect_after_form(safe_path(request.args.get("next")))
        return redirect(url_for("oidc.resume", flow=found.handle), code=303)
    notice = _what_happened(found) if is_late else kept_notice(request.args.get("next"))
    return _page(found, username=_suggested_name(found), error=notice)


def _what_happened(found: Interaction | None) -> str:
    if found is not None:
        return str(gettext("Your sign-in has expired. Sign in again to continue."))
    if current.sends_cookies():
        return str(gettext("Your sign-in has expired. Sign in here to open your applications."))
    return str(
        gettext(
            "Your sign-in has expired, you started it in another browser, or this browser "
            "blocks cookies. If it blocks cookies, allow them for %(host)s. Then sign in again.",
            host=request.host,
        )
    )


def kept_notice(target: str | None) -> str | None:
    """The notice for a person whose session ended while a form was open."""
    if not (target or "").startswith(KEPT):
        return None
    return str(
        gettext(
            "You were signed out. Sign in to continue. What you entered is kept, except "
            "passwords and codes."
        )
    )


def sign_in_again(notice: str) -> BaseResponse:
    """Show the page again after its form was refused unread, with the same user name and for the
    same application."""
    handle = request.form.get("flow", "")
    found = current.interaction() or current.restart_interaction(handle)
    return _page(found, username=request.form.get("username", ""), error=notice, status=400)


def _attempt(found: Interaction | None) -> BaseResponse:
    work = current.work()
    typed = request.form.get("username", "")
    accepted = first_factor.authenticate_password(
        work,
        current.hasher(),
        current.take_attempt(),
        password=request.form.get("password", "")[:MAX_PASSWORD],
        client=found.client if found else None,
    )
    if isinstance(accepted, Held):
        return _page(found, username=typed, error=_held(accepted), status=400)
    if accepted is None:
        refused = gettext("Incorrect user name or password. Check both, and that Caps Lock is off.")
        more = gettext(
            "After too many failed attempts, sign-in is blocked for 15 minutes. To unlock your "
            "account sooner, use “Unlock account?” below."
        )
        return _page(found, username=typed, error=f"{refused} {more}", status=400)
    found = found or interactions.begin(
        work, current.browser_binding(), return_to=safe_path(request.form.get("next"))
    )
    remember = bool(request.form.get("remember"))
    if accepted.change is not None:
        transitions.require_password_change(
            found, accepted.account, accepted.change, accepted.temporary_password_id
        )
        response: BaseResponse = redirect(url_for("oidc.resume", flow=found.handle), code=303)
    else:
        response = proceed(accepted.account, found, Evidence(PASSWORD), remember=remember)
    _remember_name(response, accepted.account.username if remember else None)
    return response


def _held(refusal: Held) -> str:
    """The text after a right password or passkey of an account that cannot sign in."""
    match refusal.reason:
        case SignInRefusal.ACCOUNT_SUSPENDED:
            text = gettext("Your account is suspended. Call Customer Relations.")
        case SignInRefusal.ACCOUNT_LOCKED:
            text = gettext(
                "Your account is locked. Only Customer Relations can unlock it. Call them."
            )
        case _:
            text = gettext(
                "Sign-in to your account is blocked until %(until)s after too many failed "
                "attempts. Your password is correct. To sign in sooner, use “Unlock account?”.",
                until=eastern(refusal.until),
            )
    return str(text)


def passkey() -> BaseResponse:
    """Sign in with a passkey alone: it names its account and has verified its user."""
    work = current.work()
    found = current.interaction()
    answer = request.form.get("credential", "")
    client = found.client if found else None
    accepted = first_factor.authenticate_passkey(
        work, current.browser_binding(), answer, client=client
    )
    if isinstance(accepted, Held):
        return _page(found, username="", error=_held(accepted), status=400)
    if isinstance(accepted, Fault):
        error = factor_words.passkey_fault(
            accepted,
            otherwise=gettext(
                "This passkey does not belong to an account that you can use here. Sign in "
                "with your user name and password."
            ),
        )
        unknown = passkeys.unknown(work, answer)
        return _page(found, username="", error=error, status=400, unknown_passkey=unknown)
    account, methods = accepted
    found = found or interactions.begin(
        work, current.browser_binding(), return_to=safe_path(request.form.get("next"))
    )
    return proceed(account, found, Evidence(methods))


def proceed(
    account: Account,
    found: Interaction,
    evidence: Evidence,
    *,
    remember: bool = False,
    must_prove: bool = False,
) -> BaseResponse:
    """The first factor was right: a session, or first a second factor or enrolment."""
    decision = second_factor.accept_first_factor(
        current.work(),
        found,
        account,
        evidence,
        cookie=current.browser_cookie(),
        remember=remember,
        must_prove=must_prove,
    )
    if decision.is_required:
        proof_page.send_first(account, flow_of(found), needs_strong=decision.needs_strong)
    return go_on(found)


def go_on(found: Interaction) -> BaseResponse:
    """Start the session when nothing is left to do. Then back to the dispatcher."""
    signed_in = completion.complete(
        current.work(),
        found,
        cookie=current.browser_cookie(),
        previous=current.browser_session(),
        accounts_cookie=current.accounts_cookie(),
    )
    if signed_in is not None:
        current.sign_in(signed_in)
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def flow_of(found: Interaction) -> str:
    """Binds codes and challenges to this sign-in (N62)."""
    return f"interaction:{found.handle}"


def _page(
    found: Interaction | None,
    *,
    username: str,
    error: str | None,
    status: int = 200,
    unknown_passkey: dict[str, str] | None = None,
) -> BaseResponse:
    if found is None:
        g.goes_on = url_for("login.signin", next=safe_path(request.values.get("next")))
    body = render_template(
        "signin.html",
        username=username,
        remember=bool(_was_sent("remember") or _remembered_name()),
        error=error,
        flow=found.handle if found else "",
        next_path=safe_path(request.values.get("next")),
        client_name=i18n.name_of(found.client) if found and found.client else None,
        client_logo=client_logos.url_of(found.client) if found else "",
        has_others=current.browser_session() is None and bool(current.other_sessions()),
        passkey_options=passkeys.request_options(
            current.work(), Ceremony.ALONE, current.browser_binding(), None
        ),
        unknown_passkey=unknown_passkey,
    )
    return Response(body, status=status)


def _was_sent(name: str) -> bool:
    """Whether the form of this request has a value; a page that is shown first has no form."""
    return request.method == "POST" and bool(request.form.get(name))


def _suggested_name(found: Interaction | None) -> str:
    """The hint of the relying party, the signed-in account, or the name stored in this browser."""
    if found is not None and (hint := found.request.get("login_hint")):
        return str(hint)
    session = current.browser_session()
    return session.account.username if session else _remembered_name()


def _serializer() -> URLSafeSerializer:
    keys = current_app.extensions["runtime"].vault.cookie_keys
    return URLSafeSerializer(list(reversed(keys)), salt="remembered-name")


def _remembered_name() -> str:
    raw = request.cookies.get(current.runtime().settings.cookie_name("name"))
    if not raw:
        return ""
    try:
        value = _serializer().loads(raw)
    except BadSignature:
        return ""
    return value if isinstance(value, str) else ""


def _remember_name(response: BaseResponse, username: str | None) -> None:
    settings = current.runtime().settings
    name, secure = settings.cookie_name("name"), not settings.is_loopback_http
    if username is None:
        if _remembered_name():
            response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
        return
    response.set_cookie(
        name,
        str(_serializer().dumps(username)),
        max_age=REMEMBER_SECONDS,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
