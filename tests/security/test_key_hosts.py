"""Keys of clients at their ``jwks_uri`` (OIDC Core section 10.1.1, RFC 7523; N12, N30, N44, N90,
R23): what is fetched, when, within which limits, and what counts while a host does not answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from threading import Event, Thread
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from werkzeug.test import TestResponse

from idp.app import db
from idp.clients import client_data, key_documents, key_hosts, registry
from idp.clients.client_data import ClientData
from idp.clients.client_refusals import RegistrationInvalid
from idp.clients.key_documents import BadDocument, HttpKeyDocuments
from idp.clients.key_hosts import KeyHosts
from idp.credentials.assertions import public_key
from idp.networks import NetworkSet
from tests import key_host
from tests.fakes import FakeClock
from tests.key_host import KeyHost, key_set, send
from tests.security.test_assertions import ISSUER
from tests.security.test_assertions import send as post
from tests.security.test_token_tables import assert_client_refused
from tests.shell import Run
from tests.world import AUTHORIZE, TOKEN, Rp, World, answer_of

PAR = "/oauth2/v1/par"
HERE = NetworkSet(["127.0.0.0/8"])
URI = "https://emi.rp.test/keys"
OLD, NEW, STRANGE = (ECKey.generate_key("P-256") for _ in range(3))


@pytest.fixture(scope="module")
def running_host() -> Iterator[KeyHost]:
    with key_host.running() as host:
        yield host


@pytest.fixture
def host(running_host: KeyHost) -> KeyHost:
    """A host with one key."""
    running_host.document, running_host.behaviour = key_set(old=OLD), None
    running_host.asked.clear()
    running_host.headers.clear()
    return running_host


@pytest.fixture
def rp(world: World, host: KeyHost) -> Rp:
    """A client that publishes its keys. The gateway finds its host on this machine."""

    def read(uri: str) -> bytes:
        assert uri == URI
        # No connection of the database waits for the other server, so nothing is locked.
        assert db_in_use(world) == 0
        return HttpKeyDocuments(HERE).read(host.uri)

    runtime = world.app.extensions["runtime"]
    ports = replace(runtime.ports, key_hosts=KeyHosts(read))
    world.app.extensions["runtime"] = replace(runtime, ports=ports)
    return world.relying_party(
        auth_method="private_key_jwt", keys=(), jwks_uri=URI,
        grant_types=("authorization_code", "client_credentials"), scopes=("openid", "scim"),
    )  # fmt: skip


def db_in_use(world: World) -> int:
    with world.app.app_context():
        return int(db.engine.pool.checkedout())  # type: ignore[attr-defined]


def signed(world: World, key: ECKey, kid: str | None, **more: Any) -> str:
    now = int(world.clock.now().timestamp())
    claims = {"iss": "emi", "sub": "emi", "aud": ISSUER, "exp": now + 60,
              "jti": str(time.monotonic_ns())}  # fmt: skip
    header = {"alg": "ES256"} | ({"kid": kid} if kid else {}) | more.pop("header", {})
    kept = {name: value for name, value in (claims | more).items() if value is not None}
    return jwt.encode(header, kept, key, algorithms=["ES256"])


def ask(world: World, key: ECKey = OLD, kid: str | None = "old", **form: str) -> TestResponse:
    """A token, with an assertion."""
    return post(world, signed(world, key, kid), **form)


def request_object(world: World, rp: Rp, key: ECKey, kid: str) -> str:
    return signed(world, key, kid, **rp.authorize_params(scope="openid"), sub=None)


# What is read from a host, and what is not.


READ: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], str]] = {
    "not there": (lambda h: send(h, 404), "status 404"),
    "a redirect": (lambda h: send(h, 302, Location="http://127.0.0.1:1/"), "status 302"),
    "a fault": (lambda h: send(h, 500), "status 500"),
    "large": (lambda h: send(h, 200, b" " * 70_000), "too large"),
    "compressed": (lambda h: send(h, 200, b"x", Content_Encoding="gzip"), "compressed"),
}


@pytest.mark.parametrize("name", READ)
def test_n12_only_a_small_document_at_the_address_itself_is_read(host: KeyHost, name: str) -> None:
    """A redirect is not followed; a body is read up to 64 KiB, and never decompressed."""
    host.behaviour, fault = READ[name]
    with pytest.raises(BadDocument, match=fault):
        HttpKeyDocuments(HERE).read(host.uri)
    assert len(host.asked) == 1
    assert host.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status", "header", "body"],
)  # fmt: skip
def test_r23_a_host_that_answers_slowly_is_left_at_the_deadline(
    host: KeyHost, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Each byte comes in time, and the whole does not."""
    monkeypatch.setattr(key_documents, "DEADLINE_SECONDS", 0.2)
    host.behaviour = lambda handler: _drip(host, handler, start)
    began = time.monotonic()
    with pytest.raises((requests.RequestException, BadDocument)):
        key_documents.parse(HttpKeyDocuments(HERE).read(host.uri))
    assert time.monotonic() - began < 1.5


