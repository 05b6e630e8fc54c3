"""Mutual TLS (RFC 8705; N29, N52, N72, N90): certificates of clients that a trusted proxy sends,
and access tokens that are bound to them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwk
from werkzeug.test import TestResponse

from idp.clients import client_data, registry
from idp.clients.client_data import ClientData
from idp.clients.client_refusals import RegistrationInvalid
from idp.clients.key_hosts import KeyHosts
from idp.credentials.assertions import public_key
from idp.errors import ConfigurationError, Invalid
from idp.settings import Settings
from tests.certificates import HEADER, NAMES, VERIFIED, Certificate
from tests.oidc.test_discovery import PATHS, document
from tests.security.test_client_registration import registered
from tests.security.test_token_tables import assert_client_refused
from tests.shell import Run
from tests.world import KEY, TOKEN, Rp, World

ISSUER = "https://gateway.test"
TLS, SELF_SIGNED = "tls_client_auth", "self_signed_tls_client_auth"
EMI, OTHER = Certificate(names=NAMES), Certificate("CN=crow,O=Example Inc.,C=CA")
#: The address of the proxy, and one that is no proxy.
PROXY, STRANGER = "127.0.0.1", "192.0.2.9"
GRANTS = ("authorization_code", "refresh_token", "client_credentials")
SCOPES = ("openid", "profile", "offline_access", "prices")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A gateway whose proxy sends certificates."""
    return replace(
        settings,
        trusted_proxies=(f"{PROXY}/32",),
        client_certificate_header=HEADER,
        client_certificate_verified_header=VERIFIED,
        mtls_url="https://mtls.gateway.test",
    )


def by_subject(world: World, subject: str = "subject_dn", value: str = "", **more: Any) -> Rp:
    return world.relying_party(
        auth_method=TLS, tls_subject_field=subject, tls_subject=value or EMI.subject,
        grant_types=GRANTS, scopes=SCOPES, **more,
    )  # fmt: skip


def by_key(world: World, *texts: str, **more: Any) -> Rp:
    return world.relying_party(
        auth_method=SELF_SIGNED, keys=tuple(public_key(text) for text in texts),
        grant_types=GRANTS, scopes=SCOPES, **more,
    )  # fmt: skip


def send(world: World, path: str = TOKEN, headers: Any = None, ip: str = PROXY,
         **form: str) -> TestResponse:  # fmt: skip
    data = {"client_id": "emi"} | form
    if path == TOKEN:
        data = {"grant_type": "client_credentials"} | data
    return world.app.test_client(use_cookies=False).post(
        path, data=data, headers=headers, base_url=ISSUER, environ_base={"REMOTE_ADDR": ip}
    )


def thumbprint_of(certificate: Certificate) -> str:
    digest = sha256(certificate.made.public_bytes(Encoding.DER)).digest()
    return b64encode(digest, altchars=b"-_").decode().rstrip("=")


@pytest.mark.parametrize(
    ("field", "value", "is_named"),
    [
        ("subject_dn", "CN=emi,O=Example Inc.,C=CA", True),
        ("subject_dn", "CN=EMI,O=Example  inc.,C=ca", True),
        ("subject_dn", "2.5.4.3=emi,2.5.4.10=Example Inc.,2.5.4.6=CA", True),
        ("subject_dn", "C=CA,O=Example Inc.,CN=emi", False),
        ("subject_dn", "CN=emi", False),
        ("subject_dn", "CN=emi,O=Example Inc.,C=CA,CN=emi", False),
        ("subject_dn", "CN=crow,O=Example Inc.,C=CA", False),
        ("san_dns", "emi.example", True), ("san_dns", "EMI.example", True),
        ("san_dns", "second.EXAMPLE", True), ("san_dns", "example", False),
        ("san_dns", "*.example", False), ("san_dns", "192.0.2.7", False),
        ("san_uri", "https://emi.example/Client", True),
        ("san_uri", "https://emi.example/client", False), ("san_uri", "emi.example", False),
        ("san_ip", "192.0.2.7", True), ("san_ip", "2001:DB8:0::7", True),
        ("san_ip", "192.0.2.70", False),
        ("san_email", "Emi@example.COM", True), ("san_email", "emi@example.com", False),
    ],
)  # fmt: skip
def test_the_registered_field_of_the_certificate_names_the_client(
    world: World, field: str, value: str, is_named: bool
) -> None:
    """Section 2.1.2: one field, compared as its type is; no other field counts."""
    by_subject(world, field, value)
    answer = send(world, headers=EMI.headers())
    if is_named:
        assert answer.status_code == 200, answer.text
        return
    assert_client_refused(answer)
    (event,) = world.events("client.refused")
    assert (event.client_id, event.reason) == ("emi", "certificate_subject")
    assert event.data == {"sent": TLS, "registered": TLS, "count": 1}


