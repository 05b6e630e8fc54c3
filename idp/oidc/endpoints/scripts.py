"""Which scripts of other sites may read an answer (CORS, Fetch standard section 3.2), by path:
success and refusal alike, from whatever part of the gateway they come. Never with cookies."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from idp import current
from idp.clients import registry

ANYBODY = "*"
#: Public documents: any script may read them.
OPEN = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/oauth2/v1/keys",
)
#: Scripts of registered origins may call these.
CALLED = ("/oauth2/v1/token", "/oauth2/v1/userinfo", "/oauth2/v1/revoke")
#: What a script may read besides the body.
EXPOSED = "Retry-After, WWW-Authenticate"


def install(pages: Blueprint) -> None:
    """Look the origin up before the request, and name it in whatever answer it gets."""
    pages.before_app_request(_look_up)
    pages.after_app_request(_name)


def headers_of_failure(path: str) -> dict[str, str]:
    """What lets a script read that the gateway failed or is busy. Such an answer is the same for
    everybody, so every origin may read it: none needs to be looked up when nothing works."""
    if path not in OPEN + CALLED:
        return {}
    return {"Access-Control-Allow-Origin": ANYBODY, "Access-Control-Expose-Headers": EXPOSED}


def _look_up() -> None:
    """In the transaction of the request, before anything of it is done."""
    origin = request.headers.get("Origin")
    g.script_origin = None
    if request.path in CALLED and origin and origin != "null":
        known = registry.allowed_origins(current.work())
        g.script_origin = origin if origin in known else None


def _name(response: Response) -> Response:
    if request.path in OPEN or response.status_code >= 500:
        response.headers.update(headers_of_failure(request.path))
    elif request.path in CALLED:
        response.vary.add("Origin")
        if origin := g.get("script_origin"):
            response.access_control_allow_origin = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            response.access_control_max_age = 600
    return response
