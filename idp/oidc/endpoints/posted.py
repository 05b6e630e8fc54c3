"""What the form of another site asks (OIDC Core 3.1.2.1, RP-Initiated Logout 1.0 section 2).

The gateway's cookies are ``SameSite=Lax``: such a POST comes without them, so nobody seems to be
signed in, and a cookie of its answer would replace the browser's own. Therefore a POST decides
nothing. What it asks is checked, and goes on by GET in a sealed form, which the cookies accompany
and which is short however long the hint was.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from idp import current

SECONDS = 300


def send_on(endpoint: str, asked: dict[str, Any]) -> Response:
    """On to ``endpoint`` by GET, with what was asked."""
    at = int(current.work().now.timestamp())
    sealed = str(_serializer(endpoint).dumps([at, asked]))
    return redirect(url_for(endpoint, asked=sealed), code=303)


def received() -> dict[str, Any] | None:
    """What was asked, at the endpoint that it was sent on to; None when it is not ours or old."""
    try:
        at, asked = _serializer(request.endpoint or "").loads(request.args.get("asked", ""))
    except BadSignature:
        return None
    age = current.work().now.timestamp() - at
    return dict(asked) if -1 <= age < SECONDS else None


def _serializer(endpoint: str) -> URLSafeSerializer:
    keys = current.runtime().vault.cookie_keys
    return URLSafeSerializer(list(reversed(keys)), salt=f"posted:{endpoint}")
