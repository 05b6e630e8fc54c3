"""Mounts the bridge, and loads it when a server asks, or with the first request for it. Its models
are a third of what an application would load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response
from werkzeug.exceptions import HTTPException

from registration_bridge.request_context import MAX_BULK_BODY, PREFIX

if TYPE_CHECKING:
    from registration_bridge.endpoint import Bridge

NAME = "scim"
#: The paths of SCIM and the names of their endpoints, as scim2-flask has them (RFC 7644, 3.2).
ROUTES = (
    ("GET", "/ServiceProviderConfig", "service_provider_config"),
    ("GET", "/ResourceTypes", "resource_types"),
    ("GET", "/ResourceTypes/<resource_id>", "resource_type"),
    ("GET", "/Schemas", "schemas"),
    ("GET", "/Schemas/<resource_id>", "schema"),
    ("POST", "/Bulk", "bulk"),
    ("GET", "/Me", "me_query"),
    ("PUT", "/Me", "me_replace"),
    ("PATCH", "/Me", "me_patch"),
    ("DELETE", "/Me", "me_delete"),
    ("POST", "/Me", "me_create"),
    ("GET", "/", "search_root"),
    ("POST", "/.search", "search_root_with_body"),
    ("POST", "/<resource_endpoint>/.search", "search_with_body"),
    ("GET", "/<resource_endpoint>", "search"),
    ("POST", "/<resource_endpoint>", "create"),
    ("GET", "/<resource_endpoint>/<resource_id>", "query"),
    ("PUT", "/<resource_endpoint>/<resource_id>", "replace"),
    ("PATCH", "/<resource_endpoint>/<resource_id>", "patch"),
    ("DELETE", "/<resource_endpoint>/<resource_id>", "delete"),
)
#: What else is answered with an error of SCIM.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def install(app: Flask) -> None:
    """Mount the bridge. Registers the path that accepts a larger body with the server."""
    late = app.extensions["bridge"] = LateBridge(app)
    blueprint = Blueprint(NAME, __name__, url_prefix=PREFIX)
    blueprint.register_error_handler(HTTPException, late.answer_http_error)
    for method, rule, name in ROUTES:
        view = late.view(name)
        blueprint.add_url_rule(rule, name, view, methods=[method])
        if rule != "/":
            # A path with a slash at the end is the same resource.
            blueprint.add_url_rule(
                f"{rule}/", f"{name}_slash", view, methods=[method], strict_slashes=False
            )
    fallback = late.view("fallback")
    blueprint.add_url_rule("/", "fallback", fallback, methods=METHODS, defaults={"path": ""})
    blueprint.add_url_rule("/<path:path>", "fallback", fallback, methods=METHODS)
    blueprint.add_url_rule("/openapi.json", "openapi", late.view("openapi"))
    app.register_blueprint(blueprint)
    app.config["LARGER_BODIES"] = dict.fromkeys(
        (f"{PREFIX}/Bulk", f"{PREFIX}/Bulk/"), MAX_BULK_BODY
    )


class LateBridge:
    """The bridge of an application, loaded when it is first asked for."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._loaded: Bridge | None = None
        self._lock = threading.Lock()

    def view(self, name: str) -> Callable[..., Response]:
        """A view that asks the bridge for its own."""

        def view(**values: str) -> Response:
            return self.load().views[name](**values)

        return view

    def answer_http_error(self, error: HTTPException) -> Response:
        """An error in the form of SCIM."""
        return self.load().answer_http_error(error)

    def load(self) -> Bridge:
        """The bridge, which is loaded once."""
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._create()
        return self._loaded

    def _create(self) -> Bridge:
        from registration_bridge import endpoint

        bridge = endpoint.create(self._app)
        # A blueprint takes no handlers after the first request. Only this bridge raises them.
        handlers: dict[type[Exception], Any] = self._app.error_handler_spec[NAME][None]
        handlers.update(bridge.error_handlers)
        return bridge
