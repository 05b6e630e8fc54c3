"""Applications register themselves (RFC 7591), and manage their registration (RFC 7592): with which
tokens, what they can register, and what they never get."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from idp.clients import client_data, initial_tokens, registry
from idp.clients.registration_refusals import InitialTokenNotFound
from idp.maintenance import restoration
from idp.models import Client
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.shell import Run, good
from tests.world import BY_KEY, KEY, Rp, World, answer_of

TOKENS = "/console/initial-tokens"
FORM = {"name": "Northern Lakes", "uses": "5", "days": "3"}
REGISTER = "/oauth2/v1/register"
CALLBACK = "https://shop.test/callback"
METADATA = {"client_name": "Shop", "redirect_uris": [CALLBACK]}
#: Of the response, besides what is registered.
CREDENTIALS = {
    "client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at",
    "registration_access_token", "registration_client_uri",
}  # fmt: skip


def issued(world: World, **changes: Any) -> str:
    """An initial access token."""
    with world.work() as work:
        values = {"name": "Northern Lakes", "uses": 50, "days": 7} | changes
        return initial_tokens.issue(work, **values)[1]


def send(
    world: World, method: str, path: str, token: str | None, body: Any = None, **more: Any
) -> TestResponse:
    """A request of an application."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    sent = {} if body is None else {"json": body}
    client = world.app.test_client(use_cookies=False)
    base = world.settings.issuer
    return client.open(path, method=method, headers=headers, base_url=base, **{**sent, **more})


def register(world: World, token: str | None, **metadata: Any) -> TestResponse:
    return send(world, "POST", REGISTER, token, METADATA | metadata)


def registered(world: World, **metadata: Any) -> dict[str, Any]:
    """The response to a registration."""
    answer = register(world, issued(world), **metadata)
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def manage(world: World, method: str, known: dict[str, Any], body: Any = None) -> TestResponse:
    """A request to the client configuration endpoint."""
    path = known["registration_client_uri"].removeprefix(world.settings.issuer)
    return send(world, method, path, known["registration_access_token"], body)


def stored(world: World, known: dict[str, Any]) -> dict[str, Any]:
    with world.work() as work:
        return client_data.describe(registry.get(work, known["client_id"]))


def relying_party(world: World, known: dict[str, Any]) -> Rp:
    method = known["token_endpoint_auth_method"]
    secret = known.get("client_secret", BY_KEY)
    return Rp(known["client_id"], secret, CALLBACK, method, world.clock)


def test_an_application_registers_itself_and_signs_people_in_after_consent(world: World) -> None:
    """RFC 7591 section 3.2.1: all that is registered is told back. Nobody made it first-party, so
    the person is asked."""
    known = registered(world)
    assert known == {
        "client_id": known["client_id"],
        "client_id_issued_at": int(world.clock.now().timestamp()),
        "client_secret": known["client_secret"],
        "client_secret_expires_at": 0,
        "registration_access_token": known["registration_access_token"],
        "registration_client_uri": f"{world.settings.issuer}{REGISTER}/{known['client_id']}",
        "client_name": "Shop",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": "openid profile email groups participants",
        "id_token_signed_response_alg": "RS256",
        "authorization_signed_response_alg": "RS256",
        "introspection_signed_response_alg": "RS256",
        "frontchannel_logout_session_required": False,
        "require_pushed_authorization_requests": False,
        "dpop_bound_access_tokens": False,
        "fapi2_security_profile": False,
        "tls_client_certificate_bound_access_tokens": False,
        "subject_type": "public",
    }
    rp, username, browser = relying_party(world, known), world.account(), world.browser()
    page = browser.authorize(rp, scope="openid groups")
    page = browser.sign_in(username, page=page)
    assert "Shop" in page.text
    assert page.status_code == 200
    answer = browser.submit(page, "/signin/consent", decision="allow")
    tokens = world.redeem(rp, answer_of(answer)["code"])
    assert tokens.status_code == 200, tokens.text
    assert world.browser().get("/").status_code == 200
    (created,) = world.events("client.created")
    (used,) = world.events("initial_token.used")
    assert (used.client_id, used.data["label"], used.data["uses"]) == (
        known["client_id"],
        "Northern Lakes",
        1,
    )
    trail = json.dumps([created.data, used.data, world.events("initial_token.issued")[0].data])
    for name in ("client_secret", "registration_access_token"):
        assert known[name] not in trail


