"""Streams of security events for receivers: their management (Shared Signals Framework 1.0 section
8.1) and polling (RFC 8936)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp import current
from idp.clients import event_streams, registry
from idp.clients.event_stream_refusals import StreamNotFound, VerifiedTooSoon
from idp.clients.event_streams import StreamData
from idp.errors import Conflict, Invalid, Refusal
from idp.messages import waiting_events
from idp.models import Client, EventStream
from idp.oidc import event_token, parameters, protected_resources, sender_constraint, tokens
from idp.oidc.endpoints import discovery
from idp.oidc.endpoints.wiring import presented, ring
from idp.oidc.parameters import NotAnObject
from idp.oidc.sender_constraint import BEARER, DPOP, Challenge, NotProved
from idp.oidc.server import NO_STORE
from idp.policy.event_types import (
    MANAGE,
    READ,
    VERIFICATION_INTERVAL,
    DeliveryMethod,
    EventType,
    StreamStatus,
)
from idp.settings import Settings
from idp.transaction import UnitOfWork

METADATA = "/.well-known/ssf-configuration"
PATH = protected_resources.SHARED_SIGNALS.path
#: What a receiver decides; the other members of a configuration are the gateway's.
OF_RECEIVER = ("delivery", "events_requested", "description")
#: The most events in one answer, types in a request, and characters of a short text.
MAX_EVENTS, MAX_TYPES, MAX_TEXT = 100, 50, 255
READING = (READ, MANAGE)
CHANGING = (MANAGE,)


class MalformedError(Exception):
    """A member of the request is wrong; the text says which."""


class NoAccessError(Exception):
    """The request has no token that allows it."""

    def __init__(
        self, status: int, challenge: Challenge, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(challenge.code)
        self.status, self.challenge, self.headers = status, challenge, headers or {}


@dataclass(frozen=True)
class Call:
    """A request of an authenticated receiver."""

    work: UnitOfWork
    client: Client
    #: The JSON object of the body; of GET and DELETE, the query.
    body: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """A member that is a short text. Raises MalformedError."""
        value = self.body.get(name, default)
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise MalformedError(f"{name} must be a text of at most {MAX_TEXT} characters.")
        return value

    def stream(self) -> EventStream:
        """The stream that the request names, locked. Raises StreamNotFound or MalformedError."""
        return event_streams.lock(self.work, self.client, self.text("stream_id"))

    def stream_to_read(self) -> EventStream:
        """The same without a lock."""
        row = event_streams.of(self.work, self.client)
        if row is None or row.public_id != self.text("stream_id"):
            raise StreamNotFound
        return row


Answer = tuple[int, Any]
Handler = Callable[[Call], Answer]
#: By method: the scopes of which one is needed, and what it does.
Handlers = dict[str, tuple[tuple[str, ...], Handler]]


def register(pages: Blueprint) -> None:
    pages.add_url_rule(METADATA, "ssf_configuration", configuration)
    for path, name, handlers in (
        ("/streams", "event_streams", STREAMS),
        ("/status", "event_stream_status", STATUS),
        ("/verification", "event_stream_verification", VERIFICATION),
    ):
        pages.add_url_rule(PATH + path, name, _view(handlers), methods=list(handlers))
    pages.add_url_rule(f"{PATH}/poll/<stream_id>", "polled_events", poll, methods=["POST"])


def configuration() -> Response:
    """The metadata of the transmitter (section 7.1)."""
    return discovery.document(metadata(current.runtime().settings))


def metadata(settings: Settings) -> dict[str, Any]:
    """What receivers need to know."""
    base = settings.issuer + PATH
    return {
        "spec_version": "1_0",
        "issuer": settings.issuer,
        "jwks_uri": f"{settings.issuer}/oauth2/v1/keys",
        "delivery_methods_supported": list(DeliveryMethod),
        "configuration_endpoint": f"{base}/streams",
        "status_endpoint": f"{base}/status",
        "verification_endpoint": f"{base}/verification",
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }


def poll(stream_id: str) -> Response:
    """Events that wait, and acknowledgements of earlier ones (RFC 8936 section 2)."""
    return _answered(
        READING, lambda call: _poll(replace(call, body=call.body | {"stream_id": stream_id}))
    )


def _view(handlers: Handlers) -> Callable[[], Response]:
    def view() -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return _answered(*handlers[method])

    return view


def _answered(scopes: tuple[str, ...], act: Handler) -> Response:
    """Authenticate the receiver, then read the body and act."""
    try:
        client, headers = _authenticated(scopes)
        status, body = act(Call(current.work(), client, _body()))
    except NoAccessError as error:
        return _no_access(error)
    except parameters.UnsupportedMediaType as error:
        return _refuse(415, error.error, error.description)
    except (NotAnObject, MalformedError) as error:
        text = str(error) or "The body is not a JSON object with unique members."
        return _refuse(400, "invalid_request", text)
    except VerifiedTooSoon as error:
        response = _refuse(429, "too_many_requests", str(error))
        response.headers["Retry-After"] = str(error.seconds)
        return response
    except (StreamNotFound, Conflict, Invalid) as error:
        return _refuse(_status_of(error), "invalid_request", error.detail)
    response = Response(status=204) if body is None else jsonify(body)
    response.status_code = status
    response.headers.update(dict(NO_STORE) | headers)
    return response


def _status_of(error: Refusal) -> int:
    if isinstance(error, StreamNotFound):
        return 404
    return 409 if isinstance(error, Conflict) else 400


def _authenticated(scopes: tuple[str, ...]) -> tuple[Client, dict[str, str]]:
    """The client of the token, which must be its own and have one of these scopes, and headers for
    the answer. Raises NoAccessError."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    scheme, token = scheme.casefold(), token.strip()
    if scheme not in (BEARER, DPOP) or not token:
        raise NoAccessError(401, Challenge())
    work = current.work()
    row = tokens.find_active_access_token(work, ring(), token)
    if row is None or row.grant.account is not None:
        text = "The access token is invalid or has expired."
        raise NoAccessError(401, Challenge(scheme=scheme, code="invalid_token", description=text))
    try:
        headers = sender_constraint.check_holder(work, row, presented(scheme, token))
    except NotProved as error:
        challenge = Challenge(scheme=error.scheme, code=error.code, description=error.description)
        raise NoAccessError(401, challenge, error.headers) from error
    client = registry.find(work, row.grant.client.client_id)
    # The scope may have been removed from the client since the token was issued.
    if client is None or set(scopes).isdisjoint(set(row.scopes) & set(client.scopes)):
        text = f"The scope {' or '.join(scopes)} is required."
        challenge = Challenge(scheme=scheme, code="insufficient_scope", description=text)
        raise NoAccessError(403, challenge, headers)
    work.origin = replace(work.origin, actor=f"client:{client.client_id}")
    return client, headers


