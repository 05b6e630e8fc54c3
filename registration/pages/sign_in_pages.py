"""Sign-in and sign-out at the gateway: a relying party of OpenID Connect (code, PKCE)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from flask import session as form_session
from flask_babel import gettext
from joserfc.errors import JoseError
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry
from requests import RequestException
from werkzeug.wrappers import Response as BaseResponse

from registration import browser_sessions, current
from registration.browser_sessions import STRONG
from registration.gateway_keys import GatewayKeys
from registration.settings import Settings
from service_base import logs

SCOPE = "openid profile groups"
#: Longest wait for the gateway.
GATEWAY_SECONDS = 10
EVENT = "http://schemas.openid.net/event/backchannel-logout"
NEXT = "next"
log = logs.Logger("registration.signin")


def blueprint() -> Blueprint:
    """The endpoints that the gateway knows, and the ways to them."""
    pages = Blueprint("auth", __name__)
    pages.add_url_rule("/signin", "sign_in", sign_in)
    pages.add_url_rule("/callback", "callback", callback)
    pages.add_url_rule("/signout", "sign_out", sign_out, methods=["GET", "POST"])
    pages.add_url_rule("/signed-out", "signed_out", signed_out)
    pages.add_url_rule("/backchannel-logout", "backchannel_logout", backchannel_logout,
                       methods=["POST"])  # fmt: skip
    return pages


def install(app: Flask, settings: Settings) -> None:
    """Register the gateway."""
    app.extensions["gateway"] = OAuth(app).register(
        "gateway",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "default_timeout": GATEWAY_SECONDS,
        },
    )
    gateway: FlaskOAuth2App = app.extensions["gateway"]
    clock = app.extensions["runtime"].ports.clock
    app.extensions["gateway_keys"] = GatewayKeys(
        lambda: gateway.fetch_jwk_set(force=True), clock.now
    )


def sign_in() -> BaseResponse:
    """To the gateway. ``fresh``: a second factor is asked for again, before a sensitive act."""
    form_session[NEXT] = local_path(request.args.get("next", ""))
    more: dict[str, Any] = {"ui_locales": request.accept_languages.to_header()[:100] or "en"}
    if request.args.get("fresh"):
        more["max_age"] = "0"
        more["acr_values"] = STRONG[0]
    try:
        answer: BaseResponse = _gateway().authorize_redirect(_url("/callback"), **more)
    except RequestException as error:
        return _away(error)
    return answer


def callback() -> BaseResponse:
    """Back from the gateway: check who answers, trade the code, start the session."""
    if request.args.get("iss") != _settings().issuer:
        return _problem(gettext("The answer does not come from our gateway."))
    try:
        token = _gateway().authorize_access_token()
    except (OAuthError, JoseError) as error:
        log.warning("sign_in_refused", reason=str(error))
        return _problem(gettext("You were not signed in. Start again."))
    except RequestException as error:
        return _away(error)
    cookie = browser_sessions.start(current.work(), token["userinfo"], token["id_token"])
    if cookie is None:
        return _problem(
            gettext(
                "You are not registered here. Ask your company's Applicant Representative or "
                "Rights Administrator to register you."
            )
        )
    if (former := current.session()) is not None:
        browser_sessions.end(current.work(), former, "signed_in_again")
    target = local_path(form_session.pop(NEXT, ""))
    # A new form token for a new session.
    form_session.pop("csrf_token", None)
    return current.set_cookie(redirect(target, code=303), cookie)


def sign_out() -> BaseResponse:
    """Out of registration and of the gateway (RP-Initiated Logout 1.0), after a question: a link
    alone signs nobody out."""
    session = current.session()
    if session is None:
        return Response(render_template("signed_out.html"))
    if request.method != "POST":
        return Response(render_template("sign_out.html"))
    hint = browser_sessions.end(current.work(), session, "signed_out")
    query = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": _url("/signed-out")})
    try:
        end = _gateway().load_server_metadata()["end_session_endpoint"]
    except RequestException as error:
        log.warning("gateway_away", reason=str(error))
        return current.set_cookie(redirect(_url("/signed-out"), code=303), "")
    # Browsers apply form-action to redirects after a form, so a page goes on to the gateway.
    body = render_template("onward.html", url=f"{end}?{query}")
    return current.set_cookie(Response(body), "")


def signed_out() -> str:
    """The gateway has sent the browser back."""
    return render_template("signed_out.html")


def backchannel_logout() -> BaseResponse:
    """The gateway says that a session has ended: end what was started by it."""
    try:
        claims = _logout_claims(request.form.get("logout_token", ""))
        is_new = browser_sessions.end_by_gateway(current.work(), claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        log.warning("logout_token_refused", reason=str(error))
        return Response(status=400)
    except RequestException as error:
        log.warning("gateway_away", reason=str(error))
        return Response(status=503)
    return Response(status=200 if is_new else 400)


def _logout_claims(token: str) -> dict[str, Any]:
    """The checks of Back-Channel Logout 1.0 section 2.6. Raises JoseError, ValueError or
    KeyError."""
    found = gateway_keys().decode(token)
    claims: dict[str, Any] = found.claims
    must: ClaimsOption = {"essential": True}
    issuer: ClaimsOption = {"essential": True, "value": _settings().issuer}
    audience: ClaimsOption = {"essential": True, "value": _settings().client_id}
    JWTClaimsRegistry(iss=issuer, aud=audience, exp=must, iat=must, jti=must, sid=must).validate(
        claims
    )
    if found.header.get("typ") != "logout+jwt" or EVENT not in claims["events"]:
        raise ValueError("this is no logout token")
    if "nonce" in claims:
        raise ValueError("this is an ID token")
    return claims


def local_path(target: Any) -> str:
    """A path of this site, or the home page."""
    text = str(target or "")
    parts = urlsplit(text)
    is_local = text.startswith("/") and text[1:2] not in ("/", "\\") and not parts.netloc
    is_plain = all(" " <= letter != "\\" for letter in text) and len(text) < 8000
    return text if is_local and is_plain and not parts.scheme else "/"


def _problem(message: str) -> Response:
    return Response(render_template("sign_in_problem.html", message=message), status=400)


def _away(error: Exception) -> Response:
    log.error("gateway_away", reason=str(error))
    text = gettext("The gateway, where people sign in, does not answer. Try again in a minute.")
    return Response(render_template("sign_in_problem.html", message=text), status=503)


def gateway_keys() -> GatewayKeys:
    """The keys that the gateway signs with."""
    found: GatewayKeys = current_app.extensions["gateway_keys"]
    return found


def _gateway() -> FlaskOAuth2App:
    return current_app.extensions["gateway"]


def _settings() -> Settings:
    return current.runtime().settings


def _url(path: str) -> str:
    return _settings().url + path
