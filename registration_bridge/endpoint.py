"""``/scim/v2``: client authentication, reading of requests, form of responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace as with_changes
from typing import Any, cast

from flask import Flask, Response, after_this_request, current_app, g, jsonify, request
from flask_limiter import RateLimitExceeded
from scim2_flask import ScimServer
from scim2_models import (
    ForbiddenException,
    InvalidValueException,
    NotFoundException,
    SCIMException,
    ScimProvider,
    UnauthorizedException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import ROUTES, Operation
from werkzeug.exceptions import HTTPException

from idp import current
from idp.directory.dry_run import Effects
from idp.directory.provisioning_scope import ProvisioningScope
from idp.limits import counter
from idp.models.records import AccessTokenRecord, AnyClient
from idp.oidc import protected_resources, sender_constraint, tokens
from idp.oidc.endpoints.wiring import presented
from idp.oidc.sender_constraint import BEARER, DPOP, Challenge, NotProved
from idp.oidc.server import GatewayServer
from idp.policy.scopes import SCIM
from idp.transaction import DATABASE_UNAVAILABLE
from registration_bridge import body_rules, normalise, openapi
from registration_bridge.bulk_body import BulkBody, read_bulk
from registration_bridge.filters import check_filter
from registration_bridge.handler import Handler
from registration_bridge.mapping_profile import Profile
from registration_bridge.message_urns import EFFECTS
from registration_bridge.push_transaction import commit, record_refusal, with_retries
from registration_bridge.request_context import MAX_BULK_BODY, PREFIX, base_url
from registration_bridge.resource_document import written
from registration_bridge.service import Service
from registration_bridge.storage import BridgeStorage
from registration_bridge.user_schema import provider
from registration_bridge.user_writes import REASONS

SCOPE = SCIM
WRITES = (Operation.create, Operation.replace, Operation.patch, Operation.delete)
#: Header of a request: why it deactivates accounts. Header of a response: machine accounts whose
#: custodian no longer has a personal account.
REASON, CUSTODY = "Deactivation-Reason", "Custodian-Of"
#: Seconds after which a client may repeat a push that the circuit breaker stopped.
RETRY_AFTER = 300


class Bridge(ScimServer):
    """The extension of scim2-flask, with the authentication and transactions of the gateway."""

    def __init__(self, app: Flask, described: ScimProvider) -> None:
        service = Service(described, secret=app.secret_key)
        super().__init__(BridgeStorage(described), described, service=service, url_prefix=PREFIX)
        self.service = service
        self.handler = Handler(service, self.storage)
        #: By the names of the routes, which ``registration_bridge.mount`` knows.
        self.views: dict[str, Callable[..., Response]] = {
            route.name: self._make_view(route) for route in ROUTES
        }
        self.views |= {"fallback": self._fallback_view, "openapi": self.openapi}
        self.error_handlers: dict[type[Exception], Callable[[Any], Response]] = {
            SCIMException: self._handle_scim_exception
        }

    def openapi(self) -> Response:
        """The description of the service. It is public, like its documentation."""
        return jsonify(openapi.document(self.provider, base_url()))

    def read_request(self) -> ScimRequest:
        """The request. The client is authenticated before the body is read."""
        g.scim_scope = ProvisioningScope.of(authenticated())
        if not is_exact(path()):
            raise NotFoundException
        if is_dry_run():
            g.scim_effects = Effects(current.work())
        g.scim_reason = reason()
        query = _without_empty(request.args.to_dict())
        check_filter(query.get("filter", ""))
        found = ScimRequest(
            method=request.method,
            base_url=base_url(),
            path=path(),
            query=query,
            headers=list(request.headers.items()),
        )
        found.body = self.read_body(found)
        bulk: BulkBody | None = g.get("scim_bulk")
        counter.count_push(g.scim_scope.client.client_id, bulk.count if bulk else 1)
        return found

    def read_body(self, scim_request: ScimRequest) -> bytes:  # noqa: ARG002 - by name
        place, profile = body_rules.place_of(path()), Profile.of(g.scim_scope.client)
        if path() == "/Bulk" and request.method == "POST":
            request.max_content_length = MAX_BULK_BODY
            g.scim_bulk = read_bulk(request.get_data(), profile)
            return cast(bytes, g.scim_bulk.body)
        body: bytes = request.get_data()
        if path().endswith("/.search"):
            asked = normalise.parse(body)
            if not isinstance(asked, dict):
                return body
            check_filter(str(asked.get("filter", "")))
            return json.dumps(_without_empty(asked)).encode()
        if place not in body_rules.PLACES:
            # No other path accepts a body; the library refuses it.
            return body
        rules = body_rules.PLACES[place].of(profile)
        if request.method in ("POST", "PUT"):
            return normalise.resource(body, rules, is_new=request.method == "POST")
        if request.method == "PATCH":
            return normalise.patch(body, rules, body_rules.id_of(path()))
        return body

    def _make_view(self, route: Any) -> Any:
        method = getattr(self.handler, route.operation.value)

        def view(**_kwargs: str) -> Response:
            incoming, act = self.read_request(), method
            if request.method == "PATCH" and not normalise.has_operations(incoming.body):
                # No operation is left: the account is unchanged.
                incoming, act = with_changes(incoming, method="GET", body=b""), self.handler.query
            is_conditional = bool(incoming.header("If-Match") or incoming.header("If-None-Match"))
            answer = self._to_response(
                with_retries(lambda: act(incoming), is_conditional=is_conditional)
            )
            if g.pop("scim_repeated", False):
                answer.status_code = 200
            effects = commit()
            if effects is not None and route.operation in WRITES:
                _add_effects(answer, effects)
            if left := g.pop("scim_custody", None):
                answer.headers[CUSTODY] = ", ".join(left)
            return answer

        return view

    @staticmethod
    def _to_response(scim_response: ScimResponse) -> Response:
        text = written(scim_response.body)
        return Response(text, status=scim_response.status, headers=scim_response.headers)

    def answer_http_error(self, exception: HTTPException) -> Response:
        """The error in the form of SCIM."""
        answer = self._handle_http_exception(exception)
        if isinstance(exception, RateLimitExceeded):
            answer.headers["Retry-After"] = str(counter.retry_after_seconds())
        return answer

    def _handle_scim_exception(self, exception: SCIMException) -> Response:
        try:
            record_refusal(
                type(exception).__name__.removesuffix("Exception"),
                status=exception.status,
                method=request.method,
                path=request.path,
            )
        except DATABASE_UNAVAILABLE as error:
            # A refusal without its event is no refusal.
            return current_app.make_response(current_app.handle_user_exception(error))
        answer = super()._handle_scim_exception(exception)
        if answer.status_code == 429:
            answer.headers["Retry-After"] = str(RETRY_AFTER)
        if answer.status_code == 401:
            challenges = g.get("scim_challenges") or _challenges(Challenge())
            answer.headers.setlist("WWW-Authenticate", challenges)
        return answer


def _add_effects(answer: Response, effects: dict[str, Any]) -> None:
    """Add the effects of a dry run to the answer; a 204 becomes a 200 with a body."""
    body = answer.get_json(silent=True) or {"schemas": []}
    body["schemas"].append(EFFECTS)
    answer.set_data(json.dumps(body | {EFFECTS: effects}))
    answer.mimetype = "application/scim+json"
    if answer.status_code == 204:
        answer.status_code = 200


def path() -> str:
    """The path below the address of the service. A slash at the end is ignored."""
    return request.path.removeprefix(PREFIX).removesuffix("/") or "/"


def is_exact(path: str) -> bool:
    """Whether a path is written as the service publishes it. One with different case or additional
    slashes could bypass the path rules of a proxy."""
    if path == "/":
        return True
    return path.startswith(f"/{body_rules.place_of(path)}") and not path.endswith("/")


def _without_empty(query: Mapping[str, Any]) -> dict[str, Any]:
    """The query without empty parameters. An empty cursor is kept: it requests the first page (RFC
    9865)."""
    return {
        name: value
        for name, value in query.items()
        if name == "cursor" or not isinstance(value, str) or value.strip()
    }


def is_dry_run() -> bool:
    """Whether the push is a dry run. Raises InvalidValueException."""
    asked = (request.args.get("dryRun") or "false").casefold()
    if asked not in ("true", "false"):
        raise InvalidValueException(detail="dryRun must be true or false.")
    return asked == "true"


def reason() -> str:
    """The given reason for a deactivation (PR-04). Raises InvalidValueException."""
    given = request.headers.get(REASON, "")
    if given and given not in REASONS:
        raise InvalidValueException(detail=f"{REASON} must be one of {', '.join(REASONS)}.")
    return given


def authenticated() -> AnyClient:
    """The client of the token (RFC 6750, RFC 9449), which must be its own and have the scope
    ``scim``. Raises the errors of SCIM."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    scheme, token = scheme.casefold(), token.strip()
    if scheme not in (BEARER, DPOP) or not token:
        raise UnauthorizedException
    work = current.work()
    server: GatewayServer = current_app.extensions["oidc"]
    row = tokens.find_active_access_token(work, server.ring, token)
    if row is None or row.grant.account is not None:
        raise UnauthorizedException
    _check_holder(row, scheme, token)
    client = row.grant.client
    work.origin = with_changes(work.origin, actor=f"client:{client.client_id}")
    # The scope may have been removed from the client since the token was issued.
    if SCOPE not in row.scopes or SCOPE not in client.scopes:
        raise ForbiddenException(detail="The access token does not have the scope scim.")
    return client


def _check_holder(row: AccessTokenRecord, scheme: str, token: str) -> None:
    """Check the proof of a token that is bound to a key. Raises UnauthorizedException."""
    work = current.work()
    try:
        headers = sender_constraint.check_holder(work, row, presented(scheme, token))
    except NotProved as error:
        g.scim_challenges = _challenges(
            Challenge(scheme=error.scheme, code=error.code, description=error.description)
        )
        _add_headers(error.headers)
        raise UnauthorizedException(detail=error.description) from error
    if scheme == DPOP:
        # A push that is refused or tried is rolled back; its proof stays used.
        work.commit()
    _add_headers(headers)


def _challenges(challenge: Challenge) -> list[str]:
    where = protected_resources.SCIM.metadata_url(current.runtime().settings)
    return sender_constraint.headers_of(challenge, "SCIM", where)


def _add_headers(headers: dict[str, str]) -> None:
    if not headers:
        return

    @after_this_request
    def add(answer: Response) -> Response:
        answer.headers.update(headers)
        return answer


def create(app: Flask) -> Bridge:
    """The bridge of an application."""
    return Bridge(app, provider())
