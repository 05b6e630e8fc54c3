"""The client of the bridge, by secret and by key (RFC 7523 section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
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
from registration_bridge.bridge_client import BridgeClient, BridgeError
from tests.scim.pusher import user
from tests.world import World

MAKERS: dict[str, Callable[[], Any]] = {
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


class Wired(BaseAdapter):
    """Leads the requests of a session to the application under test."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(self, request: requests.PreparedRequest, *_: Any, **_more: Any) -> requests.Response:
        answer = self._world.app.test_client(use_cookies=False).open(
            request.path_url,
            method=request.method or "GET",
            data=request.body,
            headers=list(request.headers.items()),
            base_url=self._world.settings.issuer,
        )
        made = requests.Response()
        made.status_code, made._content, made.request = answer.status_code, answer.data, request
        made.headers.update(answer.headers)
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


def connect(world: World, **credential: str) -> BridgeClient:
    client = BridgeClient(world.settings.issuer, "registration", **credential)
    for prefix in ("https://", f"{world.settings.issuer}/oauth2/"):
        client._session.mount(prefix, Wired(world))
    return client


def registered(world: World, **changes: Any) -> str:
    """The registration system; returns its secret, if it has one."""
    world.clock.moment = datetime.now(UTC)
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
