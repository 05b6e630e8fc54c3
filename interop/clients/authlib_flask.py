"""Authlib with Flask: its own sign-out, and a refresh by the library."""

from __future__ import annotations

import os
import secrets
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask, abort, redirect, session, url_for

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
gateway = OAuth(app).register(
    "gateway",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={
        "scope": "openid profile email groups offline_access",
        "code_challenge_method": "S256",
    },
)
tokens: dict[str, dict[str, Any]] = {}


def person() -> dict[str, Any]:
    return tokens.get(session.get("key", "")) or abort(401)


def page_of(role_group: str) -> str:
    claims = person()["userinfo"]
    if role_group not in claims["groups"]:
        abort(403)
    return f"{role_group}: {claims['preferred_username']}"


@app.get("/")
def home() -> str:
    return "home"


@app.get("/signin")
def signin() -> Any:
    return gateway.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback() -> Any:
    session["key"] = secrets.token_urlsafe()
    tokens[session["key"]] = gateway.authorize_access_token()
    return redirect("/")


@app.get("/reader")
def reader() -> str:
    return page_of("Interop Reader")


@app.get("/editor")
def editor() -> str:
    return page_of("Interop Editor")


@app.get("/refresh")
def refresh() -> str:
    token = person()
    fresh = gateway.fetch_access_token(
        grant_type="refresh_token", refresh_token=token["refresh_token"]
    )
    if gateway.userinfo(token=fresh)["sub"] != token["userinfo"]["sub"]:
        abort(500)
    token.update(fresh)
    return "refreshed"


@app.get("/signout")
def signout() -> Any:
    hint = tokens.pop(session.pop("key"))["id_token"]
    return gateway.logout_redirect(
        post_logout_redirect_uri=url_for("home", _external=True), id_token_hint=hint
    )


app.run("localhost", int(os.environ["PORT"]))
