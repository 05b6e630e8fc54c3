"""Encrypted ID tokens, logout tokens and userinfo (OIDC Core 10.2, Registration 2)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from idp.clients import client_data, registry
from idp.clients.client_refusals import RegistrationInvalid, RuleFault, RuleViolated
from idp.clients.key_hosts import KeyHosts
from idp.credentials.assertions import PublicKey, client_key
from tests.oidc.test_signed_answers import read
from tests.security.test_client_registration import JWKS, registered, stored
from tests.security.test_token_tables import userinfo
from tests.world import KEY, Rp, World

LOGOUT = "/oauth2/v1/logout"
EC, RSA = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
KEYS: dict[str, ECKey | RSAKey] = {"RSA-OAEP-256": RSA, "ECDH-ES": EC, "ECDH-ES+A256KW": EC}
URI = "https://shop.test/jwks"


def jwk(key: ECKey | RSAKey = EC, **more: Any) -> dict[str, Any]:
    """A public key for encryption, as a client publishes it."""
    return {**key.as_dict(private=False), "use": "enc", "kid": "mine", **more}


def of_client(*keys: dict[str, Any]) -> tuple[PublicKey, ...]:
    return tuple(client_key(json.dumps(key)) for key in keys)


def opened(token: str, alg: str = "ECDH-ES", enc: str = "A256GCM") -> str:
    """The signed token inside, decrypted by the client."""
    found = jwe.decrypt_compact(token, KEYS[alg], algorithms=[alg, enc])
    assert found.protected["cty"] == "JWT"
    assert (found.protected["alg"], found.protected["enc"]) == (alg, enc)
    assert found.protected["kid"] == "mine"
    return (found.plaintext or b"").decode()


def encrypting(world: World, *keys: dict[str, Any], alg: str = "ECDH-ES", **changes: Any) -> Rp:
    """A client with a secret, for which ID tokens and userinfo are encrypted."""
    values = {"keys": of_client(*(keys or (jwk(KEYS[alg]),)))} if "jwks_uri" not in changes else {}
    return world.relying_party(
        **{"userinfo_alg": "ES256", "id_token_encryption_alg": alg, "userinfo_encryption_alg": alg}
        | values
        | changes
    )


@pytest.mark.parametrize("enc", ["A256GCM", "A128GCM"])
@pytest.mark.parametrize("alg", KEYS)
def test_tokens_are_signed_and_then_encrypted(world: World, alg: str, enc: str) -> None:
    """OIDC Core 10.2: a nested JWT, with the ``kid`` of the client. A refresh encrypts too."""
    rp = encrypting(world, alg=alg, id_token_encryption_enc=enc, userinfo_encryption_enc=enc)
    tokens = world.signed_in_tokens(rp, world.account())
    claims = read(world, opened(tokens["id_token"], alg, enc), "RS256", "JWT")
    assert claims["aud"] == rp.client_id
    fresh = world.refresh(rp, tokens["refresh_token"]).json or {}
    assert read(world, opened(fresh["id_token"], alg, enc), "RS256", "JWT")["sub"] == claims["sub"]
    answer = userinfo(world, fresh["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    told = read(world, opened(answer.text, alg, enc), "ES256", "userinfo+jwt")
    assert (told["sub"], told["aud"]) == (claims["sub"], rp.client_id)


def test_each_answer_has_its_own_algorithm(world: World) -> None:
    """Registration 2: a client can have one of the two, of several keys the one whose ``alg`` is
    right."""
    keys = (jwk(alg="ECDH-ES", kid="other"), jwk(RSA), jwk(alg="ECDH-ES+A256KW"))
    rp = encrypting(world, *keys, id_token_encryption_alg="ECDH-ES+A256KW",
                    userinfo_encryption_alg="")  # fmt: skip
    tokens = world.signed_in_tokens(rp, world.account())
    opened(tokens["id_token"], "ECDH-ES+A256KW")
    read(world, userinfo(world, tokens["access_token"]).text, "ES256", "userinfo+jwt")


def test_n57_the_logout_token_is_encrypted_as_the_id_token_is(world: World) -> None:
    """Back-Channel Logout 1.0 section 2.4. The hint is the signed token inside."""
    rp = encrypting(world, backchannel_logout_uri="https://emi.rp.test/logout")
    browser, username = world.browser(), world.account()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    refused = browser.get(LOGOUT, id_token_hint=tokens["id_token"])
    assert "/oauth2/v1/logout/confirm" in refused.text
    browser.get(LOGOUT, id_token_hint=opened(tokens["id_token"]))
    world.run_worker()
    ((uri, token),) = world.logouts.sent
    assert uri == "https://emi.rp.test/logout"
    assert read(world, opened(token), "RS256", "logout+jwt")["aud"] == rp.client_id


def test_n44_the_key_for_encryption_verifies_nothing(world: World) -> None:
    """RFC 7517 section 4.2: an assertion of the same key is accepted if it is there to sign."""
    other = jwk(KEY)
    rp = world.relying_party(
        auth_method="private_key_jwt", keys=of_client(other, EC.as_dict(private=False))
    )
    assert world.post(rp, grant_type="authorization_code", code="x").status_code == 401
    with world.work() as work:
        row = registry.get(work, rp.client_id)
        row.keys = [*of_client(KEY.as_dict(private=False))]
    assert world.post(rp, grant_type="authorization_code", code="x").status_code == 400


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"keys": ()}, RuleFault.ENCRYPTION_KEY),
        ({"keys": of_client(jwk(RSA))}, RuleFault.ENCRYPTION_KEY),
        ({"keys": of_client(jwk(alg="ECDH-ES+A256KW"))}, RuleFault.ENCRYPTION_KEY),
        ({"userinfo_encryption_alg": "RSA-OAEP-256"}, RuleFault.ENCRYPTION_KEY),
        ({"userinfo_alg": ""}, RuleFault.ENCRYPTION_UNSIGNED),
    ],
)
def test_a_registration_without_a_usable_key_is_refused(
    world: World, changes: dict[str, Any], fault: RuleFault
) -> None:
    """And one whose userinfo nobody signs: everybody could encrypt it."""
    rp = encrypting(world)
    with world.work() as work:
        row = registry.get(work, rp.client_id)
        data = replace(client_data.current_data(row), **changes)
        with pytest.raises(RegistrationInvalid) as refused:
            registry.update(work, row, data)
    assert [one.fault for one in refused.value.faults if isinstance(one, RuleViolated)] == [fault]


@pytest.mark.parametrize("name", ["id_token_encryption_alg", "userinfo_encryption_alg"])
@pytest.mark.parametrize("alg", ["RSA1_5", "RSA-OAEP", "dir", "none"])
def test_other_algorithms_are_refused(world: World, name: str, alg: str) -> None:
    """RSA1_5 has known attacks (RFC 8725 section 3.2)."""
    with pytest.raises(RegistrationInvalid, match=name):
        encrypting(world, **{"keys": of_client(jwk()), name: alg})


class Source:
    """What a client publishes."""

    keys: tuple[dict[str, Any], ...] = ()

    def read(self, _uri: str) -> bytes:
        return json.dumps({"keys": self.keys}).encode()


def test_keys_come_from_the_address_of_the_client(world: World) -> None:
    """OIDC Core 10.2. Without a usable key there is an error, never a token that is not encrypted,
    and the refresh token can still be used. The gateway looks again after a minute."""
    source = Source()
    runtime = world.app.extensions["runtime"]
    ports = replace(runtime.ports, key_hosts=KeyHosts(source.read))
    world.app.extensions["runtime"] = replace(runtime, ports=ports)
    rp, browser = encrypting(world, jwks_uri=URI), world.browser()
    source.keys = ({**EC.as_dict(private=False)}, jwk(RSA))
    username = world.account()
    refused = world.redeem(rp, browser.code(rp, username))
    assert refused.status_code == 400
    assert (refused.json or {}) == {
        "error": "invalid_request",
        "error_description": (
            "The gateway has no key of this client for encryption. Check its jwks_uri."
        ),
    }
    source.keys = (jwk(),)
    world.clock.advance(60)
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    opened(tokens["id_token"])
    opened(userinfo(world, tokens["access_token"]).text)
    world.clock.advance(590)
    tokens = world.refresh(rp, tokens["refresh_token"]).json or {}
    source.keys = ()
    world.clock.advance(20)
    answer = userinfo(world, tokens["access_token"])
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid_request")
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
    refused = world.refresh(rp, tokens["refresh_token"])
    assert (refused.status_code, (refused.json or {})["error"]) == (400, "invalid_request")
    source.keys = (jwk(),)
    world.clock.advance(60)
    fresh = world.refresh(rp, tokens["refresh_token"])
    opened((fresh.json or {})["id_token"])


def test_without_a_key_no_code_is_spent(world: World) -> None:
    """The client repairs its keys and sends its request again."""
    rp = encrypting(world)
    code = world.browser().code(rp, world.account())
    for keys, status in (((jwk(RSA),), 400), ((jwk(),), 200), ((jwk(),), 400)):
        with world.work() as work:
            registry.get(work, rp.client_id).keys = [*of_client(*keys)]
        answer = world.redeem(rp, code)
        assert answer.status_code == status
    assert (answer.json or {})["error"] == "invalid_grant"
    assert [event.reason for event in world.events("token.refused")] == [
        "invalid_request",
        "invalid_grant",
    ]


def test_an_application_registers_its_encryption(world: World) -> None:
    """Registration 2. A client with a secret keeps the keys for encryption only. The default of
    the content is one that the gateway has (RFC 7591 section 3.2.1)."""
    keys = {"keys": [*JWKS["jwks"]["keys"], jwk(), jwk(use="enc", crv="P-384")]}
    asked = {"id_token_encrypted_response_alg": "ECDH-ES", "jwks": keys}
    known = registered(world, **asked)
    assert known["id_token_encrypted_response_enc"] == "A256GCM"
    assert known["jwks"] == {"keys": [jwk()]}
    assert stored(world, known)["id_token_encryption_alg"] == "ECDH-ES"
    assert "userinfo_encrypted_response_enc" not in known
    plain = registered(world, jwks=keys)
    assert not {"jwks", "id_token_encrypted_response_enc"} & set(plain)