def _drip(host: KeyHost, handler: BaseHTTPRequestHandler, start: bytes) -> None:
    handler.wfile.write(start)
    while not host.over.wait(0.02):
        handler.wfile.write(b"x")


def test_n12_a_private_network_is_not_asked(host: KeyHost) -> None:
    """Unless IDP_OUTBOUND_NETWORKS has it; the name is resolved and checked at the call."""
    with pytest.raises(requests.ConnectionError, match="private network"):
        HttpKeyDocuments(NetworkSet([])).read(host.uri)
    assert host.asked == []


@pytest.mark.parametrize("text", [b"", b"x", b"[]", b"{}", b'{"keys": 5}', b"\xff", b"[" * 60_000])
def test_a_document_without_keys_is_no_key_set(text: bytes) -> None:
    with pytest.raises(BadDocument, match="no key set"):
        key_documents.parse(text)


def test_keys_that_cannot_verify_are_ignored() -> None:
    """RFC 7517 section 5. Short and private keys are no keys of a client; of too many, the first
    ones count."""
    good = OLD.as_dict(private=False)
    others = [
        good | {"use": "other"}, OLD.as_dict(private=True), OctKey.generate_key(256).as_dict(),
        ECKey.generate_key("P-384").as_dict(private=False), {"kty": "EC"}, {}, 7, None,
        {"kty": "RSA", "n": "AQAB" * 40, "e": "AQAB"},
    ]  # fmt: skip
    keys, names = key_documents.parse(json.dumps({"keys": [*others, good | {"kid": "a"}]}).encode())
    assert (keys, names) == ((public_key(json.dumps(good)),), {"a"})
    many = {f"k{number}": OLD for number in range(12)}
    assert len(key_documents.parse(key_set(**many))[0]) == 10


def test_keys_for_encryption_do_not_take_the_places_of_keys_that_sign() -> None:
    """RFC 7517 sections 4.2 and 4.5: they keep their ``use`` and ``kid``; ten of each count."""
    good = OLD.as_dict(private=False)
    members = [good | {"use": "enc", "kid": f"e{number}"} for number in range(12)] + [good]
    keys, names = key_documents.parse(json.dumps({"keys": members}).encode())
    assert [key.get("use") for key in keys] == [None] + 10 * ["enc"]
    assert [key["kid"] for key in keys[1:]] == [f"e{number}" for number in range(10)]
    assert names == {f"e{number}" for number in range(12)}


# When a host is asked.


class Source:
    """Documents as a host would answer, and how often it was asked."""

    def __init__(self) -> None:
        self.document: bytes | Exception = key_set(old=OLD)
        self.count = 0

    def read(self, _uri: str) -> bytes:
        self.count += 1
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


