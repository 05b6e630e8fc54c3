"""Signed request objects (RFC 9101, OIDC Core section 6): who signed them, for whom, until when,
and that nothing beside them counts."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey
from werkzeug.test import TestResponse

from idp.credentials.assertions import ASSERTION_TYPE
from tests.conformance.flow import DISCOVERY
from tests.world import AUTHORIZE, BY_KEY, KEY, OTHER_KEY, Rp, World, answer_of, assertion

PAR = "/oauth2/v1/par"


@pytest.fixture
def rp(world: World) -> Rp:
    """A client with a key."""
    return world.relying_party(auth_method="private_key_jwt")


def signed(
    world: World,
    rp: Rp,
    *,
    key: Any = KEY,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A request object; a change to None leaves a claim out."""
    now = int(world.clock.now().timestamp())
    claims = rp.authorize_params() | {
        "iss": rp.client_id, "aud": world.settings.issuer, "exp": now + 300, "iat": now,
    } | changes  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not None}
    payload = json.dumps(kept)
    return jws.serialize_compact(
        {"alg": "ES256"} | (header or {}), payload, key, algorithms=["ES256", "HS256"]
    )


def ask(world: World, rp: Rp, text: str, **outside: str) -> TestResponse:
    """An authorization request with the object; beside it what RFC 9101 demands."""
    return world.browser().get(AUTHORIZE, client_id=rp.client_id, request=text, **outside)


def refused(world: World, rp: Rp, text: str) -> str:
    """The error that goes back to the registered redirect URI of the URL."""
    response = ask(world, rp, text, redirect_uri=rp.redirect_uri, response_type="code")
    assert response.headers["Location"].startswith(f"{rp.redirect_uri}?")
    answer = answer_of(response)
    assert "code" not in answer
    return answer["error"]


@pytest.mark.parametrize("typ", [None, "JWT", "oauth-authz-req+jwt"])
def test_a_signed_request_signs_in(world: World, rp: Rp, typ: str | None) -> None:
    """Section 5: client id and object suffice; state, nonce and challenge come from the object."""
    browser, username = world.browser(), world.account()
    text = signed(
        world, rp, state="inside", nonce="n-inside", max_age=600,
        header={"typ": typ} if typ else {}, claims={"userinfo": {"name": {"essential": True}}},
    )  # fmt: skip
    page = browser.get(AUTHORIZE, client_id=rp.client_id, request=text)
    answer = answer_of(browser.sign_in(username, page=page))
    assert answer["state"] == "inside"
    tokens = world.redeem(rp, answer["code"]).json
    body = jwt.decode(tokens["id_token"], signing_key(world, tokens), algorithms=["RS256"]).claims
    assert body["nonce"] == "n-inside"


def signing_key(world: World, tokens: dict[str, Any]) -> Any:
    client = world.app.test_client(use_cookies=False)
    return KeySet.import_key_set(client.get("/oauth2/v1/keys", base_url=world.settings.issuer).json)


def test_nothing_beside_the_object_counts(world: World, rp: Rp) -> None:
    """Section 6.3: scope, state and redirect URI in the URL change nothing."""
    browser, username = world.browser(), world.account()
    text = signed(world, rp, scope="openid", state=None)
    outside = {"scope": "openid email", "state": "outside", "redirect_uri": "https://evil.test/"}
    page = browser.get(AUTHORIZE, client_id=rp.client_id, request=text, **outside)
    response = browser.sign_in(username, page=page)
    assert response.headers["Location"].startswith(rp.redirect_uri)
    answer = answer_of(response)
    assert "state" not in answer
    assert world.redeem(rp, answer["code"]).json["scope"] == "openid"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None}, {"iss": "crow"}, {"aud": None}, {"aud": "https://other.test"}, {"aud": []},
        {"exp": None}, {"exp": 1}, {"exp": "soon"}, {"exp": True}, {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000}, {"client_id": "crow"}, {"sub": "emi"}, {"request": "x"},
        {"request_uri": "https://evil.test/x"}, {"scope": ["openid"]}, {"state": {"a": 1}},
        {"max_age": True}, {"max_age": 1.5}, {"nonce": 5}, {"nonce": "\0"}, {"state": "\ud800"},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_n44_a_bad_claim_refuses_the_object(world: World, rp: Rp, changes: dict[str, Any]) -> None:
    """Sections 4, 6.2 and 10.8: named for the client, never followed."""
    assert refused(world, rp, signed(world, rp, **changes)) == "invalid_request_object"


