"""N38 to N46: tokens as input. Only a token that the gateway signed for this use is accepted."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.oidc.jwks import MAX_TOKEN
from tests.world import Rp, World

Forge = Callable[[World, str], str]


def encode(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header_of(token: str) -> dict[str, Any]:
    return dict(decode(token.split(".")[0]))


def claims_of(token: str) -> dict[str, Any]:
    return dict(decode(token.split(".")[1]))


def with_header(**changes: Any) -> Forge:
    """The same token with another header and its original signature."""

    def forge(_world: World, token: str) -> str:
        _, body, signature = token.split(".")
        header = {k: v for k, v in (header_of(token) | changes).items() if v is not None}
        return f"{encode(header)}.{body}.{signature}"

    return forge


def resigned(key: Any, alg: str, **claims: Any) -> Forge:
    """The same claims signed with another key."""

    def forge(_world: World, token: str) -> str:
        header = header_of(token) | {"alg": alg}
        return jwt.encode(header, claims_of(token) | claims, key, algorithms=[alg])

    return forge


def unsigned(alg: str) -> Forge:
    return lambda _w, t: f"{encode(header_of(t) | {'alg': alg})}.{t.split('.')[1]}."


def with_public_key(form: str) -> Forge:
    """N42: HMAC with the public key as secret."""

    def forge(world: World, token: str) -> str:
        keys = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer).json
        public = next(k for k in (keys or {})["keys"] if k["kid"] == header_of(token)["kid"])
        key = ECKey.import_key(public)
        raw = json.dumps(public).encode() if form == "jwk" else key.as_pem(private=False)
        signed = f"{encode(header_of(token) | {'alg': 'HS256'})}.{token.split('.')[1]}"
        return f"{signed}.{encode(hmac.digest(raw, signed.encode(), 'sha256'))}"

    return forge


OTHER = ECKey.generate_key("P-256", private=True)
FORGERIES: dict[str, Forge] = {
    "n39 truncated": lambda _w, t: t[:-1],
    "n39 longer": lambda _w, t: t + "x",
    "n39 case": lambda _w, t: t.swapcase(),
    "n41 none": unsigned("none"),
    "n41 None": unsigned("None"),
    "n41 nOnE": unsigned("nOnE"),
    "n41 stripped": lambda _w, t: t.rsplit(".", 1)[0] + ".",
    "n41 two parts": lambda _w, t: t.rsplit(".", 1)[0],
    "n42 public PEM": with_public_key("pem"),
    "n42 public JWK": with_public_key("jwk"),
    "n43 short HMAC key": resigned(OctKey.import_key("x" * 16), "HS256"),
    "n44 other key": resigned(OTHER, "ES256"),
    "n44 other algorithm": resigned(RSAKey.generate_key(2048, private=True), "RS256"),
    "n44 jwk": with_header(jwk=OTHER.as_dict(private=False)),
    "n44 jku": with_header(jku="http://127.0.0.1:9/keys"),
    "n44 x5u": with_header(x5u="http://127.0.0.1:9/cert"),
    "n44 x5c": with_header(x5c=["MIIB"]),
    "n44 path kid": with_header(kid="../../dev/null"),
    "n44 sql kid": with_header(kid="' OR 1=1 --"),
    "n44 number kid": with_header(kid=1),
    "n44 no kid": with_header(kid=None),
    "n44 crit": with_header(crit=["exp"]),
    "n44 b64": with_header(b64=False, crit=["b64"]),
    "n45 typ": with_header(typ="JWT"),
    "n45 no typ": with_header(typ=None),
    "n45 typ of logout": with_header(typ="logout+jwt"),
    "n46 huge header": with_header(kid="k" * 1_000_000),
    "n46 nested": lambda _w, t: f"{encode(b'[' * 10_000)}.{t.split('.')[1]}.x",
    "n46 deep body": lambda _w, t: f"{t.split('.')[0]}.{encode(b'{' * 9_000)}.x",
    "n46 encrypted form": lambda _w, t: f"{t}.a.b",
    "empty": lambda _w, _t: "",
    "null": lambda _w, _t: "null",
    "dots": lambda _w, _t: "..",
    "unicode": lambda _w, _t: "tök\u00e9n",
}


def userinfo(world: World, token: str) -> TestResponse:
    return world.app.test_client().get(
        "/oauth2/v1/userinfo",
        headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")},
        base_url=world.settings.issuer,
    )


@pytest.mark.parametrize("name", FORGERIES)
def test_n39_to_n46_a_token_that_is_not_ours_is_dead(world: World, name: str) -> None:
    """Userinfo refuses it, introspection says inactive, and revocation ignores it. All are fast."""
    rp, username = world.relying_party(), world.account()
    good = str(world.signed_in_tokens(rp, username)["access_token"])
    token = FORGERIES[name](world, good)
    start = time.process_time()
    response = userinfo(world, token)
    assert response.status_code == 401
    if token.strip():
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    introspected = world.post(rp, "/oauth2/v1/introspect", token=token)
    if not token:
        # An empty parameter counts as omitted (RFC 6749 section 3.2).
        assert introspected.json == {"error": "invalid_request"}
    elif len(token) <= MAX_TOKEN:
        assert introspected.json == {"active": False}
    else:
        assert introspected.status_code in (400, 413)
    world.post(rp, "/oauth2/v1/revoke", token=token)
    # A bomb takes minutes; a collector of garbage at the wrong moment takes a second or two.
    assert time.process_time() - start < 10
    assert userinfo(world, good).status_code == 200


@pytest.mark.parametrize("which", ["id_token", "refresh_token"])
def test_n45_another_token_is_no_access_token(world: World, which: str) -> None:
    """N45: an ID token or a refresh token is not accepted."""
    tokens = world.signed_in_tokens(world.relying_party(), world.account())
    assert userinfo(world, str(tokens[which])).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://other.test"}, {"iss": None}, {"jti": None}, {"jti": 7}, {"jti": "unknown"}],
)
def test_n45_a_correct_signature_on_another_kind_of_token_is_not_enough(
    world: World, claims: dict[str, Any]
) -> None:
    """N45: the issuer must match, and no token is valid without its record (I2)."""
    rp, username = world.relying_party(), world.account()
    good = claims_of(world.signed_in_tokens(rp, username)["access_token"])
    with world.work() as work:
        ring = world.app.extensions["oidc"].ring
        token = ring.sign(work, "ES256", "at+jwt", good | claims)
    assert userinfo(world, token).status_code == 401


def test_n40_a_token_in_the_query_is_refused(world: World) -> None:
    """N40: also with a valid header."""
    token = world.signed_in_tokens(world.relying_party(), world.account())["access_token"]
    client = world.app.test_client()
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        response = client.get(
            f"/oauth2/v1/userinfo?access_token={token}",
            headers=headers,
            base_url=world.settings.issuer,
        )
        assert response.status_code == 400
        assert (response.json or {})["error"] == "invalid_request"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic x", "DPoP", "DPoP ", "bearer", ""])
def test_n80_a_missing_or_empty_token_is_refused(world: World, header: str) -> None:
    """N80, RFC 6750 section 3.1: 401 with the scheme and no error code."""
    response = world.app.test_client().get(
        "/oauth2/v1/userinfo", headers={"Authorization": header}, base_url=world.settings.issuer
    )
    assert response.status_code == 401
    assert "error=" not in response.headers["WWW-Authenticate"]


def test_userinfo_takes_the_token_in_three_ways_but_only_one_at_a_time(world: World) -> None:
    """OIDC Core 5.3.1, RFC 6750 section 2."""
    rp, username = world.relying_party(), world.account()
    token = world.signed_in_tokens(rp, username)["access_token"]
    client, base = world.app.test_client(), world.settings.issuer
    header = {"Authorization": f"bearer {token}"}
    answers = [
        client.get("/oauth2/v1/userinfo", headers=header, base_url=base),
        client.post("/oauth2/v1/userinfo", headers=header, base_url=base),
        client.post("/oauth2/v1/userinfo", data={"access_token": token}, base_url=base),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json == answers[1].json == answers[2].json
    both = client.post(
        "/oauth2/v1/userinfo", data={"access_token": token}, headers=header, base_url=base
    )
    assert both.status_code == 400


@pytest.mark.parametrize("path", ["/oauth2/v1/introspect", "/oauth2/v1/revoke"])
def test_n38_introspection_needs_client_authentication(world: World, path: str) -> None:
    """N38: 401, also for a public client at introspection."""
    rp, username = world.relying_party(), world.account()
    token = str(world.signed_in_tokens(rp, username)["access_token"])
    client = world.app.test_client()
    response = client.post(path, data={"token": token}, base_url=world.settings.issuer)
    assert response.status_code == 401
    assert userinfo(world, token).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_n38_another_clients_token_is_inactive_and_cannot_be_revoked(
    world: World, which: str
) -> None:
    """N38: the same answer as for an unknown token, and no effect."""
    emi, crow, username = world.relying_party("EMI"), world.relying_party("CROW"), world.account()
    tokens = world.signed_in_tokens(emi, username)
    assert world.introspect(crow, tokens[which]) == {"active": False}
    assert world.post(crow, "/oauth2/v1/revoke", token=tokens[which]).status_code == 200
    assert world.introspect(emi, tokens[which])["active"] is True


def test_a_resource_server_sees_tokens_meant_for_it(world: World) -> None:
    """RFC 7662: a resource server may introspect tokens with its audience and no others."""
    emi = world.relying_party("EMI", audience="https://api.test")
    crow, username = world.relying_party("CROW"), world.account()
    api = world.relying_party(
        "API", audience="https://api.test", is_resource_server=True, grant_types=(),
        redirect_uris=(),
    )  # fmt: skip
    mine, theirs = (world.signed_in_tokens(rp, username)["access_token"] for rp in (emi, crow))
    found = world.introspect(api, mine)
    assert (found["active"], found["aud"], found["client_id"]) == (True, "https://api.test", "emi")
    assert world.introspect(api, theirs) == {"active": False}


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revocation_ends_the_named_token(world: World, which: str) -> None:
    """RFC 7009: an access token alone, or a refresh token with its family."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    assert world.post(rp, "/oauth2/v1/revoke", token=tokens[which]).status_code == 200
    assert world.introspect(rp, tokens["access_token"]) == {"active": False}
    family = world.introspect(rp, tokens["refresh_token"])["active"]
    assert family is (which == "access_token")


