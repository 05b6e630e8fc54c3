"""Requests that another site sends by POST (OIDC Core 3.1.2.1, RP-Initiated Logout 1.0 section 2).

The gateway's cookies are ``SameSite=Lax``, so such a POST comes without them. Nobody seems to be
signed in, and a cookie in the response would replace the browser's. Therefore a POST is validated
and then redirected to a GET, which has the cookies. The URL contains the validated parameters,
signed, and stays short even if the hint was long.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from idp import current

#: Seconds for which the URL of the redirect is valid.
MAX_AGE = 300


def redirect_to_get(endpoint: str, asked: dict[str, Any]) -> Response:
    """A redirect to ``endpoint`` by GET with these values."""
    at = int(current.work().now.timestamp())
    sealed = str(_serializer(endpoint).dumps([at, asked]))
    return redirect(url_for(endpoint, asked=sealed), code=303)


def received() -> dict[str, Any] | None:
    """The values of the redirect to this endpoint. None if they are forged or too old."""
    try:
        at, asked = _serializer(request.endpoint or "").loads(request.args.get("asked", ""))
    except BadSignature:
        return None
    age = current.work().now.timestamp() - at
    return dict(asked) if -1 <= age < MAX_AGE else None


def _serializer(endpoint: str) -> URLSafeSerializer:
    keys = current.runtime().vault.cookie_keys
    return URLSafeSerializer(list(reversed(keys)), salt=f"posted:{endpoint}")