@pytest.mark.parametrize("path", [TOKEN, "/oauth2/v1/introspect", "/oauth2/v1/revoke"])
@pytest.mark.parametrize("method", [TLS, SELF_SIGNED])
def test_a_certificate_authenticates_at_every_endpoint(
    world: World, method: str, path: str
) -> None:
    """And at the endpoint for pushed requests, below."""
    by_subject(world) if method == TLS else by_key(world, EMI.pem)
    assert send(world, path, EMI.headers(), token="x").status_code == 200
    assert_client_refused(send(world, path, token="x"))


@pytest.mark.parametrize(
    "text", [EMI.headers()[HEADER], EMI.pem.replace("\n", "%0A"), EMI.der, f":{EMI.der}:"],
    ids=["nginx", "newlines", "Caddy", "RFC 9440"],
)  # fmt: skip
def test_a_proxy_may_write_the_certificate_in_three_forms(world: World, text: str) -> None:
    by_subject(world)
    assert send(world, headers={HEADER: text, VERIFIED: "SUCCESS"}).status_code == 200


def late(world: World) -> TestResponse:
    world.clock.advance(days=2)
    return send(world, headers=EMI.headers())


def early(world: World) -> TestResponse:
    world.clock.advance(days=-2)
    return send(world, headers=EMI.headers())


def with_header(text: str, **more: str) -> Callable[[World], TestResponse]:
    return lambda world: send(world, headers={HEADER: text, VERIFIED: "SUCCESS"} | more)


