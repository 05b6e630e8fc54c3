"""The application: sign in through the gateway, show what the token allows, sign out.

Everything a relying party has to do is in ``signin``, ``callback``, ``refresh``, ``signout`` and
``backchannel_logout``.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth, OAuthError
from flask import Flask, Response, current_app, redirect, render_template, request, session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from werkzeug.wrappers import Response as BaseResponse

SCOPE = "openid profile email groups participants offline_access"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
PARTICIPANTS = "urn:ieso:participants"

#: What a role group lets somebody do here. A real application has its own such table.
RIGHTS = {
    "EMI Bids and Offers": "Submit bids and offers",
    "EMI Market Data Viewer": "See market data",
    "CROW Outage Coordinator": "Submit and change outage requests",
    "CROW Viewer": "See outage requests",
    "Reports Settlement": "Open settlement statements",
    "Reports Revenue Metering": "Open revenue metering reports",
    "Workspaces Member": "Read and share documents",
}


@dataclass(frozen=True)
class Config:
    """What makes the same program EMI, CROW, Reports or Workspaces."""

    name: str
    url: str
    issuer: str
    client_id: str
    client_secret: str
    others: tuple[tuple[str, str], ...] = ()


def create_app(config: Config) -> Flask:
    """The relying party. People who are signed in are kept in memory, by a random key that
    the browser holds; tokens never go into a cookie."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    # All demos share the host "localhost", and cookies do not know ports.
    app.config.update(
        SESSION_COOKIE_NAME=f"rp-{config.name.lower()}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.extensions["config"] = config
    app.extensions["people"] = {}
    app.extensions["seen"] = {}
    app.extensions["gateway"] = OAuth(app).register(
        "gateway",
        client_id=config.client_id,
        client_secret=config.client_secret,
        server_metadata_url=f"{config.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
    )
    app.add_url_rule("/", view_func=home)
    app.add_url_rule("/signin", view_func=signin)
    app.add_url_rule("/callback", view_func=callback)
    app.add_url_rule("/refresh", view_func=refresh, methods=["POST"])
    app.add_url_rule("/signout", view_func=signout, methods=["POST"])
    app.add_url_rule("/signed-out", view_func=signed_out)
    app.add_url_rule("/backchannel-logout", view_func=backchannel_logout, methods=["POST"])
    return app


def home() -> BaseResponse:
    """Who you are here, and what you may do."""
    return _page()


def signin() -> BaseResponse:
    """To the gateway, with state, nonce and PKCE (all made by Authlib)."""
    return _gateway().authorize_redirect(_config().url + "/callback")


def callback() -> BaseResponse:
    """Back from the gateway: check who answers, trade the code, keep the tokens here."""
    if request.args.get("iss") != _config().issuer:
        return _page("The answer does not come from our gateway.", 400)
    try:
        token = _gateway().authorize_access_token()
    except OAuthError as error:
        return _page(f"Not signed in: {error.description or error.error}", 400)
    key = secrets.token_urlsafe(32)
    session.clear()
    session["person"] = key
    token["sid"] = token["userinfo"]["sid"]
    current_app.extensions["people"][key] = token
    return redirect("/", code=303)


def refresh() -> BaseResponse:
    """New tokens for the refresh token: role groups as they are now."""
    token = _person()
    if token is None:
        return redirect("/", code=303)
    try:
        fresh = _gateway().fetch_access_token(
            grant_type="refresh_token", refresh_token=token["refresh_token"]
        )
        fresh["userinfo"] = _gateway().userinfo(token=fresh)
    except OAuthError as error:
        current_app.extensions["people"].pop(session.pop("person"), None)
        return _page(f"The sign-in has ended: {error.description or error.error}", 400)
    token.update(fresh)
    return redirect("/", code=303)


def signout() -> BaseResponse:
    """Out of this application and out of the gateway (RP-initiated logout)."""
    token = _person()
    current_app.extensions["people"].pop(session.pop("person", ""), None)
    if token is None:
        return redirect("/signed-out", code=303)
    session["signout"] = state = secrets.token_urlsafe(16)
    query = urlencode(
        {
            "id_token_hint": token["id_token"],
            "post_logout_redirect_uri": _config().url + "/signed-out",
            "state": state,
        }
    )
    end = _gateway().load_server_metadata()["end_session_endpoint"]
    return redirect(f"{end}?{query}", code=303)


def signed_out() -> BaseResponse:
    """The gateway has sent the browser back."""
    expected = session.pop("signout", None)
    if request.args.get("state") != expected:
        return _page("You are signed out here.")
    return _page("You are signed out here and at the gateway.")


def backchannel_logout() -> BaseResponse:
    """The gateway says that a session has ended: forget who was signed in by it."""
    try:
        ended = _logout_claims(request.form.get("logout_token", ""))
    except (JoseError, ValueError, KeyError):
        return Response(status=400, headers={"Cache-Control": "no-store"})
    people: dict[str, dict[str, Any]] = current_app.extensions["people"]
    for key in [key for key, token in people.items() if token["sid"] == ended["sid"]]:
        people.pop(key, None)
    return Response(status=200, headers={"Cache-Control": "no-store"})


def _logout_claims(token: str) -> dict[str, Any]:
    """The checks of Back-Channel Logout 1.0 section 2.6. Raises JoseError, ValueError or
    KeyError."""
    found = jwt.decode(token, KeySet.import_key_set(_gateway().fetch_jwk_set()), ["RS256", "ES256"])
    claims: dict[str, Any] = found.claims
    must = {"essential": True}
    JWTClaimsRegistry(
        iss=must | {"value": _config().issuer},
        aud=must | {"value": _config().client_id},
        exp=must, iat=must, jti=must, sid=must,
    ).validate(claims)  # fmt: skip
    if found.header.get("typ") != "logout+jwt" or EVENT not in claims["events"]:
        raise ValueError("this is no logout token")
    if "nonce" in claims:
        raise ValueError("this is an ID token")
    seen: dict[str, int] = current_app.extensions["seen"]
    if claims["jti"] in seen:
        raise ValueError("this logout token was seen before")
    for jti in [jti for jti, expiry in seen.items() if expiry < time.time()]:
        seen.pop(jti, None)
    seen[claims["jti"]] = claims["exp"]
    return claims


def _page(message: str = "", status: int = 200) -> Response:
    token = _person()
    body = render_template(
        "page.html",
        config=_config(),
        person=token["userinfo"] if token else None,
        participants=(token["userinfo"].get(PARTICIPANTS) or []) if token else [],
        rights=RIGHTS,
        message=message,
    )
    return Response(body, status=status)


def _config() -> Config:
    config: Config = current_app.extensions["config"]
    return config


def _gateway() -> FlaskOAuth2App:
    return current_app.extensions["gateway"]


def _person() -> dict[str, Any] | None:
    people: dict[str, dict[str, Any]] = current_app.extensions["people"]
    return people.get(session.get("person", ""))
