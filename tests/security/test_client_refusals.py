"""Audit events of failed client authentication, and the methods that a client may use (RFC 6749
section 2.3, RFC 7523; A5, N28, N29, N30, N45)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from idp.clients import client_data, registry
from idp.clients.client_data import ClientData
from idp.credentials.assertions import public_key
from idp.errors import Invalid
from idp.models import AuthMethod
from tests.scim.test_client import Wired
from tests.security.test_assertions import EC, ISSUER, OTHER, assertion, pem, send
from tests.security.test_assertions import client as client
from tests.security.test_token_tables import assert_client_refused
from tests.world import TOKEN, World

TOKEN_URL = f"{ISSUER}{TOKEN}"
Request = Callable[[World], TestResponse]


def signed(**changes: Any) -> Request:
    return lambda world: send(world, assertion(world, "registration", **changes))


def later(seconds: int) -> Callable[[World], int]:
    return lambda world: int(world.clock.now().timestamp()) + seconds


def at(**moments: int) -> Request:
    """Claims that are valid this many seconds from now."""

    def act(world: World) -> TestResponse:
        changes = {name: later(seconds)(world) for name, seconds in moments.items()}
        return send(world, assertion(world, "registration", **changes))

    return act


def twice(world: World) -> TestResponse:
    value = assertion(world, "registration", jti="again")
    assert send(world, value).status_code == 200
    return send(world, value)


def of_another_type(world: World) -> TestResponse:
    return send(world, assertion(world, "registration"), client_assertion_type="urn:x")


#: What is sent, and which check it fails.
CHECKS: dict[str, tuple[Request, str]] = {
    "another key": (lambda w: send(w, assertion(w, "registration", OTHER)), "signature"),
    "another issuer": (signed(iss="emi"), "iss"),
    "the token endpoint": (signed(aud=TOKEN_URL), "aud"),
    "a list": (signed(aud=[ISSUER]), "aud"),
    "nobody": (signed(aud=None), "aud"),
    "no end": (signed(exp=None), "exp"),
    "over": (at(exp=-1), "exp"),
    "more than an hour": (at(exp=3620), "exp"),
    "made in the future": (at(iat=60), "iat"),
    "not yet": (at(nbf=60), "nbf"),
    "no jti": (signed(jti=None), "jti"),
    "used": (twice, "jti_used"),
    "another type": (of_another_type, "type"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_n30_the_event_has_the_failed_check_of_an_assertion(
    world: World, client: Any, name: str
) -> None:
    """N30: the caller always gets the same answer. The event has the client, the method of the
    request, the registered method and the failed check."""
    act, check = CHECKS[name]
    assert_client_refused(act(world))
    (event,) = world.events("client.refused")
    assert (event.client_id, event.outcome, event.reason) == ("registration", "refused", check)
    assert event.data == {"sent": "private_key_jwt", "registered": "private_key_jwt", "count": 1}
    assert not world.events("token.refused")


@pytest.mark.parametrize("path", [TOKEN, "/oauth2/v1/introspect", "/oauth2/v1/revoke"])
@pytest.mark.parametrize(
    ("registered", "form", "sent", "check"),
    [
        ("client_secret", {"client_secret": "x"}, "client_secret_post", "secret"),
        ("client_secret", {}, "none", "method_not_registered"),
        ("client_secret_basic", {"client_secret": "x"}, "client_secret_post",
         "method_not_registered"),
        ("none", {"client_secret": "x"}, "client_secret_post", "method_not_registered"),
        ("private_key_jwt", {"client_secret": "x"}, "client_secret_post", "method_not_registered"),
    ],
)  # fmt: skip
def test_n29_the_event_has_the_authentication_method_of_the_request(
    world: World, path: str, registered: str, form: dict[str, str], sent: str, check: str
) -> None:
    """N29: at every endpoint that authenticates clients."""
    world.relying_party(auth_method=registered)
    data = {"client_id": "emi", "token": "x", "grant_type": "authorization_code"} | form
    answer = world.app.test_client().post(path, data=data, base_url=ISSUER)
    assert_client_refused(answer)
    (event,) = world.events("client.refused")
    assert (event.client_id, event.reason) == ("emi", check)
    assert event.data == {"sent": sent, "registered": registered, "count": 1}


def test_n28_the_event_names_two_methods_and_a_disabled_client(world: World) -> None:
    """N18, N28: the event names the client and the failed check."""
    rp = world.relying_party()
    asked = {"grant_type": "authorization_code", "code": "x"}
    assert world.post(rp, **asked, client_id="emi", client_secret="x").status_code == 400
    assert world.post(rp, **asked, client_id="crow").status_code == 400
    with world.work() as work:
        registry.disable(work, registry.get(work, "emi"))
    assert_client_refused(world.post(rp, grant_type="authorization_code"))
    found = [(event.client_id, event.reason) for event in world.events("client.refused")]
    assert found == [("emi", "more_than_one_method"), ("emi", "more_than_one_client"),
                     ("emi", "client_disabled")]  # fmt: skip


def test_failures_of_clients_are_sampled(world: World) -> None:
    """I7: one row for each client and reason, then one at each power of ten with the count."""
    rp = world.relying_party()
    rp.secret = "x"
    for _ in range(12):
        assert_client_refused(world.post(rp, grant_type="authorization_code"))
    counts = [(row.reason, row.data["count"]) for row in world.events("client.refused")]
    assert counts == [("secret", 1), ("secret", 10)]
    rp.client_id = "nobody"
    assert_client_refused(world.post(rp, grant_type="authorization_code"))
    assert len(world.events("client.refused")) == 2
    assert [row.client_id for row in world.events("token.refused")] == [None]


@pytest.mark.parametrize("method", ["basic", "post"])
def test_a_secret_may_come_by_header_or_body(world: World, method: str) -> None:
    """RFC 6749 section 2.3.1: for a client that is registered for both."""
    rp = world.relying_party("Robot", grant_types=("client_credentials",), scopes=("x",))
    with world.work() as work:
        assert registry.get(work, "robot").auth_method == AuthMethod.SECRET
    rp.auth_method = f"client_secret_{method}"
    assert world.post(rp, grant_type="client_credentials").status_code == 200


def test_n30_the_token_endpoint_is_an_accepted_audience_if_enabled(
    world: World, client: Any
) -> None:
    """RFC 7523 section 3: a setting of one client. The assertion still has one audience, is used
    once, and cannot name another URL. A client with a secret cannot have the setting."""
    with world.work() as work:
        row = registry.get(work, "registration")
        data = client_data.current_data(row)
        changed = ClientData(**(vars(data) | {"token_endpoint_audience": True}))
        registry.update(work, row, changed, is_approved=True)
    for audience, status in (
        (TOKEN_URL, 200),
        (ISSUER, 200),
        ([TOKEN_URL], 401),
        (f"{ISSUER}/oauth2/v1/introspect", 401),
        (f"{TOKEN_URL}/", 401),
    ):
        value = assertion(world, "registration", aud=audience)
        assert send(world, value).status_code == status
    with pytest.raises(Invalid, match="audience of their assertions"), world.work() as work:
        registry.create(work, ClientData(name="X", redirect_uris=("https://x.test/cb",),
                                        token_endpoint_audience=True))  # fmt: skip


def test_the_documented_client_of_authlib_works(world: World) -> None:
    """docs/relying-parties.md: the documented lines, with their default lifetime of an hour."""
    page = Path(__file__).parents[2] / "docs" / "relying-parties.md"
    lines = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert lines is not None
    head, tail = lines[1].split("token = ")
    key = ECKey.generate_key("P-256")
    world.clock.moment = datetime.now(UTC)
    world.relying_party(
        "Robot", auth_method="private_key_jwt", grant_types=("client_credentials",), scopes=("x",),
        keys=(public_key(pem(key)),),
    )  # fmt: skip
    names: dict[str, Any] = {"client_id": "robot", "issuer": ISSUER,
                             "private_key": key.as_pem(private=True).decode()}  # fmt: skip
    exec(head, names)  # noqa: S102 - our own documentation
    names["session"].mount("https://", Wired(world))
    exec(f"token = {tail}", names)  # noqa: S102
    assert names["token"]["scope"] == "x"
    assert EC is not key
