"""Security events for receivers: Shared Signals Framework 1.0, CAEP 1.0, RFC 8417, 8935, 8936."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from werkzeug.test import TestResponse

from idp.audit import security_events
from idp.cli.worker_parts import work_round
from idp.clients import client_data, registry
from idp.clients.client_refusals import RegistrationInvalid, UriInvalid
from idp.credentials import passwords
from idp.credentials.passwords import PasswordSource
from idp.directory import accounts, persons, preferences
from idp.directory.persons import PersonChanges
from idp.factors import authenticators, recovery_codes
from idp.maintenance import purge
from idp.messages.token_delivery import HttpEventSender
from idp.mfa.assurance import FactorKind
from idp.models import (
    AccountState,
    BrowserSession,
    Consent,
    EventStream,
    MessageState,
    OutboxMessage,
)
from idp.networks import NetworkSet
from idp.policy.event_types import RETENTION, EventType
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from tests.security.test_dpop import OTHER, Holder
from tests.world import Rp, World

ISSUER = "https://gateway.test"
SSF = "/oauth2/v1/ssf"
STREAMS, STATUS, VERIFY = f"{SSF}/streams", f"{SSF}/status", f"{SSF}/verification"
PUSH_URI = "https://shop.test/events"
PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
BOTH = ("ssf.read", "ssf.manage")
IDENTITY = ("openid", "profile", "email", "groups", "offline_access")


@dataclass
class Receiver:
    """An application that receives events, and verifies them with nothing of the gateway."""

    world: World
    rp: Rp
    token: str = ""
    stream: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, world: World, name: str = "Shop", *, stream: bool = True, **changes: Any
    ) -> Receiver:
        values: dict[str, Any] = {
            "grant_types": ("authorization_code", "refresh_token", "client_credentials"),
            "scopes": (*IDENTITY, *BOTH),
        }
        found = cls(world, world.relying_party(name, **(values | changes)))
        found.token = found.new_token()
        if stream:
            found.stream = found.call("POST", STREAMS, 201, {})
        return found

    def new_token(self, scope: str = "ssf.read ssf.manage") -> str:
        answer = self.world.post(self.rp, grant_type="client_credentials", scope=scope)
        assert answer.status_code == 200, answer.text
        return str((answer.json or {})["access_token"])

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {} if body is None else {"json": body}
        return self.world.app.test_client(use_cookies=False).open(
            path, method=method, base_url=ISSUER,
            headers={"Authorization": f"Bearer {self.token}"} | headers, **sent,
        )  # fmt: skip

    def call(self, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == status, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json if answer.data else None

    def poll(self, **body: Any) -> dict[str, Any]:
        """The claims of the events that wait, by ``jti``."""
        path = self.stream["delivery"]["endpoint_url"].removeprefix(ISSUER)
        found = self.call("POST", path, 200, body)
        self.more = found.get("moreAvailable", False)
        return {jti: self.verified(token) for jti, token in found["sets"].items()}

    def events(self) -> list[dict[str, Any]]:
        """The events that wait, which are acknowledged."""
        found = self.poll()
        self.poll(ack=list(found))
        return list(found.values())

    def verified(self, token: str) -> dict[str, Any]:
        """RFC 8417 section 2.2, RS256 of RFC 7518 section 3.3."""
        head, body, signature = token.split(".")
        header = json.loads(_decoded(head))
        assert (header["typ"], header["alg"]) == ("secevent+jwt", "RS256")
        keys = (self.world.app.test_client().get("/oauth2/v1/keys", base_url=ISSUER).json or {})[
            "keys"
        ]
        key = next(key for key in keys if key["kid"] == header["kid"])
        numbers = (int.from_bytes(_decoded(key[name])) for name in "en")
        public = RSAPublicNumbers(*numbers).public_key()
        public.verify(_decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
        claims = dict(json.loads(_decoded(body)))
        assert (claims["iss"], claims["aud"]) == (ISSUER, self.rp.client_id)
        assert len(claims["events"]) == 1
        assert not {"sub", "exp"} & set(claims)
        return claims

    def sign_in(self, username: str) -> str:
        """The holder signs in to the application; returns the ``sub`` that it gets."""
        tokens = self.world.signed_in_tokens(self.rp, username, scope=" ".join(IDENTITY))
        return str(json.loads(_decoded(tokens["id_token"].split(".")[1]))["sub"])


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def event_of(claims: dict[str, Any], kind: EventType) -> dict[str, Any]:
    """The one event of the set, which has what each one has (CAEP section 2)."""
    event = dict(claims["events"][kind])
    assert event["event_timestamp"] == claims["iat"]
    assert event["initiating_entity"] in ("admin", "user", "policy")
    assert event["reason_admin"]["en"]
    return event


@pytest.fixture
def receiver(world: World) -> Receiver:
    return Receiver.of(world)


def test_the_metadata_name_the_endpoints(world: World) -> None:
    """SSF 7.1; the CAEP Interoperability Profile 2.3."""
    answer = world.app.test_client().get("/.well-known/ssf-configuration", base_url=ISSUER)
    assert answer.json == {
        "spec_version": "1_0",
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/oauth2/v1/keys",
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": ISSUER + STREAMS,
        "status_endpoint": ISSUER + STATUS,
        "verification_endpoint": ISSUER + VERIFY,
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_receiver_manages_its_one_stream(world: World) -> None:
    """SSF 8.1.1: create, read, update, replace, delete."""
    receiver = Receiver.of(world, stream=False, event_push_uri=PUSH_URI)
    assert receiver.call("GET", STREAMS, 200) == []
    wanted = [EventType.SESSION_REVOKED, "https://other.example/event"]
    made = receiver.call("POST", STREAMS, 201, {"events_requested": wanted, "description": "Shop"})
    key = made["stream_id"]
    assert made == {
        "stream_id": key, "iss": ISSUER, "aud": "shop", "events_supported": list(EventType),
        "events_requested": wanted, "events_delivered": [EventType.SESSION_REVOKED],
        "delivery": {"method": POLL, "endpoint_url": f"{ISSUER}{SSF}/poll/{key}"},
        "min_verification_interval": 60, "description": "Shop",
    }  # fmt: skip
    assert receiver.call("POST", STREAMS, 409, {})["error"] == "invalid_request"
    assert receiver.call("GET", f"{STREAMS}?stream_id={key}", 200) == made
    delivery = {"method": PUSH, "endpoint_url": PUSH_URI}
    secret = {**delivery, "authorization_header": "Bearer receiver"}
    changed = receiver.call("PATCH", STREAMS, 200, {"stream_id": key, "delivery": secret})
    assert changed == {**made, "delivery": delivery}
    replaced = receiver.call("PUT", STREAMS, 200, {**made, "description": "Other"})
    assert replaced == {**made, "description": "Other"}
    bare = receiver.call("PUT", STREAMS, 200, {"stream_id": key})
    assert bare["events_delivered"] == list(EventType)
    assert not {"description", "events_requested"} & set(bare)
    receiver.call("DELETE", f"{STREAMS}?stream_id={key}", 204)
    assert receiver.call("GET", STREAMS, 200) == []
    names = [row.name for row in world.events() if row.name.startswith("event_stream.")]
    assert names == [f"event_stream.{what}" for what in ("created", *["changed"] * 3, "deleted")]


def test_n18_the_stream_of_another_client_is_not_found(world: World) -> None:
    """N18: by every method, at every endpoint."""
    receiver, other = Receiver.of(world), Receiver.of(world, "Other")
    name = {"stream_id": other.stream["stream_id"]}
    for method in ("GET", "DELETE"):
        receiver.call(method, f"{STREAMS}?stream_id={name['stream_id']}", 404)
    for method in ("PATCH", "PUT"):
        receiver.call(method, STREAMS, 404, name)
    receiver.call("POST", STATUS, 404, {**name, "status": "paused"})
    receiver.call("GET", f"{STATUS}?stream_id={name['stream_id']}", 404)
    receiver.call("POST", VERIFY, 404, name)
    receiver.call("POST", f"{SSF}/poll/{name['stream_id']}", 404, {})
    assert other.call("GET", STREAMS, 200) == [other.stream]


MALFORMED_STREAMS: list[Any] = [
    [],
    {"delivery": "poll"},
    {"delivery": {"method": "urn:ietf:rfc:1"}},
    {"delivery": {"method": PUSH}},
    {"delivery": {"method": PUSH, "endpoint_url": f"{PUSH_URI}/x"}},
    {"delivery": {"method": PUSH, "endpoint_url": PUSH_URI, "authorization_header": "\n"}},
    {"events_requested": "all"},
    {"events_requested": [1]},
    {"events_requested": ["\0"]},
    {"description": 1},
]
MALFORMED: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", STREAMS, {"aud": "other"}),
    ("PATCH", STREAMS, {"stream_id": 1}),
    ("PUT", STREAMS, {"events_delivered": []}),
    ("POST", STATUS, {"status": "ready"}),
    ("POST", STATUS, {"status": "paused", "reason": 1}),
    ("POST", VERIFY, {"state": 1}),
    ("POST", f"{SSF}/poll/KEY", {"maxEvents": -1}),
    ("POST", f"{SSF}/poll/KEY", {"maxEvents": True}),
    ("POST", f"{SSF}/poll/KEY", {"ack": "x"}),
    ("POST", f"{SSF}/poll/KEY", {"ack": ["\0"]}),
    ("POST", f"{SSF}/poll/KEY", {"setErrs": ["x"]}),
    ("POST", f"{SSF}/poll/KEY", {"setErrs": {"x": {}}}),
]


def test_a_malformed_request_changes_nothing(world: World) -> None:
    """SSF 8.1: 400 with a JSON error."""
    receiver = Receiver.of(world, stream=False, event_push_uri=PUSH_URI)
    for body in MALFORMED_STREAMS:
        assert receiver.call("POST", STREAMS, 400, body)["error"] == "invalid_request"
    assert receiver.call("GET", STREAMS, 200) == []
    receiver.stream = receiver.call("POST", STREAMS, 201, {})
    key = receiver.stream["stream_id"]
    malformed = [("PATCH", STREAMS, body) for body in MALFORMED_STREAMS[1:]] + MALFORMED
    for method, path, body in malformed:
        sent = {"stream_id": key, **body}
        answer = receiver.call(method, path.replace("KEY", key), 400, sent)
        assert answer["error"] == "invalid_request"
    assert receiver.call("GET", STREAMS, 200) == [receiver.stream]


def test_other_bodies_are_refused(receiver: Receiver) -> None:
    """A form, and an object with a member twice."""
    headers = {"Authorization": f"Bearer {receiver.token}"}
    client = receiver.world.app.test_client()
    form = client.post(STREAMS, base_url=ISSUER, headers=headers, data={"x": "y"})
    twice = client.post(
        STATUS, base_url=ISSUER, headers=headers, data='{"status": 1, "status": 2}',
        content_type="application/json",
    )  # fmt: skip
    assert (form.status_code, twice.status_code) == (415, 400)


CALLS = [
    ("GET", STREAMS, "ssf.read"), ("POST", STREAMS, "ssf.manage"), ("PATCH", STREAMS, "ssf.manage"),
    ("PUT", STREAMS, "ssf.manage"), ("DELETE", STREAMS, "ssf.manage"), ("GET", STATUS, "ssf.read"),
    ("POST", STATUS, "ssf.manage"), ("POST", VERIFY, "ssf.manage"),
    ("POST", f"{SSF}/poll/x", "ssf.read"),
]  # fmt: skip


def test_n28_only_a_receiver_with_the_scope_is_answered(world: World) -> None:
    """N28 to N34: no token, one in the query, one of a person, a revoked one, one without the
    scope, and one of a client that lost it."""
    receiver = Receiver.of(world, stream=False, scopes=(*IDENTITY, *BOTH, "api.read"))
    tokens = {scope: receiver.new_token(scope) for scope in (*BOTH, "api.read")}
    scope = " ".join(IDENTITY)
    person = world.signed_in_tokens(receiver.rp, world.account(), scope=scope)["access_token"]
    revoked = receiver.new_token()
    world.post(receiver.rp, "/oauth2/v1/revoke", token=revoked)

    def answers(token: str, query: str = "") -> list[tuple[str, TestResponse]]:
        header = f"Bearer {token}" if token else ""
        return [
            (needed, receiver.send(method, path + query, {}, Authorization=header))
            for method, path, needed in CALLS
        ]

    refused = [answers(token) for token in ("", "x", person, revoked)]
    for _, answer in sum(refused, answers("", f"?access_token={tokens['ssf.manage']}")):
        assert answer.status_code == 401
        assert "resource_metadata" in answer.headers["WWW-Authenticate"]
    for name in ("api.read", "ssf.read"):
        for needed, answer in answers(tokens[name]):
            if needed != name:
                assert answer.status_code == 403
                assert (answer.json or {})["error"] == "insufficient_scope"
    found = [answer.status_code for _, answer in answers(tokens["ssf.manage"])]
    assert found == [200, 201, 400, 400, 400, 400, 400, 400, 404]
    with world.work() as work:
        registry.get(work, "shop").scopes = [*IDENTITY, "api.read"]
    for token in tokens.values():
        assert {answer.status_code for _, answer in answers(token)} == {403}


def change(world: World, username: str, act: Callable[[UnitOfWork, Any], Any]) -> None:
    with world.work() as work:
        act(work, accounts.by_username(work, username))


def sign_out_everywhere(work: UnitOfWork, account: Any) -> None:
    sessions.end_all(work, account, EndReason.ENDED_BY_OPERATOR)


def test_n57_an_ended_session_is_told_by_its_sid(receiver: Receiver) -> None:
    """CAEP 3.1: session-revoked, with the ``sid`` of the ID token; the event is the same until it
    is acknowledged (RFC 8936 section 2.4)."""
    world = receiver.world
    username = world.account()
    tokens = world.signed_in_tokens(receiver.rp, username, scope=" ".join(IDENTITY))
    known = json.loads(_decoded(tokens["id_token"].split(".")[1]))
    change(world, username, sign_out_everywhere)
    ((jti, told),) = receiver.poll().items()
    assert told["jti"] == jti
    assert told["sid"] == known["sid"]
    assert told["sub_id"] == {"format": "iss_sub", "iss": ISSUER, "sub": known["sub"]}
    event = event_of(told, EventType.SESSION_REVOKED)
    assert event["reason_admin"] == {"en": "The session ended: ended by operator."}
    assert event["initiating_entity"] == "admin"
    world.clock.advance(hours=1)
    receiver.token = receiver.new_token()
    assert receiver.poll() == {jti: told}
    assert receiver.poll(ack=[jti, "unknown"]) == {}


def expire(world: World, username: str) -> None:
    world.clock.advance(days=1)
    world.run_worker()


def suspend(world: World, username: str) -> None:
    world.set_state(username, AccountState.SUSPENDED)


def withdraw(world: World, username: str) -> None:
    with world.work() as work:
        account = accounts.by_username(work, username)
        client = registry.get(work, "shop")
        work.db.add(Consent(account_id=account.id, client_id=client.id, scopes=[],
                            granted_at=work.now))  # fmt: skip
        work.db.flush()
        row = work.db.query(Consent).one()
        session = work.db.query(BrowserSession).one()
        preferences.revoke_consent(work, session, row.id)


@pytest.mark.parametrize(
    ("cause", "initiator"), [(expire, "policy"), (suspend, "admin"), (withdraw, "admin")]
)
def test_n57_every_cause_of_an_end_is_told(
    receiver: Receiver, cause: Callable[[World, str], None], initiator: str
) -> None:
    """N57: sessions that run out, ended accounts and withdrawn consents too."""
    world = receiver.world
    username = world.account()
    receiver.sign_in(username)
    cause(world, username)
    receiver.token = receiver.new_token()
    (told,) = [one for one in receiver.events() if EventType.SESSION_REVOKED in one["events"]]
    assert event_of(told, EventType.SESSION_REVOKED)["initiating_entity"] == initiator


def set_password(work: UnitOfWork, account: Any) -> None:
    passwords.store(work, account, "hash", source=PasswordSource.SETTINGS)


def add_factor(work: UnitOfWork, account: Any) -> None:
    row = authenticators.start_enrolment(work, account, FactorKind.TOTP, name="Phone")
    authenticators.confirm(work, account, row)


@pytest.mark.parametrize(
    ("act", "kind", "what"),
    [
        (set_password, "password", "update"),
        (add_factor, "app", "create"),
        (authenticators.reset, "all-factors", "revoke"),
        (recovery_codes.generate, "recovery-codes", "create"),
    ],
)
def test_a_changed_credential_is_told(
    receiver: Receiver, act: Callable[[UnitOfWork, Any], Any], kind: str, what: str
) -> None:
    """CAEP 3.3, and nothing of it if the change is rolled back."""
    world = receiver.world
    username = world.account()
    sub = receiver.sign_in(username)

    with world.work() as work:
        act(work, accounts.by_username(work, username))
        work.rollback()
    assert receiver.poll() == {}
    change(world, username, act)
    (told,) = receiver.events()
    assert told["sub_id"]["sub"] == sub
    event = event_of(told, EventType.CREDENTIAL_CHANGE)
    assert (event["credential_type"], event["change_type"]) == (kind, what)


def test_every_kind_of_factor_is_a_type_of_credential() -> None:
    """So that a new one cannot fail when it is set up."""
    assert set(security_events.FACTORS) == set(FactorKind)


def test_changed_claims_have_the_values_at_delivery(receiver: Receiver) -> None:
    """CAEP 3.2: one event for a transaction, and an older event has no older value."""
    world = receiver.world
    username = world.account()
    for name in ("Buyer", "Seller", "Hidden"):
        world.role_group(name, *(["shop"] if name != "Hidden" else []))
    receiver.sign_in(username)
    world.grant_role(username, "Buyer")
    world.grant_role(username, "Seller")
    world.revoke_role(username, "Buyer")
    found = [event_of(one, EventType.TOKEN_CLAIMS_CHANGE)["claims"] for one in receiver.events()]
    assert found == [{"groups": ["Seller"]}] * 3
    with world.work() as work:
        person = accounts.by_username(work, username).person
        persons.update(work, person, PersonChanges(family_name="Byron", phone="416 967 1111"))
    (told,) = receiver.events()
    event = event_of(told, EventType.TOKEN_CLAIMS_CHANGE)
    assert event["claims"] == {"family_name": "Byron", "name": "Ada Byron"}


def test_changes_of_one_transaction_are_one_event(receiver: Receiver) -> None:
    """And claims that the application does not get are none."""
    world = receiver.world
    username = world.account()
    receiver.sign_in(username)
    with world.work() as work:
        person = accounts.by_username(work, username).person
        persons.update(work, person, PersonChanges(given_name="Eve"))
        persons.update(work, person, PersonChanges(given_name="Ida"))
        persons.update(work, person, PersonChanges(phone="416 967 1111"))
    (told,) = receiver.events()
    assert event_of(told, EventType.TOKEN_CLAIMS_CHANGE)["claims"]["given_name"] == "Ida"
    with world.work() as work:
        assert {row.state for row in work.db.query(OutboxMessage).filter_by(recipient="shop")} == {
            MessageState.SENT
        }


def test_only_applications_that_the_account_signed_in_to_are_told(world: World) -> None:
    """Nor one whose client is disabled, has no scope any more, or did not request the type."""
    names = [f"Shop{number}" for number, _ in zip(count(), range(5), strict=False)]
    told, stranger, disabled, narrowed, other = (Receiver.of(world, name) for name in names)
    username = world.account()
    for one in (told, disabled, narrowed, other):
        one.sign_in(username)
    with world.work() as work:
        registry.disable(work, registry.get(work, disabled.rp.client_id))
        registry.get(work, narrowed.rp.client_id).scopes = list(IDENTITY)
    name = {"stream_id": other.stream["stream_id"]}
    other.call("PATCH", STREAMS, 200, {**name, "events_requested": [EventType.SESSION_REVOKED]})
    change(world, username, set_password)
    with world.work() as work:
        rows = work.db.query(OutboxMessage).filter(OutboxMessage.kind == "credential_change")
        assert [row.recipient for row in rows] == [told.rp.client_id]
    assert stranger.poll() == {}


def test_a_pairwise_client_gets_its_own_subject(world: World) -> None:
    """OIDC Core 8: the same ``sub`` as in its ID tokens."""
    receiver = Receiver.of(world, sector_identifier="shop.test")
    username = world.account()
    sub = receiver.sign_in(username)
    assert sub != world.account_row(username).subject
    change(world, username, set_password)
    (told,) = receiver.events()
    assert told["sub_id"]["sub"] == sub


def test_a_receiver_reads_in_parts_and_rejects(receiver: Receiver) -> None:
    """RFC 8936 sections 2.2 and 2.4: ``maxEvents``, ``moreAvailable``, ``setErrs``."""
    world = receiver.world
    username = world.account()
    receiver.sign_in(username)
    for _ in range(3):
        change(world, username, set_password)
    assert (receiver.poll(maxEvents=0), receiver.more) == ({}, True)
    first = receiver.poll(maxEvents=2)
    assert (len(first), receiver.more) == (2, True)
    taken, wrong = first
    errors = {wrong: {"err": "invalid_key", "description": "?"}}
    assert len(receiver.poll(ack=[taken], setErrs=errors)) == 1
    with world.work() as work:
        row = work.db.query(OutboxMessage).filter_by(message_id=f"<{wrong}>").one()
        assert (row.state, row.last_error) == (MessageState.DEAD, "invalid_key")


def test_a_paused_stream_keeps_events_and_a_disabled_one_has_none(receiver: Receiver) -> None:
    """SSF 8.1.2; what nobody fetches for a week is deleted."""
    world = receiver.world
    username = world.account()
    receiver.sign_in(username)
    name = {"stream_id": receiver.stream["stream_id"]}
    paused = {**name, "status": "paused", "reason": "Maintenance"}
    assert receiver.call("POST", STATUS, 200, paused) == paused
    assert receiver.call("GET", f"{STATUS}?stream_id={name['stream_id']}", 200) == paused
    change(world, username, set_password)
    assert receiver.poll() == {}
    receiver.call("POST", STATUS, 200, {**name, "status": "enabled"})
    assert len(receiver.poll()) == 1
    receiver.call("POST", STATUS, 200, {**name, "status": "disabled"})
    change(world, username, set_password)
    receiver.call("POST", VERIFY, 400, name)
    receiver.call("POST", STATUS, 200, {**name, "status": "enabled"})
    assert receiver.poll() == {}
    change(world, username, set_password)
    world.clock.advance(RETENTION.total_seconds() + 1)
    receiver.token = receiver.new_token()
    assert receiver.poll() == {}
    with world.work() as work:
        assert purge.purge_batch(work, "events") == 1


def test_a_receiver_verifies_its_stream(receiver: Receiver) -> None:
    """SSF 8.1.4: the ``state`` comes back; once a minute."""
    name = {"stream_id": receiver.stream["stream_id"]}
    receiver.call("POST", VERIFY, 204, {**name, "state": "abc"})
    (told,) = receiver.events()
    assert told["events"] == {VERIFICATION: {"state": "abc"}}
    assert told["sub_id"] == {"format": "opaque", "id": name["stream_id"]}
    again = receiver.send("POST", VERIFY, name)
    assert (again.status_code, again.headers["Retry-After"]) == (429, "60")
    receiver.world.clock.advance(60)
    receiver.call("POST", VERIFY, 204, name)
    assert receiver.events()[0]["events"] == {VERIFICATION: {}}


class Pushes:
    """Keeps the events that were pushed; fails while ``failing`` is set."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.failing: Exception | None = None

    def send(self, uri: str, token: str, authorization: str) -> None:
        if self.failing:
            raise self.failing
        self.sent.append((uri, token, authorization))