@pytest.mark.parametrize(
    ("metadata", "method"),
    [
        ({"token_endpoint_auth_method": "client_secret_post"}, "client_secret_post"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "client_secret_jwt"),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_signing_alg": "ES256",
                "jwks": {"keys": [KEY.as_dict(private=False) | {"use": "sig", "kid": "mine"}]},
            },
            "private_key_jwt",
        ),
        (
            {
                "token_endpoint_auth_method": "none",
                "redirect_uris": [CALLBACK, "http://127.0.0.1/callback"],
                "application_type": "native",
            },
            "none",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_authentication_method_can_be_registered_and_works(
    world: World, metadata: dict[str, Any], method: str
) -> None:
    """OIDC Registration section 2. Only a client with a secret gets one."""
    known = registered(
        world, **metadata, grant_types=["authorization_code", "refresh_token"], scope="openid"
    )
    assert known["token_endpoint_auth_method"] == method
    assert ("client_secret" in known) is method.startswith("client_secret")
    assert ("client_secret_expires_at" in known) is method.startswith("client_secret")
    assert ("jwks" in known) is (method == "private_key_jwt")
    rp, browser = relying_party(world, known), world.browser()
    page = browser.sign_in(world.account(), page=browser.authorize(rp, scope="openid"))
    answer = browser.submit(page, "/signin/consent", decision="allow")
    assert world.redeem(rp, answer_of(answer)["code"]).status_code == 200


def test_metadata_are_read_and_told_back(world: World) -> None:
    """Each supported member; unknown members and keys that are not used are ignored (RFC 7591
    section 2)."""
    sent = {
        "client_name": "Market shop",
        "client_name#fr": "Boutique du marché",
        "redirect_uris": [CALLBACK, "https://shop.test/other"],
        "post_logout_redirect_uris": ["https://shop.test/bye"],
        "backchannel_logout_uri": "https://shop.test/logout",
        "frontchannel_logout_uri": "https://shop.test/front",
        "frontchannel_logout_session_required": True,
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid offline_access",
        "id_token_signed_response_alg": "ES256",
        "authorization_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "ES256",
        "introspection_signed_response_alg": "ES256",
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
        "fapi2_security_profile": False,
        "tls_client_certificate_bound_access_tokens": False,
        "backchannel_logout_session_required": True,
        "subject_type": "public",
    }
    ignored = {
        "logo_uri": "https://evil.test/logo.png", "contacts": ["a@shop.test"], "x": {"y": [1]},
        "jwks": {"keys": [KEY.as_dict(private=False)]}, "client_id": "mine",
        "jwks_uri": "https://shop.test/jwks",
        "client_secret": "mine", "request_uris": ["https://shop.test/r"],
        "require_signed_request_object": False, "client_uri": None,
    }  # fmt: skip
    known = registered(world, **sent, **ignored)
    assert {name: known[name] for name in known.keys() - CREDENTIALS} == sent
    assert known["client_id"] != "mine"
    assert stored(world, known)["name_fr"] == "Boutique du marché"


@pytest.mark.parametrize(
    "asked",
    [
        {"trusted": True},
        {"require_pkce": False},
        {"is_resource_server": True, "audience": "https://prices.example"},
        {"role_groups": ["Administrator"], "home_url": "https://shop.test/", "logo": "x"},
        {"account_kinds": ["email"], "push_operations": ["create"], "minimum_acr": "phr"},
    ],
    ids=lambda asked: "-".join(asked),
)
def test_n18_no_application_registers_rights_for_itself(
    world: World, asked: dict[str, Any]
) -> None:
    """What only operators decide has no member: the names of fields are unknown members."""
    usual = stored(world, registered(world))
    found = stored(world, registered(world, **asked))
    assert found | {"client_id": ""} == usual | {"client_id": ""}
    assert not found["trusted"]
    assert found["require_pkce"]


BY_KEYS = {"token_endpoint_auth_method": "private_key_jwt"}
JWKS = {"jwks": {"keys": [KEY.as_dict(private=False)]}}
BAD, BAD_URI = "invalid_client_metadata", "invalid_redirect_uri"
RSA_SHORT = {"kty": "RSA", "n": "AQAB", "e": "AQAB"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"scope": "openid scim"}, BAD, "scope are among openid"),
    ({"scope": "prices"}, BAD, "scope are among"),
    ({"scope": ["openid"]}, BAD, "scope is not a string"),
    ({"scope": "openid offline_access"}, BAD, "never get the scope"),
    ({"grant_types": ["client_credentials"]}, BAD, "grant_types are among"),
    ({"grant_types": ["implicit"]}, BAD, "grant_types are among"),
    ({"grant_types": ["password"]}, BAD, "grant_types are among"),
    ({"grant_types": ["refresh_token"]}, BAD, "needs authorization_code"),
    ({"grant_types": []}, BAD, "grant_types is empty"),
    ({"grant_types": "authorization_code"}, BAD, "not an array"),
    ({"response_types": ["token"]}, BAD, "response_types are among code"),
    ({"response_types": ["code id_token"]}, BAD, "response_types are among"),
    ({"subject_type": "pairwise"}, BAD, "subject_type is one of public"),
    ({"application_type": "tv"}, BAD, "application_type is one of"),
    ({"token_endpoint_auth_method": "client_secret"}, BAD, "is one of"),
    ({"token_endpoint_auth_method": "tls_client_auth"}, BAD, "no such certificates"),
    ({"tls_client_auth_san_dns": 1}, BAD, "tls_client_auth_san_dns is not a string"),
    (
        {"tls_client_auth_san_dns": "a.test", "tls_client_auth_san_uri": "https://a.test"},
        BAD,
        "another one of its kind",
    ),
    ({"token_endpoint_auth_method": 1}, BAD, "is not a string"),
    ({"token_endpoint_auth_signing_alg": "none"}, BAD, "is one of ES256"),
    ({"request_object_signing_alg": "HS256"}, BAD, "is one of ES256"),
    ({"id_token_signed_response_alg": "none"}, BAD, "is one of RS256"),
    ({"id_token_signed_response_alg": "HS256"}, BAD, "is one of RS256"),
    ({"authorization_signed_response_alg": "none"}, BAD, "is one of RS256"),
    ({"id_token_encrypted_response_alg": "RSA1_5"}, BAD, "is one of RSA-OAEP-256"),
    ({"id_token_encrypted_response_enc": "A128CBC-HS256"}, BAD, "is one of A256GCM"),
    ({"id_token_encrypted_response_alg": "ECDH-ES"}, BAD, "needs a key of its algorithm"),
    (JWKS | {"id_token_encrypted_response_alg": "ECDH-ES"}, BAD, "needs a key of its algorithm"),
    ({"userinfo_signed_response_alg": "none"}, BAD, "is one of RS256"),
    ({"userinfo_encrypted_response_alg": "RSA-OAEP"}, BAD, "is one of RSA-OAEP-256"),
    ({"userinfo_encrypted_response_enc": "none"}, BAD, "is one of A256GCM"),
    ({"userinfo_encrypted_response_alg": "RSA-OAEP-256"}, BAD, "must be signed too"),
    ({"introspection_signed_response_alg": "HS256"}, BAD, "is one of RS256"),
    ({"default_max_age": 60}, BAD, "default_max_age is not supported"),
    ({"require_signed_request_object": True}, BAD, "is not supported"),
    (BY_KEYS | {"jwks_uri": "http://shop.test/jwks"}, BAD, "must use https"),
    (BY_KEYS | {"jwks_uri": "https://10.0.0.1/jwks"}, BAD, "jwks_uri"),
    (BY_KEYS | JWKS | {"jwks_uri": "https://shop.test/jwks"}, BAD, "cannot both be set"),
    ({"sector_identifier_uri": "https://shop.test/s"}, BAD, "not supported"),
    ({"tls_client_certificate_bound_access_tokens": True}, BAD, "no such certificates"),
    ({"require_pushed_authorization_requests": "yes"}, BAD, "true or false"),
    ({"client_name": ["Shop"]}, BAD, "client_name is not a string"),
    ({"client_name": "S\u202eh"}, BAD, "printable characters"),
    ({"client_name": "S\0h"}, BAD, "printable characters"),
    ({"client_name": "x" * 201}, BAD, "printable characters"),
    ({"backchannel_logout_uri": "http://shop.test/"}, BAD, "must use https"),
    ({"frontchannel_logout_uri": "https://other.test/"}, BAD, "host and port of a redirect URI"),
    ({"post_logout_redirect_uris": ["/bye"]}, BAD, "must use https"),
    (BY_KEYS, BAD, "need 1 to"),
    ({"jwks": "keys"}, BAD, "jwks is not a JSON Web Key Set"),
    ({"jwks": {"keys": ["x"]}}, BAD, "jwks is not a JSON Web Key Set"),
    ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, BAD, ""),
    ({"jwks": {"keys": [KEY.as_dict(private=True)]}}, BAD, "private"),
    ({"jwks": {"keys": [RSA_SHORT]}}, BAD, "2048"),
    (
        {"jwks": {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]}},
        BAD,
        "P-256",
    ),
    ({"software_statement": "e30.e30."}, "unapproved_software_statement", "software_statement"),
    ({"redirect_uris": None}, BAD_URI, "needs a redirect URI"),
    ({"redirect_uris": []}, BAD_URI, "needs a redirect URI"),
    ({"redirect_uris": CALLBACK}, BAD_URI, "not an array of strings"),
    ({"redirect_uris": [1]}, BAD_URI, "not an array of strings"),
    ({"redirect_uris": ["http://shop.test/"]}, BAD_URI, "must use https"),
    ({"redirect_uris": [f"{CALLBACK}#x"]}, BAD_URI, "must not have a fragment"),
    ({"redirect_uris": ["https://*.test/"]}, BAD_URI, "not allowed"),
    ({"redirect_uris": ["https://shop.test/\0"]}, BAD_URI, "not allowed"),
    ({"redirect_uris": ["https://sh\ud800p.test/"]}, BAD_URI, "not allowed"),
    ({"redirect_uris": ["javascript:alert(1)"]}, BAD_URI, "must use https"),
    ({"redirect_uris": ["http://127.0.0.1/"]}, BAD_URI, "must use https"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_n31_n32_what_cannot_be_registered_is_refused_by_its_name(
    world: World, number: int
) -> None:
    """RFC 7591 section 3.2.2: 400, nothing is registered, and the token can be used again."""
    metadata, error, text = REFUSED[number]
    token = issued(world, uses=1)
    answer = register(world, token, **metadata)
    assert (answer.status_code, answer.json["error"]) == (400, error), answer.text
    assert text in answer.json["error_description"]
    assert answer.json["error_description"].isascii()
    assert answer.headers["Cache-Control"] == "no-store"
    assert world.events("client.created") == []
    assert world.events("client.registration_refused")[-1].reason == error
    assert register(world, token).status_code == 201


def test_every_fault_is_found_at_once(world: World) -> None:
    """The description has all of them."""
    answer = register(world, issued(world), default_max_age=1, subject_type="pairwise")
    assert "default_max_age" in answer.json["error_description"]
    assert "subject_type" in answer.json["error_description"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"", "content_type": "application/json"}, 400),
        ({"data": b"[]", "content_type": "application/json"}, 400),
        ({"data": b"\xff{}", "content_type": "application/json"}, 400),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400),
        ({"data": b'{"scope": "", "scope": ""}', "content_type": "application/json"}, 400),
        ({"data": json.dumps(METADATA), "content_type": "text/plain"}, 415),
        ({"data": {"client_name": "Shop"}}, 415),
        ({"data": b"x" * 1_000_000, "content_type": "application/json"}, 413),
    ],
    ids=["cut", "empty", "array", "bytes", "deep", "repeated", "text", "form", "large"],
)
def test_n36_n46_a_body_that_is_no_metadata_is_refused(
    world: World, sent: dict[str, Any], status: int
) -> None:
    """RFC 7591 section 3.1: a JSON object, whose members are unique."""
    answer = send(world, "POST", REGISTER, issued(world), **sent)
    assert answer.status_code == status
    assert world.events("client.created") == []