#: What is sent, the failed check, and the method that the event names.
REFUSED: dict[str, tuple[Callable[[World], TestResponse], str, str]] = {
    "no certificate": (lambda w: send(w), "method_not_registered", "none"),
    "not verified": (
        lambda w: send(w, headers=EMI.headers(verified="FAILED:self-signed certificate")),
        "certificate_not_verified", TLS,
    ),
    "nothing said": (lambda w: send(w, headers={HEADER: EMI.der}), "certificate_not_verified", TLS),
    "none said": (
        lambda w: send(w, headers=EMI.headers(verified="NONE")), "certificate_not_verified", TLS,
    ),
    "over": (late, "certificate_time", TLS),
    "not yet": (early, "certificate_time", TLS),
    "another one": (lambda w: send(w, headers=OTHER.headers()), "certificate_subject", TLS),
    "not from the proxy": (
        lambda w: send(w, headers=EMI.headers(), ip=STRANGER), "method_not_registered", "none",
    ),
    "on behalf of the proxy": (
        lambda w: send(w, headers=EMI.headers() | {"X-Forwarded-For": PROXY}, ip=STRANGER),
        "method_not_registered", "none",
    ),
    "two": (with_header(f"{EMI.der},{EMI.der}"), "method_not_registered", "none"),
    "nonsense": (with_header("x"), "method_not_registered", "none"),
    "a key": (with_header("-----BEGIN PUBLIC KEY-----"), "method_not_registered", "none"),
    "too long": (with_header("A" * 20_000), "method_not_registered", "none"),
    "a secret too": (
        lambda w: send(w, headers=EMI.headers(), client_secret="x"),
        "method_not_registered", "client_secret_post",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_n29_every_other_certificate_gets_the_same_answer(world: World, name: str) -> None:
    """N29, N52: the header counts from a trusted proxy only; the event has the failed check."""
    by_subject(world)
    act, check, sent = REFUSED[name]
    assert_client_refused(act(world))
    (event,) = world.events("client.refused")
    assert (event.reason, event.data["sent"]) == (check, sent)


def test_n52_a_dropped_certificate_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """With the address of the peer that sent it."""
    by_subject(world)
    send(world, headers=EMI.headers(), ip=STRANGER)
    lines: list[Any] = [record.msg for record in caplog.records]
    (line,) = (line for line in lines if "client_certificate_dropped" in line.values())
    assert line["peer"] == STRANGER


@pytest.mark.parametrize("registered", ["client_secret", "private_key_jwt", "none"])
def test_n29_a_certificate_is_no_credential_of_other_clients(world: World, registered: str) -> None:
    """N29: not of a client with another method, nor of one that is unknown or disabled."""
    world.relying_party(auth_method=registered)
    assert_client_refused(send(world, "/oauth2/v1/introspect", EMI.headers(), token="x"))
    assert_client_refused(send(world, headers=EMI.headers(), client_id="nobody"))
    by_subject(world, client_id="sun")
    assert send(world, headers=EMI.headers(), client_id="sun").status_code == 200
    with world.work() as work:
        registry.disable(work, registry.get(work, "sun"))
    assert_client_refused(send(world, headers=EMI.headers(), client_id="sun"))


def jwk_of(certificate: Certificate, **more: Any) -> str:
    key = jwk.ECKey.import_key(certificate.key).as_dict(private=False)
    return json.dumps(key | {"x5c": [certificate.der]} | more)


@pytest.mark.parametrize(
    "text",
    [EMI.pem, jwk_of(EMI), jwk_of(EMI, x5c=[EMI.der, OTHER.der]),
     json.dumps(public_key(EMI.pem))],
    ids=["PEM", "x5c", "chain", "x5t#S256"],
)  # fmt: skip
def test_a_registered_certificate_authenticates(world: World, text: str) -> None:
    """Section 2.2: itself, verified by nobody; not another one of the same key or name."""
    by_key(world, text)
    assert send(world, headers=EMI.headers(verified="FAILED:self-signed")).status_code == 200
    for other in (OTHER, Certificate(key=EMI.key), Certificate()):
        assert_client_refused(send(world, headers=other.headers()))
    assert {event.reason for event in world.events("client.refused")} == {"certificate_unknown"}
    assert_client_refused(late(world))
    assert world.events("client.refused")[-1].reason == "certificate_time"


@pytest.mark.parametrize(
    "text",
    [jwk_of(EMI, x5c=[OTHER.der]), jwk_of(EMI, x5c=["x"]), jwk_of(EMI, x5c=[]),
     jwk_of(EMI, x5c=7), EMI.pem.replace("M", "x", 1), "-----BEGIN CERTIFICATE-----"],
    ids=["another key", "nonsense", "empty", "a number", "damaged", "cut"],
)  # fmt: skip
def test_a_certificate_that_is_not_of_its_key_is_not_registered(text: str) -> None:
    """RFC 7517 section 4.7."""
    with pytest.raises(Invalid):
        public_key(text)


def test_n90_a_published_certificate_authenticates(world: World) -> None:
    """Section 2.2.2: at the ``jwks_uri``, a new one after a minute."""
    published = [EMI]

    def read(_uri: str) -> bytes:
        return json.dumps({"keys": [json.loads(jwk_of(one)) for one in published]}).encode()

    runtime = world.app.extensions["runtime"]
    ports = replace(runtime.ports, key_hosts=KeyHosts(read))
    world.app.extensions["runtime"] = replace(runtime, ports=ports)
    by_key(world, jwks_uri="https://emi.rp.test/keys")
    assert send(world, headers=EMI.headers()).status_code == 200
    published[:] = [OTHER]
    assert_client_refused(send(world, headers=OTHER.headers()))
    world.clock.advance(60)
    assert send(world, headers=OTHER.headers()).status_code == 200
    assert_client_refused(send(world, headers=EMI.headers()))


# Access tokens that are bound to the certificate.


@pytest.fixture(params=["jwt", "opaque"])
def bound(world: World, request: pytest.FixtureRequest) -> Rp:
    """A client whose access tokens are bound to its certificate."""
    return by_subject(world, certificate_bound_tokens=True, access_token_format=request.param)


def signed_in(world: World, rp: Rp) -> dict[str, Any]:
    """The tokens of a person, by a pushed request."""
    pushed = send(world, "/oauth2/v1/par", EMI.headers(),
                  **rp.authorize_params(scope="openid offline_access"))  # fmt: skip
    assert pushed.status_code == 201, pushed.text
    browser, username = world.browser(), world.account()
    code = browser.code(rp, username, scope="openid offline_access")
    answer = send(
        world, headers=EMI.headers(), grant_type="authorization_code", code=code,
        redirect_uri=rp.redirect_uri, code_verifier="v" * 43,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def userinfo(world: World, token: str, headers: dict[str, str], ip: str = PROXY) -> TestResponse:
    return world.app.test_client(use_cookies=False).get(
        "/oauth2/v1/userinfo", headers=headers | {"Authorization": f"Bearer {token}"},
        base_url=ISSUER, environ_base={"REMOTE_ADDR": ip},
    )  # fmt: skip


def test_a_bound_token_works_with_its_certificate_only(world: World, bound: Rp) -> None:
    """Section 3: userinfo checks it; introspection and the JWT show it, also after a refresh."""
    found = signed_in(world, bound)
    assert found["token_type"] == "Bearer"
    again = send(world, headers=EMI.headers(), grant_type="refresh_token",
                 refresh_token=found["refresh_token"]).json  # fmt: skip
    for token in (found["access_token"], again["access_token"]):
        assert userinfo(world, token, EMI.headers(verified="NONE")).status_code == 200
        for headers, ip in (({}, PROXY), (OTHER.headers(), PROXY), (EMI.headers(), STRANGER)):
            answer = userinfo(world, token, headers, ip)
            assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        shown = send(world, "/oauth2/v1/introspect", EMI.headers(), token=token).json
        assert shown["cnf"] == {"x5t#S256": thumbprint_of(EMI)}
        if token.count(".") == 2:
            assert claims_of(token)["cnf"] == {"x5t#S256": thumbprint_of(EMI)}


def claims_of(token: str) -> dict[str, Any]:
    from idp.credentials.assertions import unverified_claims

    return unverified_claims(token)


def test_a_client_without_the_setting_gets_plain_tokens(world: World) -> None:
    """Its certificate authenticates it, and binds nothing."""
    rp = by_subject(world)
    token = signed_in(world, rp)["access_token"]
    assert userinfo(world, token, {}).status_code == 200
    assert "cnf" not in claims_of(token)
    assert "cnf" not in send(world, "/oauth2/v1/introspect", EMI.headers(), token=token).json


def test_a_client_with_a_secret_can_have_bound_tokens(world: World) -> None:
    """Section 3: the certificate need not authenticate. Without one there are no tokens."""
    rp = world.relying_party(
        certificate_bound_tokens=True, grant_types=GRANTS, scopes=SCOPES
    )  # fmt: skip
    answer = send(world, headers=rp.basic())
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    (event,) = world.events("token.refused")
    assert event.data["detail"] == "This client must present its certificate."
    answer = send(world, headers=rp.basic() | OTHER.headers(verified="NONE"))
    assert claims_of(answer.json["access_token"])["cnf"] == {"x5t#S256": thumbprint_of(OTHER)}


def test_n72_the_bridge_checks_the_certificate_too(world: World) -> None:
    """A check of one resource is one of all."""
    world.relying_party(
        auth_method=SELF_SIGNED, keys=(public_key(EMI.pem),), scopes=("scim",),
        grant_types=("client_credentials",), redirect_uris=(), certificate_bound_tokens=True,
    )  # fmt: skip
    token = send(world, headers=EMI.headers()).json["access_token"]
    client = world.app.test_client(use_cookies=False)

    def users(headers: dict[str, str]) -> int:
        sent = headers | {"Authorization": f"Bearer {token}"}
        return client.get("/scim/v2/Users", headers=sent, base_url=ISSUER).status_code

    assert [users(h) for h in (EMI.headers(), OTHER.headers(), {})] == [200, 401, 401]


# What can be registered and set.

DATA = ClientData(name="EMI", redirect_uris=("https://emi.test/cb",))
OF_SUBJECT = {"auth_method": TLS, "tls_subject_field": "san_dns", "tls_subject": "emi.example"}
OF_KEY = {"auth_method": SELF_SIGNED, "keys": (public_key(EMI.pem),)}
PLAIN_KEY = public_key(KEY.as_pem(private=False).decode())
NO_SUBJECT = "needs tls_subject_field and tls_subject"
NO_VALUE = "is not a value of tls_subject_field"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"auth_method": TLS}, NO_SUBJECT),
        (OF_SUBJECT | {"tls_subject": ""}, NO_SUBJECT),
        (OF_SUBJECT | {"tls_subject_field": ""}, NO_SUBJECT),
        (OF_SUBJECT | {"auth_method": "client_secret"}, NO_SUBJECT),
        (OF_SUBJECT | {"tls_subject_field": "cn"}, "tls_subject_field is one of"),
        (OF_SUBJECT | {"tls_subject_field": "subject_dn"}, NO_VALUE),
        (OF_SUBJECT | {"tls_subject_field": "san_ip"}, NO_VALUE),
        (OF_SUBJECT | {"tls_subject": "x" * 2001}, NO_VALUE),
        (OF_SUBJECT | {"keys": (public_key(EMI.pem),)}, "only encryption needs any besides"),
        ({"auth_method": SELF_SIGNED}, "need 1 to 10 keys or a jwks_uri"),
        (OF_KEY | {"keys": (PLAIN_KEY,)}, "needs certificates"),
        ({"auth_method": "none", "certificate_bound_tokens": True}, "a public client cannot"),
    ],
)  # fmt: skip
def test_a_registration_that_could_not_work_is_refused(
    world: World, changes: dict[str, Any], fault: str
) -> None:
    with world.work() as work:
        with pytest.raises(RegistrationInvalid, match=fault):
            registry.create(work, replace(DATA, **changes))
        for good in (OF_SUBJECT, OF_KEY, {"certificate_bound_tokens": True}):
            registry.create(work, replace(DATA, **good))


