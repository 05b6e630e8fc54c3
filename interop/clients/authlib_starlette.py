"""Authlib with Starlette: its own sign-out, and a refresh by the library."""

from __future__ import annotations

import os
import secrets
from typing import Any

import uvicorn
from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

gateway = OAuth().register(
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


def person(request: Request) -> dict[str, Any]:
    token = tokens.get(request.session.get("key", ""))
    if token is None:
        raise HTTPException(401)
    return token


def page_of(role_group: str, request: Request) -> Response:
    claims = person(request)["userinfo"]
    if role_group not in claims["groups"]:
        raise HTTPException(403)
    return PlainTextResponse(f"{role_group}: {claims['preferred_username']}")


async def home(request: Request) -> Response:
    return PlainTextResponse("home")


async def signin(request: Request) -> Response:
    return await gateway.authorize_redirect(request, str(request.url_for("callback")))


async def callback(request: Request) -> Response:
    request.session["key"] = secrets.token_urlsafe()
    tokens[request.session["key"]] = await gateway.authorize_access_token(request)
    return RedirectResponse("/")


async def reader(request: Request) -> Response:
    return page_of("Interop Reader", request)


async def editor(request: Request) -> Response:
    return page_of("Interop Editor", request)


async def refresh(request: Request) -> Response:
    token = person(request)
    fresh = await gateway.fetch_access_token(
        grant_type="refresh_token", refresh_token=token["refresh_token"]
    )
    if (await gateway.userinfo(token=fresh))["sub"] != token["userinfo"]["sub"]:
        raise HTTPException(500)
    token.update(fresh)
    return PlainTextResponse("refreshed")


async def signout(request: Request) -> Response:
    hint = tokens.pop(request.session.pop("key"))["id_token"]
    return await gateway.logout_redirect(
        request, post_logout_redirect_uri=str(request.url_for("home")), id_token_hint=hint
    )


app = Starlette(
    routes=[
        Route("/" if view is home else f"/{view.__name__}", view)
        for view in (home, signin, callback, reader, editor, refresh, signout)
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=secrets.token_urlsafe())],
)
uvicorn.run(app, host="localhost", port=int(os.environ["PORT"]), log_level="warning")