@pytest.mark.parametrize(
    ("seconds", "names", "is_due"),
    [
        (0, [], False), (599, [], False), (600, [], True), (-60, [], True), (0, ["new"], False),
        (59, ["new"], False), (60, ["new"], True), (60, ["old"], False), (60, ["old", "new"], True),
        (599, ["old"], False),
    ],
)  # fmt: skip
def test_n90_keys_are_fetched_when_old_or_unknown_but_once_a_minute(
    seconds: int, names: list[str], is_due: bool
) -> None:
    """Ten minutes old; or an unknown ``kid``, a minute after the last attempt. A clock that was set
    back keeps nothing alive (N92)."""
    source, now = Source(), FakeClock().now()
    hosts = KeyHosts(source.read)
    assert hosts.is_due(URI, [], now)
    hosts.fetch(URI, now)
    assert hosts.is_due(URI, names, now + timedelta(seconds=seconds)) is is_due


@pytest.mark.parametrize(
    "fault", [requests.ConnectionError("down"), OSError(), ValueError(), b"x", b'{"keys": 5}'],
    ids=repr,
)  # fmt: skip
def test_r23_the_last_keys_count_for_four_hours_while_a_host_is_down(
    fault: bytes | Exception,
) -> None:
    """Then none do. The host is asked again once a minute, and its answer counts at once."""
    source, now = Source(), FakeClock().now()
    hosts = KeyHosts(source.read)
    hosts.fetch(URI, now)
    known, source.document = hosts.keys(URI, now), fault
    hosts.fetch(URI, now + timedelta(minutes=10))
    assert not hosts.is_due(URI, ["new"], now + timedelta(minutes=10, seconds=59))
    assert hosts.is_due(URI, [], now + timedelta(minutes=11))
    assert hosts.keys(URI, now + timedelta(hours=4, seconds=-1)) == known != ()
    assert hosts.keys(URI, now + timedelta(hours=4)) == ()
    source.document = key_set(new=NEW)
    hosts.fetch(URI, now + timedelta(hours=5))
    assert hosts.keys(URI, now + timedelta(hours=5)) == key_documents.parse(key_set(new=NEW))[0]
    assert source.count == 3


def test_an_empty_key_set_withdraws_the_keys() -> None:
    """It is an answer, not a failure."""
    source, now = Source(), FakeClock().now()
    hosts = KeyHosts(source.read)
    hosts.fetch(URI, now)
    source.document = b'{"keys": []}'
    hosts.fetch(URI, now)
    assert hosts.keys(URI, now) == ()