def test_n36_other_methods_are_refused(world: World) -> None:
    """405 with the methods that there are."""
    known = registered(world)
    for method in ("GET", "PUT", "DELETE"):
        assert send(world, method, REGISTER, issued(world)).status_code == 405
    for method in ("POST", "PATCH"):
        assert manage(world, method, known, METADATA).status_code == 405


def test_n38_nothing_registers_by_default(world: World) -> None:
    """Without an initial access token, and with one that nobody issued: 401 (RFC 6750 section
    3)."""
    bare = register(world, None)
    assert bare.status_code == 401
    assert bare.headers["WWW-Authenticate"] == f'Bearer realm="{world.settings.issuer}"'
    assert send(world, "POST", REGISTER, None, data=b"x").status_code == 401
    known = registered(world)
    for token in ("", "x", "x" * 3000, known["registration_access_token"], "é"):
        answer = register(world, token)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert answer.headers["Cache-Control"] == "no-store"
    assert len(world.events("client.created")) == 1


def test_n40_a_token_elsewhere_than_in_the_header_does_not_count(world: World) -> None:
    """RFC 6750 sections 2.2 and 2.3, RFC 9700: neither in the query nor in the body."""
    token = issued(world)
    path = f"{REGISTER}?access_token={token}"
    assert send(world, "POST", path, None, METADATA).status_code == 401
    inside = METADATA | {"access_token": token}
    assert send(world, "POST", REGISTER, None, inside).status_code == 401
    answer = world.app.test_client().post(
        REGISTER, json=METADATA, headers={"Authorization": f"Basic {token}"},
        base_url=world.settings.issuer,
    )  # fmt: skip
    assert answer.status_code == 401


