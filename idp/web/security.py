"""What every answer carries and every request passes, in one place."""

from __future__ import annotations

import re
import time

from flask import Flask, Response, abort, g, request

from hosted_pages import response_headers
from idp import current
from idp.settings import Settings
from idp.web import request_log
from service_base import request_ids, tracing
from service_base.request_ids import RequestIds

#: Documents that may be cached; everything else says no-store.
CACHEABLE = response_headers.CACHEABLE | {
    "pages.client_logo",
    "oidc.openid_configuration",
    "oidc.oauth_metadata",
    "oidc.userinfo_metadata",
    "oidc.scim_metadata",
    "oidc.shared_signals_metadata",
    "oidc.ssf_configuration",
    "oidc.keys",
    "oidc.check_session",
}

_PORT = re.compile(r":[0-9]+$")


def install(app: Flask, settings: Settings) -> None:
    """Ids and span of a request, its log line, and the security headers of every answer."""

    @app.before_request
    def begin() -> None:
        sent = request.environ.get("HTTP_TRACEPARENT")
        traceparent = current.trusted_traceparent(sent) if sent is not None else None
        ids = tracing.begin_request(request.method, traceparent)
        g.request_id = ids.request_id
        response_headers.begin()
        g.started = time.perf_counter()
        if not is_ours(request.host, settings):
            abort(400)

    @app.after_request
    def finish(response: Response) -> Response:
        _headers(response, settings)
        ids = request_ids.current()
        _log(response, ids)
        request_ids.end()
        if ids is not None and ids.span is not None:
            rule = request.url_rule
            tracing.end_request(
                ids, request.method, rule.rule if rule else None, response.status_code
            )
        return response


def is_ours(host: str, settings: Settings) -> bool:
    """Whether a Host header names the issuer; the port is the proxy's affair (N60). Flask's
    TRUSTED_HOSTS cannot name an IPv6 address, and leaves the error page without addresses."""
    wanted = settings.issuer.split("://", 1)[1]
    return host == wanted or _PORT.sub("", host.lower()) == _PORT.sub("", wanted.lower())


def _headers(response: Response, settings: Settings) -> None:
    """Forms end here. Only the page whose one form is the answer to an application (form_post) lets
    it end where the application redirects to. Only the page of a sign-out has frames, and only
    that of session management may be opened in one."""
    response_headers.protect(
        response,
        is_https=not settings.is_loopback_http,
        may_be_cached=request.endpoint in CACHEABLE,
        keeps_opener=g.get("keeps_opener", False),
        form_action="https: http:" if g.get("form_goes_anywhere") else "'self'",
        frames=g.get("frame_origins", ()),
    )


def _log(response: Response, ids: RequestIds | None) -> None:
    request_log.write(
        ids=ids,
        endpoint=request.endpoint,
        method=request.method,
        path=request.path,
        status=response.status_code,
        started=g.get("started") or time.perf_counter(),
        ip=current.sender_ip(),
    )