@pytest.mark.parametrize("form", ["jwt", "opaque"])
def test_both_forms_of_access_token_behave_alike(world: World, form: str) -> None:
    """A client may have opaque ones. Both formats expire."""
    rp: Rp = world.relying_party(access_token_format=form)
    username = world.account()
    token = str(world.signed_in_tokens(rp, username)["access_token"])
    assert (token.count(".") == 2) is (form == "jwt")
    assert userinfo(world, token).json is not None
    assert world.introspect(rp, token)["username"] == username
    world.clock.advance(world.settings.access_token_ttl)
    assert userinfo(world, token).status_code == 401
    assert world.introspect(rp, token) == {"active": False}


def test_tokens_have_the_claims_of_the_standards(world: World) -> None:
    """RFC 9068 section 2, OIDC Core sections 2 and 3.1.3.6. Every token has a ``jti``."""
    import hashlib

    rp, username = world.relying_party(id_token_alg="ES256"), world.account()
    tokens = world.signed_in_tokens(rp, username)
    access, ident = tokens["access_token"], tokens["id_token"]
    assert header_of(access)["typ"] == "at+jwt"
    assert header_of(ident)["alg"] == "ES256"
    a, i = claims_of(access), claims_of(ident)
    assert a["aud"] == world.settings.issuer
    assert a["client_id"] == i["aud"] == rp.client_id
    assert a["sub"] == i["sub"] != username
    assert a["exp"] - a["iat"] == world.settings.access_token_ttl
    assert i["exp"] - i["iat"] == world.settings.id_token_ttl
    assert i["nonce"] == "nonce-1"
    assert i["sid"]
    assert a["jti"] != i["jti"]
    half = hashlib.sha256(access.encode()).digest()[:16]
    assert i["at_hash"] == urlsafe_b64encode(half).decode().rstrip("=")


def test_a_disabled_client_has_no_tokens_any_more(world: World) -> None:
    """N18, N58 for clients: at once, also at userinfo."""
    rp, username = world.relying_party(), world.account()
    token = str(world.signed_in_tokens(rp, username)["access_token"])
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    assert userinfo(world, token).status_code == 401