def test_r23_a_slow_host_holds_few_threads_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One attempt at a time for an address; four threads wait, others go on without keys. What
    comes late counts all the same, and a host with known keys is not waited for."""
    monkeypatch.setattr(key_hosts, "WAIT_SECONDS", 0.3)
    answer, asked, now = Event(), [], FakeClock().now()

    def read(uri: str) -> bytes:
        asked.append(uri)
        answer.wait(5)
        return key_set(old=OLD)

    hosts, durations = KeyHosts(read), []

    def wait() -> None:
        began = time.monotonic()
        hosts.fetch(URI, now)
        durations.append(time.monotonic() - began)

    threads = [Thread(target=wait) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [URI]
    assert sorted(duration > 0.25 for duration in durations) == [False] * 8 + [True] * 4
    assert hosts.is_due(URI, [], now)
    answer.set()
    _until(lambda: bool(hosts.keys(URI, now)))
    assert not hosts.is_due(URI, [], now)
    answer.clear()
    later = now + timedelta(hours=1)
    thread = Thread(target=hosts.fetch, args=(URI, later))
    thread.start()
    _until(lambda: len(asked) == 2)
    assert not hosts.is_due(URI, ["new"], later)
    answer.set()
    thread.join()


def _until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_addresses_that_nobody_needs_are_forgotten() -> None:
    """What was not asked for hours takes no memory."""
    source, now = Source(), FakeClock().now()
    hosts = KeyHosts(source.read)
    for number in range(3):
        hosts.fetch(f"{URI}/{number}", now + timedelta(hours=3 * number))
    assert set(hosts._hosts) == {f"{URI}/1", f"{URI}/2"}


# What clients notice.


def test_a_client_authenticates_with_a_key_that_it_publishes(
    world: World, rp: Rp, host: KeyHost
) -> None:
    """At every endpoint; the host is asked once. Its own ``kid`` names a key, or none does."""
    issued = ask(world)
    assert issued.status_code == 200, issued.text
    for path in ("/oauth2/v1/introspect", "/oauth2/v1/revoke"):
        answer = ask(world, kid=None, path=path, token=issued.json["access_token"])
        assert answer.status_code == 200
    assert host.asked == ["/keys"]


def test_n90_a_new_key_works_at_once_and_an_old_one_ends(
    world: World, rp: Rp, host: KeyHost
) -> None:
    """OIDC Core 10.1.1: an unknown ``kid`` makes the gateway look again, a minute later at the
    earliest; keys that are gone from the document do not verify."""
    assert ask(world).status_code == 200
    host.document = key_set(new=NEW)
    assert_client_refused(ask(world, NEW, "new"))
    assert ask(world).status_code == 200
    world.clock.advance(60)
    assert ask(world, NEW, "new").status_code == 200
    assert_client_refused(ask(world))
    assert len(host.asked) == 2
    assert [event.reason for event in world.events("client.refused")] == ["signature"]


def test_n30_strangers_make_the_gateway_ask_once_a_minute(
    world: World, rp: Rp, host: KeyHost
) -> None:
    """Another key under a known, an unknown or no name; headers that bring or name a key are never
    followed (N44)."""
    for number in range(4):
        assert_client_refused(ask(world, STRANGE, f"k{number}"))
    for header in ({"jku": host.uri}, {"jwk": STRANGE.as_dict(private=False)}):
        assert_client_refused(post(world, signed(world, STRANGE, "old", header=header)))
        assert_client_refused(post(world, signed(world, OLD, "old", header=header)))
    assert_client_refused(ask(world, STRANGE, None))
    assert len(host.asked) == 1
    assert {event.reason for event in world.events("client.refused")} == {"signature"}


def test_r23_the_event_says_that_keys_could_not_be_fetched(
    world: World, rp: Rp, host: KeyHost
) -> None:
    """The caller gets the same answer as for everything else."""
    host.behaviour = lambda handler: send(handler, 503)
    assert_client_refused(ask(world))
    (event,) = world.events("client.refused")
    assert (event.client_id, event.reason) == ("emi", "keys_unavailable")
    host.behaviour = None
    world.clock.advance(60)
    assert ask(world).status_code == 200


def test_n12_nothing_is_fetched_for_others(world: World, rp: Rp, host: KeyHost) -> None:
    """For a disabled client, another method, or a client that is not registered."""
    with world.work() as work:
        registry.disable(work, registry.get(work, "emi"))
    assert_client_refused(ask(world))
    client = world.app.test_client()
    asked = client.get(AUTHORIZE, query_string={"client_id": "emi", "request": "a.b.c"},
                       base_url=ISSUER)  # fmt: skip
    assert asked.status_code == 400
    with world.work() as work:
        registry.enable(work, registry.get(work, "emi"), is_approved=True)
    sent = {"client_id": "emi", "client_secret": "x", "grant_type": "client_credentials"}
    assert_client_refused(client.post(TOKEN, data=sent, base_url=ISSUER))
    assert_client_refused(post(world, signed(world, OLD, "old", iss="crow", sub="crow")))
    assert host.asked == []


def test_an_address_that_was_changed_is_not_asked_any_more(
    world: World, rp: Rp, host: KeyHost
) -> None:
    """Registered keys take its place at once; what was fetched does not count."""
    assert ask(world).status_code == 200
    with world.work() as work:
        row = registry.get(work, "emi")
        keys = (public_key(json.dumps(NEW.as_dict(private=False))),)
        data = replace(client_data.current_data(row), jwks_uri="", keys=keys)
        registry.update(work, row, data, is_approved=True)
    assert_client_refused(ask(world))
    assert ask(world, NEW, "new").status_code == 200
    assert len(host.asked) == 1


def test_a_published_key_signs_request_objects(world: World, rp: Rp, host: KeyHost) -> None:
    """RFC 9101, in the browser's URL and pushed: each looks for a new key."""
    browser, username = world.browser(), world.account()
    text = request_object(world, rp, OLD, "old")
    page = browser.get(AUTHORIZE, client_id="emi", request=text)
    assert answer_of(browser.sign_in(username, page=page))["state"] == "state-1"
    host.document = key_set(old=OLD, new=NEW)
    world.clock.advance(60)
    pushed = ask(world, path=PAR, request=request_object(world, rp, NEW, "new"))
    assert pushed.status_code == 201, pushed.text
    bad = ask(world, path=PAR, request=request_object(world, rp, STRANGE, "new"))
    assert (bad.status_code, bad.json["error"]) == (400, "invalid_request_object")
    assert len(host.asked) == 2


