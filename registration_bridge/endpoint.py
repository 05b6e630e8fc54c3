"""``/scim/v2``: who may push, the form of answers, and that a push is done whole or not at all."""

from __future__ import annotations

from dataclasses import replace as with_changes
from typing import Any

from flask import Flask, Response, current_app, g, request
from scim2_flask import ScimServer
from scim2_models import (
    ForbiddenException,
    InvalidValueException,
    PreconditionFailedException,
    SCIMException,
    UnauthorizedException,
)
from scim2_server.requests import ScimRequest
from scim2_server.service import ScimService

from idp import browser
from idp.accounts import events, mass_changes
from idp.errors import GatewayError
from idp.models import Client
from idp.oidc import tokens
from idp.oidc.server import GatewayServer
from idp.transaction import committing
from registration_bridge import normalise
from registration_bridge.filters import check_filter
from registration_bridge.schema import Group, Registration, Role, provider
from registration_bridge.storage import PREFIX, BridgeStorage
from registration_bridge.users import MassChange

SCOPE = "scim"
#: A push that met another one at the same account is applied to what that left, so often.
RETRIES = 5
#: Seconds until somebody may have confirmed a mass change.
RETRY_AFTER = 300
#: What is left out before a body is read, by place.
DROPPED = {"users": normalise.DROPPED, "groups": normalise.DROPPED_OF_GROUPS}


class Service(ScimService):
    """The protocol, with the answers that clients expect of a PUT without our extension."""

    def patch_response(self, base_url: str, resource: Any, response_parameters: Any) -> Any:
        """Always with a body: clients show what came of it."""
        return self.replacement_response(base_url, resource, response_parameters)

    def apply_replacement(self, current: Any, replacement: Any, conditions: Any) -> Any:
        """What a PUT leaves out of ours stays: absence neither suspends nor takes access away."""
        if isinstance(replacement, Group):
            if replacement[Role] is None:
                replacement[Role] = current[Role]
            return super().apply_replacement(current, replacement, conditions)
        if replacement.active is None:
            replacement.active = current.active
        if replacement.user_name is None:
            replacement.user_name = current.user_name
        before, after = current[Registration], replacement[Registration]
        if after is None:
            replacement[Registration] = before
        else:
            for name in ("person_id", "account_kind", "registered_networks", "grants"):
                if getattr(after, name) is None:
                    setattr(after, name, getattr(before, name))
        return super().apply_replacement(current, replacement, conditions)


class Bridge(ScimServer):
    """The extension of scim2-flask, with our authentication and transactions."""

    def read_request(self) -> ScimRequest:
        """The request, authenticated before its body is read, at the configured address."""
        g.scim_pusher = authenticated()
        check_filter(request.args.get("filter", ""))
        found = super().read_request()
        found.base_url = browser.means().settings.issuer + PREFIX
        return found

    def read_body(self, scim_request: ScimRequest) -> bytes:  # noqa: ARG002 - by name
        body: bytes = request.get_data()
        place = request.path.removeprefix(PREFIX).strip("/").partition("/")[0].casefold()
        if place not in DROPPED:
            # No other place takes a body; the library says so in its own words.
            return body
        if request.path.endswith("/.search"):
            asked = normalise.parse(body)
            check_filter(str(asked.get("filter", "")) if isinstance(asked, dict) else "")
            return body
        if request.method in ("POST", "PUT"):
            return normalise.resource(body, DROPPED[place])
        return normalise.patch(body, DROPPED[place]) if request.method == "PATCH" else body

    def _make_view(self, route: Any) -> Any:
        method = getattr(self.handler, route.operation.value)

        def view(**_kwargs: str) -> Response:
            incoming, act = self.read_request(), method
            if request.method == "PATCH" and not normalise.has_operations(incoming.body):
                # All that was asked is left out: the account is as it was.
                incoming, act = with_changes(incoming, method="GET", body=b""), self.handler.query
            answer = self._to_response(_with_retries(act, incoming))
            if g.pop("scim_repeated", False):
                answer.status_code = 200
            return answer

        return view

    def _handle_scim_exception(self, exception: SCIMException) -> Response:
        """The transaction of the push is rolled back by now; the refusal is a row of its own."""
        pusher: Client | None = g.get("scim_pusher")
        name = pusher.client_id if pusher is not None else None
        with committing(browser.means().work(browser.origin())) as work:
            events.record(
                work,
                "scim.refused",
                reason=type(exception).__name__.removesuffix("Exception")[:60],
                pusher=name,
                method=request.method,
                path=request.path[:200],
            )
            if isinstance(exception, MassChange):
                mass_changes.sound(work)
        answer = super()._handle_scim_exception(exception)
        if answer.status_code == 429:
            answer.headers["Retry-After"] = str(RETRY_AFTER)
        if answer.status_code == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="SCIM"'
        return answer


def _with_retries(method: Any, incoming: ScimRequest) -> Any:
    """Without If-Match nobody asked for a version: begin again with what the other push left. What
    a rule of the gateway refuses is a value that cannot be."""
    for left in range(RETRIES, -1, -1):
        try:
            return method(incoming)
        except PreconditionFailedException:
            if not left or incoming.header("If-Match") or incoming.header("If-None-Match"):
                raise
            browser.work().db.rollback()
        except GatewayError as error:
            raise InvalidValueException(detail=error.detail or error.code) from error
    raise AssertionError("not reached")


def authenticated() -> Client:
    """The client whose token this is (RFC 6750): for itself, with the scope ``scim``. Raises the
    errors of SCIM."""
    headers = request.headers.getlist("Authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.casefold() != "bearer" or not token.strip():
        raise UnauthorizedException
    work = browser.work()
    server: GatewayServer = current_app.extensions["oidc"]
    row = tokens.find_access(work, server.ring, token.strip())
    if row is None or row.grant.account is not None:
        raise UnauthorizedException
    client = row.grant.client
    if SCOPE not in row.scopes:
        raise ForbiddenException(detail="The token has not the scope scim.")
    work.origin = with_changes(work.origin, actor=f"client:{client.client_id}")
    return client


def install(app: Flask) -> Bridge:
    """Mount the bridge. Its answers carry no cookies, its requests no form token."""
    described = provider()
    bridge = Bridge(
        BridgeStorage(described),
        described,
        service=Service(described),
        url_prefix=PREFIX,
    )
    bridge.init_app(app)
    return bridge
