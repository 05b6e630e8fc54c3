"""The factory: settings and ports in, an application out. It adds the web to ``idp.foundation``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from flask import Flask, Request, g, has_request_context, request
from flask.globals import app_ctx
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import URL, make_url
from sqlalchemy.orm import scoped_session
from werkzeug.routing import MapAdapter

from hosted_pages import languages, template_texts, url_rules
from hosted_pages.frame import form_config, form_keys
from idp import current, foundation, models
from idp.credentials.hashing import HashingLimiter, PasswordHasher
from idp.db import engine_options, prepare_engine
from idp.limits import counter
from idp.machines.machine_authentication import MachineAuthenticator
from idp.oidc import endpoints
from idp.oidc.endpoints.device import DeviceAuthorizationEndpoint
from idp.oidc.endpoints.introspect import Introspection
from idp.oidc.endpoints.par import PushedAuthorization
from idp.oidc.endpoints.revoke import Revocation
from idp.oidc.grants import GRANT_TYPES
from idp.oidc.jwks import KeyRing
from idp.oidc.server import GatewayServer
from idp.ports import Ports
from idp.session import concurrent_ends
from idp.settings import Settings
from idp.web import (
    bound_session_endpoints,
    console,
    context,
    error_responses,
    forward_auth,
    i18n,
    interrupted_forms,
    login,
    pages,
    profile,
    security,
)
from idp.web.kept_documents import KeptDocuments
from registration_bridge import mount as bridge
from service_base import logs, tracing
from service_base.core_session import CoreSession


class RequestSession(CoreSession, FlaskSession):
    """The session of a request."""

    @property
    def holds_nothing(self) -> bool:
        """Whether no object was loaded or added that it still has, since an added one begins a
        transaction of the ORM, and nothing guards it."""
        return not self.in_transaction() and not self.identity_map and self.guard is None


#: More than there are threads.
MOST_FREE = 50


class RequestSessions(scoped_session[Any]):
    """The sessions of requests. One that holds nothing when its request ends serves another one:
    most requests of programs only pass statements of Core on."""

    def __init__(self, made: scoped_session[Any]) -> None:
        self._new = made.session_factory
        self._free = deque[RequestSession](maxlen=MOST_FREE)
        any_session: Any = self._any
        super().__init__(any_session, scopefunc=_scope)

    def _any(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:
            return self._new()

    def remove(self) -> None:
        """The request has ended."""
        if self.registry.has():
            ended = self.registry()
            is_free = ended.holds_nothing
            ended.close()
            if is_free:
                self._free.append(ended)
        self.registry.clear()


def _scope() -> int:
    # As Flask-SQLAlchemy.
    context: Any = app_ctx
    return id(context._get_current_object())


#: The database of requests: their sessions end with them.
db = SQLAlchemy(metadata=models.load(), session_options={"class_": RequestSession})
db.session = cast(Any, RequestSessions(db.session))
#: They change nothing that a person asked for (RFC 9110 section 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Called by programs and other sites, authenticated in their own way: no form token.
WITHOUT_CSRF = frozenset(f"oidc.{name}" for name in (
    "token", "introspect", "revoke", "userinfo", "par", "device_authorization",
    "authorize", "logout", "register_client", "registration",
    "event_streams", "event_stream_status", "event_stream_verification", "polled_events",
))  # fmt: skip


class FormCheck(CSRFProtect):  # type: ignore[misc]
    """Flask-WTF's check of form tokens. It looks at the method and the name of the endpoint before
    it makes the names by which it knows views."""

    def protect(self, apply_exemptions: bool = False) -> None:
        asked = current.asked()
        is_exempt = apply_exemptions and asked.endpoint in WITHOUT_CSRF
        if not is_exempt and asked.method not in SAFE_METHODS:
            super().protect(apply_exemptions)


class Gateway(Flask):
    """Flask with "return commits, raise rolls back" around every view."""

    request_class = current.GatewayRequest
    response_class = current.GatewayResponse
    jinja_environment = template_texts.Environment
    url_rule_class = url_rules.Rule

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Pages link to the same few addresses again and again.
        self._address = lru_cache(1024)(self._address_below)

    def url_for(self, /, endpoint: str, **values: Any) -> str:
        """As Flask's, which is asked once for an address without variables."""
        if values or endpoint.startswith(".") or not has_request_context():
            return super().url_for(endpoint, **values)
        return self._address(endpoint, request.root_path)

    def _address_below(self, endpoint: str, root: str) -> str:  # noqa: ARG002 - it begins with it
        return super().url_for(endpoint)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: no view or hook is asynchronous, and to ask each costs time."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """An adapter that always uses the host of the issuer. A forged Host header cannot change a
        URL (F1), and error pages can build URLs too."""
        if request is None:
            return super().create_url_adapter(None)
        # As ``bind_to_environ`` does, which parses again what the request has parsed, and looks at
        # the Host header first.
        return self.url_map.bind(
            self.config["ISSUER_HOST"],
            request.root_path or None,
            subdomain="",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )

    def dispatch_request(self) -> ResponseReturnValue:
        try:
            return self._answer()
        except Exception as error:
            if "work" not in g or not g.work.may_run_again(error):
                raise
            current.start_again(error)
        return self._answer()

    def _answer(self) -> ResponseReturnValue:
        held = current.held()
        try:
            response = self.make_response(super().dispatch_request())
            if (work := held.get("work")) is not None:
                if request.method not in SAFE_METHODS:
                    concurrent_ends.check(work)
                work.commit()
        except BaseException:
            if (work := held.get("work")) is not None:
                work.rollback()
            raise
        return response


def create_app(
    settings: Settings, ports: Ports | None = None, *, hashing: HashingLimiter | None = None
) -> Flask:
    """The gateway for these settings; ``hashing`` bounds how many password hashes run and wait at
    once. Raises ConfigurationError when the settings are unsafe."""
    settings.validate()
    app = Gateway("idp", static_folder=None)
    app.config.update(_config(settings))
    _connect(app, settings)
    sessions = cast("scoped_session[CoreSession]", db.session)
    runtime = foundation.runtime(settings, sessions, ports)
    app.extensions["runtime"] = runtime
    app.extensions["hasher"] = PasswordHasher(settings, hashing)
    logs.configure(settings.log_level)
    app.config.update(form_keys(runtime.vault.cookie_keys))
    app.extensions["machine_authenticator"] = MachineAuthenticator(app.extensions["hasher"])
    app.extensions["oidc"] = _oidc_server(app.extensions["machine_authenticator"])
    # First, so that a request that the form check refuses has its id and nonce too (N59).
    security.install(app, settings)
    csrf = FormCheck(app)
    folders = languages.catalogues(Path(app.root_path) / "translations")
    Babel(app, locale_selector=i18n.choose, default_translation_directories=folders)
    current.install(app)
    error_responses.install(app)
    interrupted_forms.install(app)
    context.install(app, settings)
    _routes(app, settings, csrf)
    counter.install(app, settings)
    app.extensions["kept_documents"] = _keep_documents(app, settings)
    return app


def start_tracing(app: Flask) -> None:
    """Send traces of this process, if the variables of OpenTelemetry say where."""
    with app.app_context():
        tracing.start("ieso-gateway", db.engine)


def read_keys(app: Flask) -> None:
    """Read the signing keys, so that this process can publish them if the database goes away before
    the first request for them (R07)."""
    with app.app_context(), app.extensions["runtime"].step() as work:
        app.extensions["oidc"].ring.published(work)


def _connect(app: Flask, settings: Settings) -> None:
    """Connect the application to its database. Errors of the database driver are not handled."""
    app.config["SQLALCHEMY_DATABASE_URI"] = _from_working_folder(settings.database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings.database_url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def _from_working_folder(url: str) -> URL:
    """A relative path of SQLite starts at the working folder, as everywhere else; Flask-SQLAlchemy
    would take the instance folder."""
    made = make_url(url)
    if made.get_backend_name() != "sqlite" or not made.database or made.database[0] == ":":
        return made
    return made.set(database=str(Path(made.database).absolute()))


def _keep_documents(app: Flask, settings: Settings) -> KeptDocuments:
    """Answer public documents before Flask."""
    ring, clock = app.extensions["oidc"].ring, app.extensions["runtime"].ports.clock
    kept = KeptDocuments(app.wsgi_app, settings, lambda: ring.etag(clock.now(), settings.key_cache))
    app.wsgi_app = kept  # type: ignore[method-assign]
    return kept


def _config(settings: Settings) -> dict[str, Any]:
    host = settings.issuer.split("://", 1)[1]
    return {
        "DEBUG": settings.debug,
        "ISSUER_HOST": host,
        "MAX_CONTENT_LENGTH": settings.max_body,
        "MAX_FORM_MEMORY_SIZE": settings.max_body,
        "MAX_FORM_PARTS": 100,
        "PREFERRED_URL_SCHEME": settings.issuer.split("://", 1)[0],
    } | form_config(
        settings.cookie_name("form"),
        is_https=not settings.is_loopback_http,
        seconds=settings.interaction_ttl,
    )


def _oidc_server(authenticator: MachineAuthenticator) -> GatewayServer:
    server = GatewayServer(KeyRing(), authenticator)
    for grant_type in GRANT_TYPES:
        server.register_grant(grant_type)
    server.register_endpoint(Introspection)
    server.register_endpoint(Revocation)
    server.register_endpoint(PushedAuthorization)
    server.register_endpoint(DeviceAuthorizationEndpoint)
    return server


def _routes(app: Flask, settings: Settings, csrf: CSRFProtect) -> None:
    app.register_blueprint(endpoints.blueprint())
    for blueprint in login.blueprints():
        app.register_blueprint(blueprint)
    app.register_blueprint(profile.blueprint())
    app.register_blueprint(console.blueprint())
    app.register_blueprint(pages.blueprint(demo=settings.demo))
    if settings.demo and settings.demo_folder:
        from idp.demo import tour_page

        app.register_blueprint(tour_page.blueprint())
    app.register_blueprint(forward_auth.blueprint())
    app.register_blueprint(bound_session_endpoints.blueprint())
    bridge.install(app)
    csrf.exempt(app.blueprints["scim"])
    # What browsers send there on their own is signed with their key.
    csrf.exempt(app.blueprints["bound"])