@pytest.mark.parametrize(
    ("missing", "refused"),
    [
        (("client_certificate_verified_header",), (OF_SUBJECT,)),
        (("client_certificate_header", "client_certificate_verified_header", "mtls_url"),
         (OF_SUBJECT, OF_KEY, {"certificate_bound_tokens": True})),
    ],
)  # fmt: skip
def test_what_the_proxy_does_not_send_is_not_offered(
    world: World, missing: tuple[str, ...], refused: tuple[dict[str, Any], ...]
) -> None:
    """Neither registered nor in discovery; the header of the proxy then has no effect."""
    by_subject(world)
    runtime = world.app.extensions["runtime"]
    fewer = replace(world.settings, **dict.fromkeys(missing, ""))
    world.app.extensions["runtime"] = replace(runtime, settings=fewer)
    with world.work() as work:
        for changes in refused:
            with pytest.raises(RegistrationInvalid, match="IDP_CLIENT_CERTIFICATE_HEADER"):
                registry.create(work, replace(DATA, **changes))
    methods = document(world, PATHS[0])["token_endpoint_auth_methods_supported"]
    assert TLS not in methods
    assert (SELF_SIGNED in methods) is (len(refused) == 1)
    assert_client_refused(send(world, headers=EMI.headers()))


def test_discovery_names_the_methods_and_the_other_address(world: World) -> None:
    """Sections 3.3 and 5: every alias is an endpoint of the gateway."""
    found = document(world, PATHS[0])
    assert {TLS, SELF_SIGNED} <= set(found["token_endpoint_auth_methods_supported"])
    assert found["tls_client_certificate_bound_access_tokens"] is True
    aliases = found["mtls_endpoint_aliases"]
    assert {"token_endpoint", "userinfo_endpoint", "introspection_endpoint"} <= set(aliases)
    for name, alias in aliases.items():
        assert alias == found[name].replace(ISSUER, "https://mtls.gateway.test")


