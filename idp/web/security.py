"""What every answer carries and every request passes, in one place."""

from __future__ import annotations

import re
import time

from flask import Flask, Response, abort
from flask.ctx import _AppCtxGlobals

from hosted_pages import response_headers
from idp import current
from idp.current import GatewayRequest
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
    own = settings.issuer.partition("://")[2]

    @app.before_request
    def begin() -> None:
        asked, held = current.asked(), current.held()
        sent = asked.environ.get("HTTP_TRACEPARENT")
        traceparent = current.trusted_traceparent(sent) if sent is not None else None
        ids = tracing.begin_request(asked.method, traceparent)
        held.request_id = ids.request_id
        held.started = time.perf_counter()
        # Werkzeug looks at a Host header in detail; most are the one that is wanted.
        if asked.environ.get("HTTP_HOST") != own and not is_ours(asked.host, settings):
            abort(400)

    @app.after_request
    def finish(response: Response) -> Response:
        asked, held = current.asked(), current.held()
        _headers(response, settings, asked, held)
        ids = request_ids.current()
        _log(response, ids, asked, held)
        request_ids.end()
        if ids is not None and ids.span is not None:
            rule = asked.url_rule
            tracing.end_request(
                ids, asked.method, rule.rule if rule else None, response.status_code
            )
        return response


def is_ours(host: str, settings: Settings) -> bool:
    """Whether a Host header names the issuer; the port is the proxy's affair (N60). Flask's
    TRUSTED_HOSTS cannot name an IPv6 address, and leaves the error page without addresses."""
    wanted = settings.issuer.partition("://")[2]
    return host == wanted or _PORT.sub("", host.lower()) == _PORT.sub("", wanted.lower())


def _headers(
    response: Response, settings: Settings, asked: GatewayRequest, held: _AppCtxGlobals
) -> None:
    """Forms end here. Only the page whose one form is the answer to an application (form_post) lets
    it end where the application redirects to. Only the page of a sign-out has frames, and only
    that of session management may be opened in one."""
    response_headers.protect(
        response,
        is_https=not settings.is_loopback_http,
        may_be_cached=asked.endpoint in CACHEABLE,
        keeps_opener=held.get("keeps_opener", False),
        form_action="https: http:" if held.get("form_goes_anywhere") else "'self'",
        frames=held.get("frame_origins", ()),
    )


def _log(
    response: Response, ids: RequestIds | None, asked: GatewayRequest, held: _AppCtxGlobals
) -> None:
    request_log.write(
        ids=ids,
        endpoint=asked.endpoint,
        method=asked.method,
        path=asked.path,
        status=response.status_code,
        started=held.get("started") or time.perf_counter(),
        ip=asked.sender.ip,
    )
