"""``client_secret_jwt`` (RFC 7523, OIDC Core section 9; N28, N29, N30, N42, N43, N84): assertions
that are signed with the secret."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.clients import client_data, client_secrets, registry
from idp.credentials import assertions
from idp.credentials.assertions import BadAssertion, public_key
from idp.models import Client
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.security.test_assertions import ISSUER
from tests.security.test_assertions import send as post
from tests.security.test_token_tables import assert_client_refused
from tests.world import KEY, TOKEN, Rp, World

NUMBERS = count()
METHOD = "client_secret_jwt"
SPARE = "s" * 43


@pytest.fixture
def rp(world: World) -> Rp:
    return world.relying_party(
        auth_method=METHOD, grant_types=("authorization_code", "client_credentials"),
        scopes=("openid", "prices"),
    )  # fmt: skip


def signed(world: World, secret: Any, alg: str = "HS256", **changes: Any) -> str:
    now = int(world.clock.now().timestamp())
    header = {"alg": alg} | changes.pop("header", {})
    claims = {"iss": "emi", "sub": "emi", "aud": ISSUER, "exp": now + 60,
              "jti": f"s{next(NUMBERS)}"} | changes  # fmt: skip
    if isinstance(secret, bytes):
        # What a library would refuse to sign with.
        text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"
    key = OctKey.import_key(secret) if isinstance(secret, str) else secret
    return jws.serialize_compact(
        header, json.dumps(claims), key, algorithms=["HS256", "HS384", "HS512", "ES256"]
    )


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def columns(world: World) -> tuple[str | None, str | None]:
    with world.work() as work:
        row = work.db.scalar(select(Client).where(Client.client_id == "emi"))
        return row.sealed_secret, row.former_sealed_secret


@pytest.mark.parametrize("path", [TOKEN, "/oauth2/v1/introspect", "/oauth2/v1/revoke"])
def test_a_client_signs_with_its_secret(world: World, rp: Rp, path: str) -> None:
    """Once for each assertion, at every endpoint."""
    value = signed(world, rp.secret)
    assert post(world, value, path=path, token="x").status_code == 200
    assert_client_refused(post(world, value, path=path, token="x"))
    assert world.events("client.refused")[0].reason == "jti_used"


ASSERTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "another secret": ({"secret": SPARE}, "signature"),
    "HS384": ({"alg": "HS384"}, "method_not_registered"),
    "HS512": ({"alg": "HS512"}, "method_not_registered"),
    "a key": ({"secret": KEY, "alg": "ES256"}, "method_not_registered"),
    "a header that names a key": ({"header": {"jku": "https://evil.test"}}, "signature"),
    "for somebody else": ({"aud": "https://other.test"}, "aud"),
    "for several": ({"aud": [ISSUER]}, "aud"),
    "another issuer": ({"iss": "crow"}, "iss"),
    "over": ({"exp": 1}, "exp"),
    "no number": ({"jti": ""}, "jti"),
}


@pytest.mark.parametrize("name", ASSERTIONS)
def test_n30_a_bad_assertion_gets_the_same_answer(world: World, rp: Rp, name: str) -> None:
    """N30: and the event has the failed check and what was sent."""
    changes, check = ASSERTIONS[name]
    value = signed(world, **({"secret": rp.secret} | changes))
    assert_client_refused(post(world, value))
    (event,) = world.events("client.refused")
    assert (event.client_id, event.reason) == ("emi", check)
    is_by_secret = changes.get("alg", "HS256") == "HS256"
    sent = METHOD if is_by_secret else "private_key_jwt"
    assert event.data == {"sent": sent, "registered": METHOD, "count": 1}


@pytest.mark.parametrize("registered", ["client_secret", "client_secret_post", "none"])
def test_n29_another_client_does_not_sign(world: World, registered: str) -> None:
    """N29: its secret is no key: it is not stored readable."""
    rp = world.relying_party(auth_method=registered)
    assert_client_refused(post(world, signed(world, rp.secret or SPARE)))
    assert world.events("client.refused")[0].reason == "method_not_registered"
    assert columns(world) == (None, None)


@pytest.mark.parametrize("form", [{"client_id": "emi", "client_secret": ""}, {"client_id": "emi"}])
def test_n29_a_client_that_signs_does_not_send_its_secret(
    world: World, rp: Rp, form: dict[str, str]
) -> None:
    """N29: not in the body, not in the header, nor beside an assertion (N28)."""
    sent = {name: value or rp.secret for name, value in form.items()}
    client = world.app.test_client()
    data = sent | {"grant_type": "client_credentials"}
    assert_client_refused(client.post(TOKEN, data=data, base_url=ISSUER))
    assert_client_refused(
        client.post(TOKEN, data={"grant_type": "client_credentials"}, headers=rp.basic(),
                    base_url=ISSUER)
    )  # fmt: skip
    both = post(world, signed(world, rp.secret), client_secret=rp.secret)
    assert (both.status_code, both.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("published", ["pem", "jwk", "x", "nothing"])
def test_n42_a_public_key_is_no_secret(world: World, published: str) -> None:
    """N42: of a client with keys, whatever form of the key the attacker takes."""
    world.relying_party(auth_method="private_key_jwt")
    forms = {
        "pem": KEY.as_pem(private=False),
        "jwk": json.dumps(KEY.as_dict(private=False), sort_keys=True).encode(),
        "x": str(KEY.as_dict(private=False)["x"]).encode(),
        "nothing": b"",
    }
    assert_client_refused(post(world, signed(world, forms[published])))


@pytest.mark.parametrize(("length", "is_accepted"), [(0, False), (31, False), (32, True)])
def test_n43_a_short_secret_never_verifies(world: World, length: int, is_accepted: bool) -> None:
    """N43, RFC 7518 section 3.2: 32 bytes at least."""
    secret = "é" * (length // 2) + "x" * (length % 2)
    value = signed(world, secret.encode())
    with world.work() as work:
        if is_accepted:
            assertions.verify_with_secrets(work, value, "emi", [secret])
            return
        with pytest.raises(BadAssertion, match="signature"):
            assertions.verify_with_secrets(work, value, "emi", [secret])


def test_n84_the_secret_is_stored_sealed(world: World, rp: Rp) -> None:
    """N84: under the key-encryption key, not in a description of the client or an event."""
    sealed, _ = columns(world)
    assert sealed is not None
    assert rp.secret not in sealed
    with world.work() as work:
        row = registry.get(work, "emi")
        assert client_secrets.readable(work, row) == [rp.secret]
        assert "sealed_secret" not in client_data.describe(row)
    assert all(rp.secret not in json.dumps(event.data) for event in world.events())


def test_n18_both_secrets_sign_during_an_overlap(world: World, rp: Rp) -> None:
    """N18: then the new one alone; revoked, the old one ends at once."""

    def statuses(*secrets: str) -> list[int]:
        return [post(world, signed(world, secret)).status_code for secret in secrets]

    def rotate(hours: int) -> str:
        with world.work() as work:
            return client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=hours)

    second = rotate(5)
    assert statuses(rp.secret, second) == [200, 200]
    world.clock.advance(hours=5)
    assert statuses(rp.secret, second) == [401, 200]
    third = rotate(5)
    assert statuses(second, third) == [200, 200]
    with world.work() as work:
        assert client_secrets.revoke_old(work, registry.get(work, "emi"))
    assert statuses(second, third) == [401, 200]
    assert columns(world)[1] is None
    fourth = rotate(0)
    assert statuses(third, fourth) == [401, 200]


def change(world: World, **changes: Any) -> None:
    with world.work() as work:
        row = registry.get(work, "emi")
        registry.update(work, row, replace(client_data.current_data(row), **changes))


def test_a_change_of_the_method_leaves_nothing_readable(world: World, rp: Rp) -> None:
    """A client that signs from now on needs a new secret; one that stops keeps its secret, without
    the sealed copy."""
    change(world, auth_method="client_secret")
    assert columns(world) == (None, None)
    sent = {"grant_type": "client_credentials"}
    assert world.post(replace(rp, auth_method="client_secret"), **sent).status_code == 200
    change(world, auth_method=METHOD)
    assert_client_refused(world.post(rp, **sent))
    with world.work() as work:
        rp.secret = client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=5)
    assert world.post(rp, **sent).status_code == 200
    key = public_key(json.dumps(ECKey.generate_key("P-256").as_dict(private=False)))
    change(world, auth_method="private_key_jwt", keys=(key,))
    assert columns(world) == (None, None)


def test_the_console_asks_for_a_new_secret(world: World) -> None:
    """The page of a client whose secret cannot sign says so, until there is a new one."""
    world.relying_party()
    desk = Desk.of(world, ConsoleRole.ACCESS)
    text = "Create a new secret. The application cannot sign with the present one."
    assert text not in desk.browser.get("/console/clients/emi").text
    change(world, auth_method=METHOD)
    assert text in desk.browser.get("/console/clients/emi").text
    desk.post("/console/clients/emi/secret", overlap_hours="0")
    assert text not in desk.browser.get("/console/clients/emi").text


def test_the_token_endpoint_as_audience_is_a_setting_of_the_client(world: World, rp: Rp) -> None:
    """As for keys: for older libraries only."""

    def ask() -> TestResponse:
        return post(world, signed(world, rp.secret, aud=f"{ISSUER}{TOKEN}"))

    assert_client_refused(ask())
    change(world, token_endpoint_audience=True)
    assert ask().status_code == 200