def _body() -> dict[str, Any]:
    if request.method in ("GET", "HEAD", "DELETE"):
        return request.args.to_dict()
    return parameters.json_object(request.mimetype, request.get_data())


def _no_access(error: NoAccessError) -> Response:
    """RFC 6750 section 3."""
    response = _refuse(error.status, error.challenge.code or "", error.challenge.description)
    settings = current.runtime().settings
    where = protected_resources.SHARED_SIGNALS.metadata_url(settings)
    challenges = sender_constraint.headers_of(error.challenge, settings.issuer, where)
    response.headers.update(error.headers)
    response.headers.setlist("WWW-Authenticate", challenges)
    return response


def _refuse(status: int, code: str, description: str) -> Response:
    response = jsonify({"error": code, "error_description": description} if code else {})
    response.status_code = status
    response.headers.update(dict(NO_STORE))
    return response


def _create(call: Call) -> Answer:
    return 201, _described(call, event_streams.create(call.work, call.client, _decided(call)))


def _read(call: Call) -> Answer:
    """The stream, or without ``stream_id`` a list of all (section 8.1.1.2)."""
    if "stream_id" in call.body:
        return 200, _described(call, call.stream_to_read())
    row = event_streams.of(call.work, call.client)
    return 200, [] if row is None else [_described(call, row)]


def _update(call: Call) -> Answer:
    return _configure(call, call.stream(), is_replacing=False)


def _replace(call: Call) -> Answer:
    return _configure(call, call.stream(), is_replacing=True)


def _configure(call: Call, row: EventStream, *, is_replacing: bool) -> Answer:
    """Sections 8.1.1.3 and 8.1.1.4: what the gateway decides may be repeated, but not changed."""
    for name, value in _described(call, row).items():
        if name not in OF_RECEIVER and call.body.get(name, value) != value:
            raise MalformedError(f"{name} cannot be changed.")
    before = StreamData() if is_replacing else event_streams.data_of(call.work, row)
    event_streams.update(call.work, row, _decided(call, before))
    return 200, _described(call, row)


def _delete(call: Call) -> Answer:
    event_streams.delete(call.work, call.stream())
    return 204, None


def _read_status(call: Call) -> Answer:
    return 200, _status(call.stream_to_read())


def _set_status(call: Call) -> Answer:
    status = call.text("status")
    if status not in list(StreamStatus):
        raise MalformedError(f"status must be one of {', '.join(StreamStatus)}.")
    row = call.stream()
    event_streams.set_status(call.work, row, StreamStatus(status), call.text("reason", ""))
    return 200, _status(row)


def _status(row: EventStream) -> dict[str, str]:
    reason = {"reason": row.status_reason} if row.status_reason else {}
    return {"stream_id": row.public_id, "status": row.status, **reason}


def _verify(call: Call) -> Answer:
    state = call.text("state") if "state" in call.body else None
    event_streams.verify(call.work, call.stream(), state)
    return 204, None


STREAMS: Handlers = {
    "GET": (READING, _read),
    "POST": (CHANGING, _create),
    "PATCH": (CHANGING, _update),
    "PUT": (CHANGING, _replace),
    "DELETE": (CHANGING, _delete),
}
STATUS: Handlers = {
    "GET": (READING, _read_status),
    "POST": (CHANGING, _set_status),
}
VERIFICATION: Handlers = {"POST": (CHANGING, _verify)}