@pytest.mark.parametrize("end", ["used", "expired", "revoked", "restored"])
def test_n38_an_initial_access_token_ends(world: World, end: str) -> None:
    """Its registrations are used up, its days are over, it was revoked, or a backup was restored.
    What it registered stays."""
    token = issued(world, uses=2, days=3)
    known = register(world, token).json or {}
    if end == "used":
        assert register(world, token).status_code == 201
    elif end == "expired":
        world.clock.advance(days=3)
    else:
        with world.work() as work:
            if end == "restored":
                assert restoration.complete(work, why="test").ended["initial_access_tokens"] == 1
            else:
                (row,) = initial_tokens.list_usable(work)
                initial_tokens.revoke(work, row.public_id)
    answer = register(world, token)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    with world.work() as work:
        assert initial_tokens.list_usable(work) == []
        with pytest.raises(InitialTokenNotFound):
            initial_tokens.revoke(work, "none")
    assert manage(world, "GET", known).status_code == 200


def test_n38_of_eight_at_once_as_many_register_as_the_token_allows(world: World) -> None:
    """Exactly two, and eight tries."""
    token = issued(world, uses=2)
    barrier, answers = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        answers.append(register(world, token).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] * 2 + [401] * 6
    assert len(world.events("client.created")) == 2


def test_an_initial_access_token_can_waive_pkce_for_confidential_clients(world: World) -> None:
    """As operators can (legacy software, the Dynamic OP plan); never for public clients."""
    token = issued(world, require_pkce=False)
    known = register(world, token).json or {}
    assert stored(world, known)["require_pkce"] is False
    public = register(world, token, token_endpoint_auth_method="none").json or {}
    assert stored(world, public)["require_pkce"] is True