def run_worker(world: World, pushes: Pushes) -> None:
    runtime = world.worker_runtime
    while work_round(replace(runtime, ports=replace(runtime.ports, events=pushes))):
        pass


def test_events_are_pushed_until_they_are_accepted(world: World) -> None:
    """RFC 8935: to the registered address with the receiver's header, the same ``jti`` each time.
    What waits follows a change of the delivery."""
    receiver, pushes = Receiver.of(world, event_push_uri=PUSH_URI), Pushes()
    username = world.account()
    receiver.sign_in(username)
    change(world, username, set_password)
    (kept,) = receiver.poll()
    run_worker(world, pushes)
    assert pushes.sent == []
    name = {"stream_id": receiver.stream["stream_id"]}
    delivery = {"method": PUSH, "endpoint_url": PUSH_URI, "authorization_header": "Basic abc"}
    receiver.call("PATCH", STREAMS, 200, {**name, "delivery": delivery})
    pushes.failing = requests.ConnectionError("secret")
    run_worker(world, pushes)
    pushes.failing = None
    run_worker(world, pushes)
    assert pushes.sent == []
    world.clock.advance(31)
    run_worker(world, pushes)
    ((uri, token, header),) = pushes.sent
    assert (uri, header, receiver.verified(token)["jti"]) == (PUSH_URI, "Basic abc", kept)
    receiver.call("POST", STATUS, 200, {**name, "status": "paused"})
    change(world, username, set_password)
    run_worker(world, pushes)
    assert len(pushes.sent) == 1
    receiver.call("POST", STATUS, 200, {**name, "status": "enabled"})
    run_worker(world, pushes)
    assert len(pushes.sent) == 2
    with world.work() as work:
        assert "abc" not in work.db.query(EventStream).one().authorization_sealed