# What is registered.

KEYED = ClientData(name="EMI", auth_method="private_key_jwt", redirect_uris=("https://a.test/cb",))
KEYS = (public_key(json.dumps(OLD.as_dict(private=False))),)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, "need 1 to 10 keys or a jwks_uri, and only encryption needs any besides"),
        ({"jwks_uri": URI, "keys": KEYS}, "keys and jwks_uri cannot both be set"),
        ({"jwks_uri": URI, "auth_method": "client_secret"}, "only encryption needs any besides"),
        ({"jwks_uri": URI, "auth_method": "none"}, "only encryption needs any besides"),
        ({"jwks_uri": "http://emi.rp.test/keys"}, "must use https"),
        ({"jwks_uri": "http://127.0.0.1/keys"}, "must use https"),
        ({"jwks_uri": "ftp://emi.rp.test/keys"}, "must use https"),
        ({"jwks_uri": "file:///etc/passwd"}, "must use https"),
        ({"jwks_uri": "com.example.app:/keys"}, "must use https"),
        ({"jwks_uri": "https://emi.rp.test/keys#a"}, "must not have a fragment"),
        ({"jwks_uri": "https://u@emi.rp.test/keys"}, "must not have a user name"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "IDP_OUTBOUND_NETWORKS"),
        ({"jwks_uri": "https://localhost/keys"}, "IDP_OUTBOUND_NETWORKS"),
        ({"jwks_uri": "https://169.254.169.254/latest"}, "IDP_OUTBOUND_NETWORKS"),
    ],
)  # fmt: skip
def test_n12_an_address_that_cannot_be_fetched_is_not_registered(
    world: World, changes: dict[str, Any], fault: str
) -> None:
    with world.work() as work:
        with pytest.raises(RegistrationInvalid, match=fault):
            registry.create(work, replace(KEYED, **changes))
        registry.create(work, replace(KEYED, jwks_uri=URI))


def test_the_command_replaces_keys_by_an_address_and_the_reverse(
    world: World, run: Run, tmp_path: Any
) -> None:
    """``--jwks-uri`` and ``--key-file``."""
    world.relying_party(auth_method="private_key_jwt")
    shown = json.loads(run("client", "update", "emi", "--jwks-uri", URI, "--json").output)
    assert (shown["jwks_uri"], shown["keys"]) == (URI, [])
    file = tmp_path / "key.json"
    file.write_text(json.dumps(OLD.as_dict(private=False)))
    shown = json.loads(run("client", "update", "emi", "--key-file", str(file), "--json").output)
    assert (shown["jwks_uri"], len(shown["keys"])) == ("", 1)
