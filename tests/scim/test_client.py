"""The client of the bridge, by secret and by key (RFC 7523 section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from requests.adapters import BaseAdapter

from idp.cli.main import main
from idp.credentials.assertions import public_key
from registration_bridge import bridge_client
from registration_bridge.bridge_client import BridgeClient, BridgeError, Result
from service_base import request_ids
from tests.scim.pusher import user
from tests.world import World

MAKERS: dict[str, Callable[[], Any]] = {
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


class Wired(BaseAdapter):
    """Leads the requests of a session to the application under test, which knows nothing of the
    context of the caller: it would be another process."""

    #: The address of the caller.
    peer = "127.0.0.1"

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(self, request: requests.PreparedRequest, *_: Any, **_more: Any) -> requests.Response:
        answer = Context().run(
            self._world.app.test_client(use_cookies=False).open,
            request.path_url,
            method=request.method or "GET",
            data=request.body,
            headers=list(request.headers.items()),
            base_url=self._world.settings.issuer,
            environ_overrides={"REMOTE_ADDR": self.peer},
        )
        made = requests.Response()
        made.status_code, made._content, made.request = answer.status_code, answer.data, request
        made.headers.update(answer.headers)
        return made

    def close(self) -> None:
        """Nothing is open."""


class Canned(BaseAdapter):
    """Gives the same answer to every request; without a status, the connection fails."""

    def __init__(self, status: int | None, body: bytes = b"") -> None:
        super().__init__()
        self._status, self._body = status, body
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **_more: Any) -> requests.Response:
        self.asked.append(request)
        if self._status is None:
            raise requests.ConnectionError("refused")
        made = requests.Response()
        made.status_code, made._content, made.request = self._status, self._body, request
        made.headers["Location"] = "https://elsewhere.example/"
        return made

    def close(self) -> None:
        """Nothing is open."""


def pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public(key: Any) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def connect(world: World, client_id: str = "registration", **credential: str) -> BridgeClient:
    clock = world.clock
    client = BridgeClient(
        world.settings.issuer, client_id, clock=lambda: clock.now().timestamp(), **credential
    )
    for prefix in ("https://", f"{world.settings.issuer}/oauth2/"):
        client._session.mount(prefix, Wired(world))
    return client


def registered(world: World, **changes: Any) -> str:
    """The registration system; returns its secret, if it has one."""
    return world.relying_party(
        "Registration", grant_types=("client_credentials",), scopes=("scim",),
        redirect_uris=(), post_logout_redirect_uris=(), home_url="", **changes,
    ).secret  # fmt: skip


def push_one(client: BridgeClient) -> None:
    with client:
        (made,) = client.bulk([{"method": "POST", "path": "/Users", "data": user(1)}])
        assert made.status == 201
        found = client.find("externalId", "reg-1")
        assert found is not None
        assert made.location.endswith(found["id"])
        assert [entry["userName"] for entry in client.users()] == [found["userName"]]
        assert client.count() == 1


def test_a_client_with_a_secret(world: World) -> None:
    push_one(connect(world, secret=registered(world)))


@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_client_with_a_key(world: World, kind: str) -> None:
    """private_key_jwt: signed with its key, for the issuer alone, once."""
    key = MAKERS[kind]()
    registered(world, auth_method="private_key_jwt", keys=(public_key(public(key)),))
    push_one(connect(world, key=pem(key)))
    with (
        connect(world, key=pem(MAKERS[kind]())) as other,
        pytest.raises(BridgeError, match="no token"),
    ):
        other.count()


def test_a_key_of_another_kind_is_named(tmp_path: Path) -> None:
    """Before anything is sent."""
    export, file = tmp_path / "export.csv", tmp_path / "key.pem"
    export.write_text("externalId\n1\n")
    curve = ec.generate_private_key(ec.SECP384R1())
    for text in ("no key", pem(curve), pem(ed25519.Ed25519PrivateKey.generate()),
                 public(MAKERS["EC"]())):  # fmt: skip
        file.write_text(text)
        done = CliRunner().invoke(
            main,
            ["scim", "diff", str(export), "--url", "https://gateway.test", "--client-id", "x",
             "--key-file", str(file)],
        )  # fmt: skip
        assert (done.exit_code, "not a private key (PEM)" in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (None, b"", "does not answer"),
        (200, b"<html>", "not JSON"),
        (300, b"{}", "refused"),
        (302, b"{}", "refused"),
        (403, b'{"detail": "out of scope"}', "out of scope"),
        (500, b"{}", "refused"),
    ],
)
def test_pr06_an_answer_without_a_result_is_an_error(
    status: int | None, body: bytes, detail: str
) -> None:
    """PR-06: registration is told the status and the reason; a redirect is never followed."""
    with BridgeClient("https://gateway.test", "registration", "secret") as client:
        client._session.token = {"access_token": "a", "token_type": "Bearer"}
        client._session.mount("https://", Canned(status, body))
        with pytest.raises(BridgeError, match=detail) as told:
            client.bulk([])
    assert told.value.status == status


def test_a_push_has_the_trace_of_what_it_is_for() -> None:
    """W3C Trace Context. Without a request there is no header."""
    adapter = Canned(200, b"{}")
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with BridgeClient("https://gateway.test", "registration", "secret") as client:
        client._session.token = {"access_token": "a", "token_type": "Bearer"}
        client._session.mount("https://", adapter)
        with request_ids.used(request_ids.of_work(sent)):
            client.bulk([])
        client.bulk([])
    assert [one.headers.get("traceparent") for one in adapter.asked] == [sent, None]


@pytest.mark.parametrize(("status", "is_done"), [(201, True), (299, True), (300, False)])
def test_only_a_success_is_done(status: int, is_done: bool) -> None:
    assert Result(status).is_done is is_done


def test_pr06_a_dry_run_of_the_client_changes_nothing(world: World) -> None:
    """PR-06: the effects are told, a refusal has its reason, and nothing is made."""
    with connect(world, secret=registered(world)) as client:
        good, bad = client.bulk(
            [
                {"method": "POST", "path": "/Users", "data": user(1)},
                {"method": "POST", "path": "/Users", "data": user(2, emails=[])},
            ],
            is_dry=True,
        )
        assert (good.is_done, good.detail, good.effects != {}) == (True, "", True)
        assert (bad.is_done, bad.detail != "", bad.effects) == (False, True, {})
        assert client.count() == 0


def test_all_users_are_read_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9865: each once; a value with quotes or a backslash is looked for as it is."""
    monkeypatch.setattr(bridge_client, "PAGE", 2)
    with connect(world, secret=registered(world)) as client:
        people = [user(1), user(2, externalId='a"b\\c'), user(3)]
        client.bulk([{"method": "POST", "path": "/Users", "data": body} for body in people])
        assert sorted(str(row["externalId"]) for row in client.users()) == sorted(
            body["externalId"] for body in people
        )
        found = client.find("externalId", 'a"b\\c')
        assert found is not None
        assert found["externalId"] == 'a"b\\c'
        assert client.find("externalId", "nobody") is None
