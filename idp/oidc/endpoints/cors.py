"""Cross-origin resource sharing (CORS, Fetch standard section 3.2): the scripts of other sites that
may read an answer, by path. Errors have the same headers as success. Cookies are never allowed."""

from __future__ import annotations

from flask import Blueprint, Response, g

from hosted_pages import response_headers
from idp import current
from idp.clients import registry
from idp.oidc.protected_resources import RESOURCES

ANY_ORIGIN = "*"
#: Public documents: any script may read them.
PUBLIC = frozenset({
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/ssf-configuration",
    "/oauth2/v1/keys",
    *(resource.metadata_path for resource in RESOURCES),
})  # fmt: skip
#: Scripts of registered origins may call these.
RESTRICTED = frozenset({
    "/oauth2/v1/token",
    "/oauth2/v1/userinfo",
    "/oauth2/v1/revoke",
    "/oauth2/v1/par",
    "/oauth2/v1/device_authorization",
})  # fmt: skip
#: What a script may send besides the headers that need no permission.
ALLOWED = "Authorization, Content-Type, DPoP"
#: What a script may read besides the body.
EXPOSED = "Retry-After, WWW-Authenticate, DPoP-Nonce"


def install(pages: Blueprint) -> None:
    """Look up the origin before each request, and add the headers to its answer."""
    pages.before_app_request(_find_origin)
    pages.after_app_request(_add_headers)


def headers_of_failure(path: str) -> dict[str, str]:
    """The headers with which a script can read that the gateway failed or is busy. Every origin may
    read such an answer, because it is the same for everybody and the database may not answer."""
    if path not in PUBLIC | RESTRICTED:
        return {}
    return {"Access-Control-Allow-Origin": ANY_ORIGIN, "Access-Control-Expose-Headers": EXPOSED}


def _find_origin() -> None:
    """In the transaction of the request, before it is handled."""
    asked = current.asked()
    if asked.path in RESTRICTED and (origin := asked.headers.get("Origin")):
        known = registry.allowed_origins(current.work())
        g.script_origin = origin if origin in known else None


def _add_headers(response: Response) -> Response:
    path = current.asked().path
    if path in PUBLIC or response.status_code >= 500:
        response.headers.update(headers_of_failure(path))
    elif path in RESTRICTED:
        response_headers.vary_by(response, "Origin")
        if origin := g.get("script_origin"):
            response.access_control_allow_origin = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = ALLOWED
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            response.access_control_max_age = 600
    return response