@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint_auth_method": TLS, "tls_client_auth_san_dns": "emi.example"},
        {"token_endpoint_auth_method": TLS, "tls_client_auth_subject_dn": EMI.subject},
        {"token_endpoint_auth_method": SELF_SIGNED, "jwks": {"keys": [json.loads(jwk_of(EMI))]}},
    ],
    ids=["san_dns", "subject_dn", "jwks"],
)
def test_an_application_registers_its_certificate(world: World, metadata: dict[str, Any]) -> None:
    """Sections 2.1.2, 2.2.2 and 3.4: its metadata are told back, and its certificate works."""
    bound = {"tls_client_certificate_bound_access_tokens": True}
    known = registered(world, **metadata | bound)
    told = {name: value for name, value in metadata.items() if name != "jwks"} | bound
    assert told.items() <= known.items()
    named = {"client_id": known["client_id"], "token": "x"}
    assert send(world, "/oauth2/v1/introspect", EMI.headers(), **named).status_code == 200
    assert_client_refused(send(world, "/oauth2/v1/introspect", OTHER.headers(), **named))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"trusted_proxies": ()}, "needs IDP_TRUSTED_PROXIES"),
        ({"client_certificate_header": ""}, "need IDP_CLIENT_CERTIFICATE_HEADER"),
        ({"client_certificate_header": "X_Certificate"}, "with hyphens"),
        ({"client_certificate_verified_header": "X Verified"}, "with hyphens"),
        ({"client_certificate_verified_header": HEADER.lower()}, "another header"),
        ({"mtls_url": "http://mtls.gateway.test"}, "must be https"),
        ({"mtls_url": "https://mtls.gateway.test/"}, "must be https"),
    ],
)  # fmt: skip
def test_settings_that_could_not_work_are_refused(
    settings: Settings, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        replace(settings, **changes).validate()


def test_the_command_registers_a_certificate(
    world: World, run: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--key-file`` takes a certificate; ``none`` takes the field away."""
    for name, value in (("CLIENT_CERTIFICATE_HEADER", HEADER), ("TRUSTED_PROXIES", PROXY),
                        ("CLIENT_CERTIFICATE_VERIFIED_HEADER", VERIFIED)):  # fmt: skip
        monkeypatch.setenv(f"IDP_{name}", value)
    by_subject(world)
    file = tmp_path / "emi.pem"
    file.write_text(EMI.pem)
    done = run("client", "update", "emi", "--auth-method", SELF_SIGNED, "--key-file", str(file),
               "--tls-subject-field", "none", "--tls-subject", "", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert send(world, headers=EMI.headers(verified="NONE")).status_code == 200
    with world.work() as work:
        data = client_data.current_data(registry.get(work, "emi"))
    assert (data.tls_subject_field, data.keys[0]["x5t#S256"]) == ("", thumbprint_of(EMI))