def test_an_initial_access_token_can_allow_the_token_endpoint_as_audience(world: World) -> None:
    """As operators can (older libraries, the Dynamic OP plan); for clients with assertions only,
    and it ends when the application changes to a secret."""
    token = issued(world, token_endpoint_audience=True)
    known = register(world, token, **BY_KEYS, **JWKS).json or {}
    assert stored(world, known)["token_endpoint_audience"] is True
    assert stored(world, register(world, token).json)["token_endpoint_audience"] is False
    usual = register(world, issued(world), **BY_KEYS, **JWKS).json or {}
    assert stored(world, usual)["token_endpoint_audience"] is False
    body = METADATA | {"client_id": known["client_id"]}
    assert manage(world, "PUT", known, body | BY_KEYS | JWKS).status_code == 200
    assert stored(world, known)["token_endpoint_audience"] is True
    assert manage(world, "PUT", known, body).status_code == 200
    assert stored(world, known)["token_endpoint_audience"] is False


def test_an_application_reads_its_registration(world: World) -> None:
    """RFC 7592 section 2.1: the same, without the secret, of which the gateway has a digest."""
    known = registered(world)
    answer = manage(world, "GET", known)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {name: known[name] for name in known.keys() - {"client_secret"}}


def test_an_application_replaces_its_registration(world: World) -> None:
    """RFC 7592 section 2.2: omitted members and null get their default. The token stays."""
    more = {"client_name#fr": "Boutique", "id_token_signed_response_alg": "ES256"}
    known = registered(world, **more)
    rp = relying_party(world, known)
    changed = {
        "client_id": known["client_id"],
        "client_secret": known["client_secret"],
        "redirect_uris": [CALLBACK, "https://shop.test/new"],
        "scope": "openid",
        "id_token_signed_response_alg": None,
    }
    answer = manage(world, "PUT", known, changed)
    assert answer.status_code == 200, answer.text
    found = answer.json or {}
    assert "client_secret" not in found
    assert found["registration_access_token"] == known["registration_access_token"]
    assert found["redirect_uris"] == changed["redirect_uris"]
    assert found["client_name"] == known["client_id"]
    assert "client_name#fr" not in found
    assert found["id_token_signed_response_alg"] == "RS256"
    assert found["scope"] == "openid"
    (event,) = world.events("client.updated")
    assert event.data["after"]["redirect_uris"] == changed["redirect_uris"]
    # The secret still works.
    assert world.redeem(rp, "x").json["error"] == "invalid_grant"
    assert manage(world, "GET", known).json == found