def test_n44_an_object_lives_an_hour_at_most(world: World, rp: Rp) -> None:
    """One that expires later is refused; an audience among others is accepted."""
    now = int(world.clock.now().timestamp())
    assert refused(world, rp, signed(world, rp, exp=now + 3700)) == "invalid_request_object"
    both = signed(world, rp, aud=["https://other.test", world.settings.issuer])
    assert "Sign in" in ask(world, rp, both).text


def test_n44_only_the_keys_of_the_client_sign(world: World, rp: Rp) -> None:
    """Another key, a secret as key, no signature, a changed body, headers that choose a key."""
    good = signed(world, rp)
    head, body, signature = good.split(".")
    other = signed(world, rp, state="other").split(".")[1]
    none = "eyJhbGciOiJub25lIn0"
    texts = [
        signed(world, rp, key=OTHER_KEY),
        signed(world, rp, key=OctKey.generate_key(256), header={"alg": "HS256"}),
        f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{other}.{signature}",
        f"{head}.{body}", "x", good + "x",
        signed(world, rp, header={"jwk": KEY.as_dict(private=False)}),
        signed(world, rp, header={"jku": "https://evil.test/keys"}),
        signed(world, rp, key=ECKey.generate_key("P-256"), header={"kid": "a"}),
    ]  # fmt: skip
    for text in texts:
        assert refused(world, rp, text) == "invalid_request_object", text
    assert "Sign in" in ask(world, rp, good).text


def test_a_client_without_keys_has_no_request_objects(world: World) -> None:
    """OIDC Core 6.1: request_not_supported, in the mode and with the state of the object."""
    rp = world.relying_party("CROW")
    text = signed(world, rp, response_mode="form_post", state="inside")
    page = ask(world, rp, text, redirect_uri=rp.redirect_uri)
    assert page.status_code == 200
    for part in (f'action="{rp.redirect_uri}"', "request_not_supported", 'value="inside"'):
        assert part in page.text


@pytest.mark.parametrize("state", ["\ud800", "\0", "x" * 8193, 5, ["a"], None])
def test_n13_a_state_that_cannot_be_sent_back_is_left_out(world: World, state: Any) -> None:
    """Of an object that was not verified, only what could stand in the URL is used."""
    rp = world.relying_party("CROW")
    body = urlsafe_b64encode(json.dumps({"state": state}).encode()).decode().rstrip("=")
    answer = answer_of(ask(world, rp, f"e30.{body}.", redirect_uri=rp.redirect_uri))
    assert answer["error"] == "request_not_supported"
    assert "state" not in answer


@pytest.mark.parametrize("outside", [{}, {"redirect_uri": "https://evil.test/"}])
def test_an_object_that_is_not_valid_names_no_address(
    world: World, rp: Rp, outside: dict[str, str]
) -> None:
    """The redirect URI of an unverified object is not used: the person sees a page."""
    response = ask(world, rp, signed(world, rp, key=OTHER_KEY), **outside)
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_an_unregistered_address_in_the_object_is_a_page(world: World, rp: Rp) -> None:
    """RFC 6749 section 4.1.2.4: signed or not."""
    response = ask(world, rp, signed(world, rp, redirect_uri="https://evil.test/"))
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_an_object_is_no_client_assertion_and_the_reverse(world: World, rp: Rp) -> None:
    """Section 10.8: neither can be used as the other."""
    sent = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed(world, rp)}
    client = world.app.test_client(use_cookies=False)
    answer = client.post(PAR, data=rp.authorize_params() | sent, base_url=world.settings.issuer)
    assert answer.status_code == 401
    proof = assertion(rp.client_id, BY_KEY, world.clock)["client_assertion"]
    assert refused(world, rp, proof) == "invalid_request_object"


def test_a_signed_request_can_be_pushed(world: World, rp: Rp) -> None:
    """RFC 9126 section 3: validated when it is pushed; a bad one is refused there."""
    bad = world.post(rp, PAR, request=signed(world, rp, key=OTHER_KEY))
    assert (bad.status_code, bad.json["error"]) == (400, "invalid_request_object")
    answer = world.post(rp, PAR, request=signed(world, rp, state="inside"), state="outside")
    assert answer.status_code == 201
    browser, username = world.browser(), world.account()
    page = browser.get(AUTHORIZE, client_id=rp.client_id, request_uri=answer.json["request_uri"])
    assert answer_of(browser.sign_in(username, page=page))["state"] == "inside"


def test_discovery_names_the_algorithms(world: World) -> None:
    """Unsigned objects are not among them."""
    client = world.app.test_client(use_cookies=False)
    known = client.get(DISCOVERY, base_url=world.settings.issuer).json
    assert known["request_parameter_supported"] is True
    assert known["request_object_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]