def _decided(call: Call, before: StreamData | None = None) -> StreamData:
    """What the request decides; the rest stays as before. Raises MalformedError."""
    data = before or StreamData()
    if "delivery" in call.body:
        data = replace(data, **_delivery(call))
    if "events_requested" in call.body:
        data = replace(data, events_requested=_types(call.body["events_requested"]))
    if "description" in call.body:
        data = replace(data, description=call.text("description"))
    return data


def _delivery(call: Call) -> dict[str, Any]:
    """Section 6.1. The address for polling is the gateway's, so a given one is not read."""
    sent = call.body["delivery"]
    if not isinstance(sent, dict) or sent.get("method") not in list(DeliveryMethod):
        raise MalformedError(f"delivery.method must be one of {', '.join(DeliveryMethod)}.")
    method = DeliveryMethod(sent["method"])
    if method == DeliveryMethod.POLL:
        return {"method": method, "endpoint_url": "", "authorization": ""}
    uri, header = sent.get("endpoint_url"), sent.get("authorization_header", "")
    if not isinstance(uri, str) or not isinstance(header, str):
        raise MalformedError("delivery.endpoint_url and authorization_header must be texts.")
    return {"method": method, "endpoint_url": uri, "authorization": header}


def _types(sent: Any) -> tuple[str, ...]:
    is_list = isinstance(sent, list) and len(sent) <= MAX_TYPES
    if not is_list or not all(
        isinstance(each, str) and len(each) <= MAX_TEXT and each.isprintable() for each in sent
    ):
        raise MalformedError(f"events_requested must be an array of at most {MAX_TYPES} URIs.")
    return tuple(dict.fromkeys(sent))


def _described(call: Call, row: EventStream) -> dict[str, Any]:
    """The configuration (section 8.1.1). The header for pushes is a secret and is not shown."""
    issuer = call.work.settings.issuer
    is_push = row.method == DeliveryMethod.PUSH
    address = call.client.event_push_uri if is_push else f"{issuer}{PATH}/poll/{row.public_id}"
    found: dict[str, Any] = {
        "stream_id": row.public_id,
        "iss": issuer,
        "aud": call.client.client_id,
        "events_supported": list(EventType),
        "events_delivered": row.events_delivered,
        "delivery": {"method": row.method, "endpoint_url": address},
        "min_verification_interval": VERIFICATION_INTERVAL,
    }
    if row.events_requested:
        found["events_requested"] = row.events_requested
    if row.description:
        found["description"] = row.description
    return found


def _poll(call: Call) -> Answer:
    """``returnImmediately`` has no effect: every answer is immediate (RFC 8936 section 2.2)."""
    row = call.stream_to_read()
    if row.method != DeliveryMethod.POLL:
        raise StreamNotFound
    limit, name = call.body.get("maxEvents", MAX_EVENTS), call.client.client_id
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise MalformedError("maxEvents must be a number.")
    taken, errors = _acknowledged(call.body.get("ack", [])), _errors(call.body.get("setErrs", {}))
    waiting_events.acknowledge(call.work, name, taken)
    waiting_events.reject(call.work, name, errors)
    if row.status != StreamStatus.ENABLED:
        return 200, {"sets": {}}
    limit = min(limit, MAX_EVENTS)
    found = waiting_events.waiting(call.work, name, limit + 1)
    sets: dict[str, str] = {}
    for each in found[:limit]:
        token = event_token.build(call.work, ring(), call.client, each)
        if token is None:
            waiting_events.acknowledge(call.work, name, [waiting_events.jti_of(each)])
        else:
            sets[waiting_events.jti_of(each)] = token
    more = {"moreAvailable": True} if len(found) > limit else {}
    return 200, {"sets": sets, **more}


def _acknowledged(sent: Any) -> list[str]:
    if not isinstance(sent, list) or len(sent) > 10 * MAX_EVENTS or not all(map(_is_jti, sent)):
        raise MalformedError("ack must be an array of jti.")
    return sent


def _errors(sent: Any) -> dict[str, str]:
    """The error code of each event that the receiver could not process (section 2.4)."""
    if not isinstance(sent, dict) or len(sent) > MAX_EVENTS or not all(map(_is_jti, sent)):
        raise MalformedError("setErrs must be an object with an error for each jti.")
    codes = {jti: one.get("err") if isinstance(one, dict) else None for jti, one in sent.items()}
    if not all(map(_is_jti, codes.values())):
        raise MalformedError("each of setErrs must have a code as err.")
    return {jti: str(code) for jti, code in codes.items()}


def _is_jti(value: Any) -> bool:
    """Whether it is a short text in ASCII, as every ``jti`` of the gateway and error code is."""
    is_short = isinstance(value, str) and 0 < len(value) <= MAX_TEXT
    return is_short and value.isascii() and value.isprintable()
