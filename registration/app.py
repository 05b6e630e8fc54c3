"""The factory of the web application: settings and ports in, an application out."""

from __future__ import annotations

import re
import time
from pathlib import Path

from flask import Flask, Request, Response, abort, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel, lazy_gettext
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import MapAdapter

from hosted_pages import frame, languages, response_headers, template_texts, url_rules
from hosted_pages.brand import Brand
from registration import api, current, pages, problems
from registration.pages import error_pages, sign_in_pages
from registration.ports import Ports
from registration.schema import SCHEMA
from registration.settings import Settings
from registration.transaction import DATABASE_UNAVAILABLE, Runtime
from service_base import logs, request_ids, request_metrics, tracing
from service_base.schema_version import USABLE, SchemaStatus

log = logs.Logger("registration.request")
_PORT = re.compile(r":[0-9]+$")
#: Answered without a unit of work.
STATIC = ("static", "hosted.brand_colours", "hosted.brand_logo")


class Registration(Flask):
    """Flask with one unit of work around every view: returning commits, raising rolls back."""

    jinja_environment = template_texts.Environment
    response_class = response_headers.ProtectedResponse
    url_rule_class = url_rules.Rule

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """An adapter that always uses our own host, so that a forged Host header changes no URL."""
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind_to_environ(
            request.environ, server_name=self.config["OWN_HOST"], subdomain=""
        )

    def dispatch_request(self) -> ResponseReturnValue:
        if request.endpoint in STATIC:
            return super().dispatch_request()
        with current.runtime().work() as work:
            g.work = work
            if not problems.is_asked():
                current.find_session()
            return self.make_response(super().dispatch_request())


def create_app(settings: Settings, ports: Ports | None = None) -> Flask:
    """Registration for these settings. Raises ConfigurationError when they are unsafe."""
    settings.validate()
    app = Registration("registration", static_folder=None)
    runtime = Runtime.of(settings, ports or Ports.of(settings))
    app.extensions["runtime"] = runtime
    is_https = not settings.is_loopback_http
    app.config.update(
        frame.form_config(
            settings.cookie_name("form"), is_https=is_https, seconds=settings.form_seconds
        ),
        **frame.form_keys(runtime.keys.cookie_keys),
        OWN_HOST=settings.url.split("://", 1)[1],
        PREFERRED_URL_SCHEME=settings.url.split("://", 1)[0],
        MAX_CONTENT_LENGTH=settings.max_body,
        MAX_FORM_MEMORY_SIZE=settings.max_body,
        MAX_FORM_PARTS=100,
    )
    _install_security(app, settings, is_https=is_https)
    csrf = CSRFProtect(app)
    folder = languages.catalogues(Path(app.root_path) / "translations")
    Babel(app, locale_selector=_language, default_translation_directories=folder)
    frame.install(app, _frame(settings))
    error_pages.install(app)
    sign_in_pages.install(app, settings)
    for_programs = api.blueprint()
    for blueprint in (pages.blueprint(), sign_in_pages.blueprint(), for_programs):
        app.register_blueprint(blueprint)
    # Programs send no cookies.
    csrf.exempt(for_programs)
    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/readyz", "readyz", readyz)
    csrf.exempt(app.view_functions["auth.backchannel_logout"])
    app.context_processor(
        lambda: {"viewer": g.get("viewer"), "here": "/" if request.method == "POST" else _path()}
    )
    return app


def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


def readyz() -> Response:
    """The database answers and has the tables of this release."""
    work = current.work()
    try:
        status = SCHEMA.status(work.db.connection())
    except DATABASE_UNAVAILABLE:
        work.db.rollback()
        status = SchemaStatus.AWAY
    is_usable = status in USABLE
    answer = jsonify(status="ok" if is_usable else "unavailable", database=status)
    answer.status_code = 200 if is_usable else 503
    return answer


def _install_security(app: Flask, settings: Settings, *, is_https: bool) -> None:
    wanted = _PORT.sub("", settings.url.split("://", 1)[1].lower())

    @app.before_request
    def begin() -> None:
        ids = tracing.begin_request(
            request.method,
            request_ids.trusted_traceparent(
                request.environ.get("HTTP_TRACEPARENT"),
                request.environ.get("REMOTE_ADDR") or "",
                settings.trusted_proxies,
            ),
        )
        g.request_id = ids.request_id
        g.started = time.perf_counter()
        if _PORT.sub("", request.host.lower()) != wanted:
            abort(400)

    @app.after_request
    def finish(response: Response) -> Response:
        current.write_cookie(response)
        cached = request.endpoint in response_headers.CACHEABLE
        response_headers.protect(response, is_https=is_https, may_be_cached=cached)
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        request_metrics.count(request.endpoint, response.status_code, seconds)
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
        )
        if (ids := request_ids.end()) is not None and ids.span is not None:
            rule = request.url_rule
            tracing.end_request(
                ids, request.method, rule.rule if rule else None, response.status_code
            )
        return response


def _language() -> str:
    """The choice made on a page, else the browser's."""
    return languages.chosen_on_page() or languages.of_browser()


def _path() -> str:
    return sign_in_pages.local_path(request.full_path.rstrip("?"))


def _frame(settings: Settings) -> frame.Frame:
    return frame.Frame(
        brand=Brand(
            name=settings.brand_name,
            accent=settings.brand_accent,
            accent_dark=settings.brand_accent_dark,
            folder=settings.brand_folder,
            platform_url=settings.platform_url,
            other_environment_url=settings.other_environment_url,
        ),
        environment=settings.environment,
        contact=frame.Contact(
            settings.contact_phone,
            settings.contact_toll_free,
            settings.contact_fax,
            settings.contact_email,
        ),
        home="pages.home",
        home_text=lazy_gettext("Home"),
        language="pages.language",
    )