def test_nothing_is_pushed_to_an_address_that_is_not_registered_any_more(world: World) -> None:
    """SSRF: the address is Access Management's, at the time of the push."""
    receiver, pushes = Receiver.of(world, event_push_uri=PUSH_URI), Pushes()
    name = {"stream_id": receiver.stream["stream_id"]}
    delivery = {"method": PUSH, "endpoint_url": PUSH_URI}
    receiver.call("PATCH", STREAMS, 200, {**name, "delivery": delivery})
    receiver.call("POST", VERIFY, 204, name)
    with world.work() as work:
        client = registry.get(work, "shop")
        registry.update(work, client, replace(client_data.current_data(client), event_push_uri=""))
    run_worker(world, pushes)
    assert pushes.sent == []


@pytest.mark.parametrize("uri", ["http://shop.test/events", "https://10.0.0.1/events", "x"])
def test_an_address_for_events_is_public_and_https(world: World, uri: str) -> None:
    """As every address that the gateway calls."""
    with pytest.raises(RegistrationInvalid) as refused:
        world.relying_party(event_push_uri=uri)
    assert [type(one) for one in refused.value.faults] == [UriInvalid]


class Endpoint(BaseHTTPRequestHandler):
    """An application's address for events, which answers with the status of the path."""

    taken: ClassVar[list[tuple[str, ...]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = ("Content-Type", "Accept", "Authorization")
        self.taken.append((body, *(self.headers.get(name, "") for name in names)))
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nothing."""


def test_r23_only_202_acknowledges_a_pushed_event() -> None:
    """RFC 8935 sections 2.1 and 2.2: any other answer is a failure with its status."""
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    sender = HttpEventSender(NetworkSet(["127.0.0.0/8"]))
    try:
        sender.send(f"{address}/202", "token", "Basic abc")
        for status in (200, 204, 307, 400, 503):
            with pytest.raises(requests.HTTPError) as raised:
                sender.send(f"{address}/{status}", "token", "")
            assert raised.value.response.status_code == status
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    kind = ("token", "application/secevent+jwt", "application/json")
    assert Endpoint.taken == [(*kind, "Basic abc"), *[(*kind, "")] * 5]


def test_n80_a_bound_token_needs_its_proof_here_too(world: World) -> None:
    """RFC 9449 section 7, as at userinfo."""
    receiver, holder = Receiver.of(world), Holder(world)
    answer = holder.post(receiver.rp, grant_type="client_credentials", scope="ssf.read")
    token = (answer.json or {})["access_token"]
    assert holder.get(token, STREAMS).status_code == 200
    as_bearer = receiver.send("GET", STREAMS, Authorization=f"Bearer {token}")
    other = Holder(world, OTHER).get(token, STREAMS)
    unbound = holder.get(receiver.token, STREAMS)
    assert [one.status_code for one in (as_bearer, other, unbound)] == [401] * 3
    assert "resource_metadata" in other.headers["WWW-Authenticate"]