def test_an_application_changes_how_it_authenticates(world: World) -> None:
    """A secret for keys and back, and a secret that signs: each new secret is told once."""
    known = registered(world)
    by_key = METADATA | {
        "client_id": known["client_id"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [KEY.as_dict(private=False)]},
    }
    answer = manage(world, "PUT", known, by_key)
    assert "client_secret" not in answer.json
    rp = Rp(known["client_id"], BY_KEY, CALLBACK, "private_key_jwt", world.clock)
    assert world.redeem(rp, "x").json["error"] == "invalid_grant"
    answer = manage(world, "PUT", known, METADATA | {"client_id": known["client_id"]})
    rp = relying_party(world, dict(answer.json or {}))
    assert rp.secret != known["client_secret"]
    assert world.redeem(rp, "x").json["error"] == "invalid_grant"
    assert "client_secret" not in manage(world, "GET", known).json
    signing = {"client_id": known["client_id"], "token_endpoint_auth_method": "client_secret_jwt"}
    answer = manage(world, "PUT", known, METADATA | signing)
    rp = relying_party(world, dict(answer.json or {}))
    assert world.redeem(rp, "x").json["error"] == "invalid_grant"
    assert "client_secret" not in manage(world, "PUT", known, METADATA | signing).json


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"client_id": None}, "client_id is not the one"),
        ({"client_id": "emi"}, "client_id is not the one"),
        ({"client_secret": "wrong"}, "client_secret is not the one"),
        ({"client_secret": 1}, "client_secret is not the one"),
        ({"scope": "openid scim"}, "scope are among"),
        ({"token_endpoint_auth_method": "none"}, "a public client cannot become confidential"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_n32_a_refused_replacement_changes_nothing(
    world: World, change: dict[str, Any], text: str
) -> None:
    """RFC 7592 section 2.2, and the rules of registration."""
    known = registered(world)
    before = stored(world, known)
    answer = manage(world, "PUT", known, METADATA | {"client_id": known["client_id"]} | change)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    assert text in answer.json["error_description"]
    assert stored(world, known) == before


def test_n18_an_application_deletes_its_registration(world: World) -> None:
    """RFC 7592 section 2.3: 204. Its tokens and credentials end, also the one that deleted it, and
    an operator who enables it again does not give that one back."""
    known = registered(world)
    answer = manage(world, "DELETE", known)
    assert (answer.status_code, answer.data) == (204, b"")
    assert stored(world, known)["disabled"]
    assert world.redeem(relying_party(world, known), "x").status_code == 401
    assert len(world.events("client.registration_deleted")) == 1
    with world.work() as work:
        registry.enable(work, registry.get(work, known["client_id"]))
    for method in ("GET", "PUT", "DELETE"):
        assert manage(world, method, known, METADATA).status_code == 401


def test_n38_a_registration_access_token_opens_its_own_client_only(world: World) -> None:
    """Of another client, an initial access token, none, and of a disabled client: 401."""
    known, other, emi = registered(world), registered(world), world.relying_party()
    path = f"{REGISTER}/{known['client_id']}"
    token = known["registration_access_token"]
    for wrong in (None, "x", other["registration_access_token"], issued(world), f"{token}x"):
        for method in ("GET", "PUT", "DELETE"):
            answer = send(world, method, path, wrong, METADATA)
            assert answer.status_code == 401
            assert "client_name" not in answer.text
    for client_id in (emi.client_id, "nobody", "%00", "é"):
        assert send(world, "GET", f"{REGISTER}/{client_id}", token).status_code == 401
    assert manage(world, "GET", known).status_code == 200
    with world.work() as work:
        registry.disable(work, registry.get(work, known["client_id"]))
    assert manage(world, "GET", known).status_code == 401


def trust(client: Client, data: client_data.ClientData) -> client_data.ClientData:
    return client_data.from_json(client_data.to_json(data) | {"trusted": True})


def narrow(client: Client, data: client_data.ClientData) -> client_data.ClientData:
    return client_data.from_json(client_data.to_json(data) | {"scopes": ["openid"]})


@pytest.mark.parametrize("change", [trust, narrow])
def test_n72_what_an_operator_changed_the_application_cannot_change_back(
    world: World, change: Callable[..., client_data.ClientData]
) -> None:
    """It reads what is registered, and gets 403 for the rest (RFC 7592 section 2.2): its token
    cannot move a trusted client elsewhere, or get back a scope."""
    known = registered(world)
    world.clock.advance(5)
    with world.work() as work:
        row = registry.get(work, known["client_id"])
        registry.update(work, row, change(row, client_data.current_data(row)))
    before = stored(world, known)
    assert manage(world, "GET", known).status_code == 200
    for method in ("PUT", "DELETE"):
        answer = manage(world, method, known, METADATA | {"client_id": known["client_id"]})
        assert (answer.status_code, answer.json["error"]) == (403, "access_denied")
    assert stored(world, known) == before
    assert world.events("client.registration_refused")[-1].client_id == known["client_id"]


def test_n20_no_script_of_another_site_reads_an_answer(world: World) -> None:
    """No CORS: applications register from their servers."""
    world.relying_party(allowed_origins=("https://emi.rp.test",))
    client = world.app.test_client(use_cookies=False)
    answer = client.options(
        REGISTER, headers={"Origin": "https://emi.rp.test"}, base_url=world.settings.issuer
    )
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_access_management_issues_and_revokes_tokens_in_the_console(world: World) -> None:
    """Shown once; the list has its name and use, and the application names it."""
    desk = Desk.of(world, ConsoleRole.ACCESS)
    assert "Applications cannot register themselves." in desk.browser.get(TOKENS).text
    for wrong in ({"uses": "0"}, {"uses": "1001"}, {"days": "soon"}, {"days": "91"}, {"name": " "}):
        assert desk.post(TOKENS, **(FORM | wrong)).status_code == 400
    page = desk.post(TOKENS, **FORM)
    token = page.text.partition("Token: <code>")[2].partition("<")[0]
    known = register(world, token).json or {}
    assert stored(world, known)["require_pkce"] is False
    listed = desk.browser.get(TOKENS).text
    assert token not in listed
    assert "1 of 5" in listed
    shown = desk.browser.get(f"/console/clients/{known['client_id']}").text
    assert "This application registered itself" in shown
    assert "It can change its registration until" in shown
    path = f"{TOKENS}/{world.events('initial_token.issued')[0].data['initial_token']}/revoke"
    assert desk.post(path).status_code == 303
    assert desk.post(path).status_code == 404
    assert register(world, token).status_code == 401
    names = [event.name for event in world.events() if event.actor == desk.username]
    assert names[-2:] == ["initial_token.issued", "initial_token.revoked"]


def test_access_management_issues_and_revokes_tokens_by_the_command_line(
    world: World, run: Run
) -> None:
    """The same service: issue (shown once), list, revoke."""
    assert "cannot register themselves" in run("initial-token", "list").stdout
    made = good(run("initial-token", "issue", "Northern Lakes", "--uses", "2", "--json"))
    assert register(world, made["token"]).status_code == 201
    (listed,) = good(run("initial-token", "list", "--json"))
    assert listed["token_endpoint_audience"] is False
    assert (listed["uses"], listed["max_uses"], listed["require_pkce"]) == (1, 2, True)
    assert "token" not in listed
    assert run("initial-token", "revoke", made["id"]).exit_code == 0
    again = run("initial-token", "revoke", made["id"])
    assert (again.exit_code, again.stderr) == (
        1,
        f"refused: no initial access token {made['id']}\n",
    )
    assert register(world, made["token"]).status_code == 401
    text = run("initial-token", "issue", "Northern Lakes").stdout
    assert "Save the token now. It is not shown again." in text
