"""The FAPI 2.0 Security Profile (final) as a switch of a client: with it, every rule of the profile
for authorization servers holds, whatever else is registered (N17, N18, N29, N52)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.clients import client_validation, registry
from idp.clients.client_data import ClientData, current_data, of_new_client
from idp.clients.client_refusals import (
    AccountKindsInvalid,
    RegistrationInvalid,
    RuleFault,
    RuleViolated,
    UriInvalid,
)
from idp.credentials.assertions import ASSERTION_TYPE, public_key
from idp.directory import accounts, lifecycle
from idp.machines import registered_networks
from idp.models import AccountKind, AccountState, RefreshToken
from idp.policy.console import ConsoleRole
from idp.policy.redirect_uri import UriFault
from idp.settings import Settings
from tests.certificates import HEADER, NAMES, VERIFIED, Certificate
from tests.console.desk import Desk
from tests.security.test_client_registration import manage, registered, stored
from tests.security.test_dpop import EC, ISSUER, RSA, USERINFO, Holder, claims_of, error_of
from tests.security.test_machines import INSIDE, NAME, NETWORKS
from tests.security.test_machines import token as machine_token
from tests.security.test_pushed_requests import PREFIX, is_page
from tests.shell import Run, good
from tests.world import KEY, NUMBERS, TOKEN, VERIFIER, Browser, Rp, World, answer_of

PAR = "/oauth2/v1/par"
SWITCH = "fapi2_security_profile"
JWK = {"keys": [KEY.as_dict(private=False)]}
P384 = ECKey.generate_key("P-384")
#: What other endpoints than that for pushed requests need.
OTHERS = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
CERTIFICATE = Certificate(names=NAMES)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A gateway whose proxy sends certificates."""
    return replace(
        settings,
        trusted_proxies=("127.0.0.1/32",),
        client_certificate_header=HEADER,
        client_certificate_verified_header=VERIFIED,
        mtls_url="https://mtls.gateway.test",
    )


def profiled(world: World, name: str = "EMI", **changes: Any) -> Rp:
    """A client with the profile, and by default a registered EC key."""
    values: dict[str, Any] = {"auth_method": "private_key_jwt", SWITCH: True}
    return world.relying_party(name, **(values | changes))


def rsa_client(world: World) -> Rp:
    return profiled(world, keys=(public_key(RSA.as_pem(private=False).decode()),))


def signed(
    world: World, rp: Rp, alg: str = "ES256", key: Any = KEY, **changes: Any
) -> dict[str, str]:
    """A client assertion."""
    now = int(world.clock.now().timestamp())
    claims = {"iss": rp.client_id, "sub": rp.client_id, "aud": ISSUER, "iat": now,
              "exp": now + 60, "jti": f"fapi-{next(NUMBERS)}"} | changes  # fmt: skip
    token = jwt.encode({"alg": alg}, claims, key, algorithms=[alg])
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}


def post(world: World, path: str, form: dict[str, str], proof: str | None = None) -> TestResponse:
    return world.app.test_client(use_cookies=False).post(
        path, data=form, headers={} if proof is None else {"DPoP": proof}, base_url=ISSUER
    )


def pushed(world: World, rp: Rp, **changes: str | None) -> TestResponse:
    return world.post(rp, PAR, **rp.authorize_params(**changes))


def answer(world: World, rp: Rp, browser: Browser | None = None) -> dict[str, str]:
    """The authorization response to a pushed request."""
    response = pushed(world, rp)
    assert response.status_code == 201, response.text
    browser = browser or world.browser()
    page = browser.get(
        "/oauth2/v1/authorize", client_id=rp.client_id, request_uri=response.json["request_uri"]
    )
    return answer_of(browser.sign_in(world.account(), page=page))


def tokens(world: World, rp: Rp, holder: Holder) -> dict[str, Any]:
    response = holder.redeem(rp, answer(world, rp)["code"])
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def faults_of(world: World, settings: Settings | None = None, **fields: Any) -> tuple[Any, ...]:
    """The faults of a registration with the profile."""
    usual: dict[str, Any] = {
        "name": "EMI", "auth_method": "private_key_jwt", "redirect_uris": ("https://emi.test/c",),
        "keys": (public_key(KEY.as_pem(private=False).decode()),), SWITCH: True,
    }  # fmt: skip
    app = create_app(settings, world.app.extensions["runtime"].ports) if settings else world.app
    with replace(world, app=app).work() as work:
        try:
            client_validation.check(work, ClientData(**(usual | fields)))
        except RegistrationInvalid as refusal:
            return refusal.faults
    return ()


# Registration.


def test_the_switch_sets_what_the_profile_leaves_open_to_nobody() -> None:
    """Sections 5.3.2.1, 5.3.2.2 and 5.4.1: fields with one allowed value have it."""
    weak = {
        "name": "EMI", "require_pkce": False, "token_endpoint_audience": True,
        "id_token_alg": "RS256", "authorization_response_alg": "RS256",
        "userinfo_alg": "RS256", "access_token_alg": "RS256",
        "account_kinds": ("personal", "machine", "email"),
    }  # fmt: skip
    data = ClientData(**weak, fapi2_security_profile=True)
    assert data == ClientData(
        name="EMI", fapi2_security_profile=True, require_pkce=True, require_pushed_requests=True,
        dpop_bound_access_tokens=True, token_endpoint_audience=False, id_token_alg="ES256",
        authorization_response_alg="ES256", access_token_alg="ES256", userinfo_alg="ES256",
        introspection_alg="ES256",
        account_kinds=("personal", "email"),
    )  # fmt: skip
    for later in (replace(data, **weak), of_new_client(weak | {SWITCH: True})):
        assert (later.require_pkce, later.id_token_alg) == (True, "ES256")
    # Userinfo that is not signed stays so.
    assert ClientData(name="EMI", fapi2_security_profile=True).userinfo_alg == ""
    # What it set stays when it is turned off.
    assert replace(data, fapi2_security_profile=False).require_pushed_requests


def test_tokens_are_bound_to_a_key_unless_they_are_bound_to_a_certificate() -> None:
    """Section 5.3.2.1: by DPoP or by mutual TLS."""
    bound = ClientData(name="EMI", fapi2_security_profile=True, certificate_bound_tokens=True)
    assert not bound.dpop_bound_access_tokens
    assert replace(bound, certificate_bound_tokens=False).dpop_bound_access_tokens
    assert replace(bound, dpop_bound_access_tokens=True).certificate_bound_tokens


@pytest.mark.parametrize(
    "method",
    ["none", "client_secret", "client_secret_basic", "client_secret_post", "client_secret_jwt"],
)
def test_n52_the_profile_needs_a_key_or_a_certificate(world: World, method: str) -> None:
    """Section 5.3.2.1: confidential clients with private_key_jwt or mutual TLS."""
    (fault,) = faults_of(world, auth_method=method, keys=())
    assert isinstance(fault, RuleViolated)
    assert fault.fault == RuleFault.FAPI2_METHOD


@pytest.mark.parametrize(
    "method",
    [
        {"auth_method": "private_key_jwt"},
        {"auth_method": "self_signed_tls_client_auth", "keys": (public_key(CERTIFICATE.pem),)},
        {"auth_method": "tls_client_auth", "keys": (), "tls_subject_field": "san_dns",
         "tls_subject": "emi.example"},
    ],
    ids=lambda method: method["auth_method"],
)  # fmt: skip
def test_the_methods_of_the_profile_can_be_registered(world: World, method: dict[str, Any]) -> None:
    """Section 5.3.2.1."""
    assert faults_of(world, **method) == ()


def test_redirect_uris_need_https_in_development_too(world: World) -> None:
    """Section 5.3.2.2; other clients may use loopback there."""
    development = replace(world.settings, issuer="http://127.0.0.1:8000", mtls_url="")
    uri = "http://127.0.0.1:5000/callback"
    (fault,) = faults_of(world, development, redirect_uris=(uri,))
    assert isinstance(fault, UriInvalid)
    assert (fault.uri, fault.fault) == (uri, UriFault.SCHEME)
    assert faults_of(world, development, redirect_uris=(uri,), fapi2_security_profile=False) == ()


def test_a_service_for_machine_accounts_only_cannot_have_the_profile(world: World) -> None:
    """They authenticate by passwords, and their tokens are not bound (section 5.3.2.1)."""
    (fault,) = faults_of(world, account_kinds=("machine",))
    assert isinstance(fault, AccountKindsInvalid)


def test_an_application_can_register_the_profile_for_itself(world: World) -> None:
    """RFC 7591 section 3.2.1: it is told what is registered instead of what it sent."""
    asked = {SWITCH: True, "token_endpoint_auth_method": "private_key_jwt", "jwks": JWK,
             "id_token_signed_response_alg": "RS256"}  # fmt: skip
    known = registered(world, **asked)
    for name in (SWITCH, "require_pushed_authorization_requests", "dpop_bound_access_tokens"):
        assert known[name] is True
    assert known["id_token_signed_response_alg"] == "ES256"
    assert stored(world, known)["account_kinds"] == ["personal"]
    body = asked | {"client_id": known["client_id"], "redirect_uris": known["redirect_uris"],
                    "token_endpoint_auth_method": "client_secret_basic"}  # fmt: skip
    refused = manage(world, "PUT", known, body)
    assert error_of(refused) == (400, "invalid_client_metadata")
    assert str(RuleFault.FAPI2_METHOD) in refused.json["error_description"]


def test_console_command_line_and_file_set_the_same(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One switch is enough everywhere, and a file that is applied again changes nothing."""
    monkeypatch.setenv("IDP_CLIENT_CERTIFICATE_HEADER", HEADER)
    monkeypatch.setenv("IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER", VERIFIED)
    monkeypatch.setenv("IDP_TRUSTED_PROXIES", "127.0.0.1/32")
    key = tmp_path / "key.pem"
    key.write_text(KEY.as_pem(private=False).decode())
    uri = "https://emi.test/callback"
    made = good(run("client", "create", "--client-id", "shell", "--name", "Shell", "--redirect-uri",
                    uri, "--auth-method", "private_key_jwt", "--key-file", str(key),
                    "--fapi2-security-profile", "--no-require-pkce", "--json"))  # fmt: skip
    desk = Desk.of(world, ConsoleRole.ACCESS)
    form = {"client_id": "form", "name": "Form", "redirect_uris": uri, SWITCH: "1",
            "auth_method": "private_key_jwt", "new_key": key.read_text(), "scopes": "openid",
            "grant_types": ["authorization_code"], "account_kinds": ["personal"]}  # fmt: skip
    assert desk.post("/console/clients/new", **form).status_code == 303
    weak = form | {"client_id": "weak", "auth_method": "none", "new_key": ""}
    refused = desk.post("/console/clients/new", **weak)
    assert "FAPI 2.0 Security Profile needs" in refused.text
    file = tmp_path / "gateway.yaml"
    file.write_text(f"""\
clients:
  file:
    name: File
    redirect_uris: ["{uri}"]
    auth_method: tls_client_auth
    tls_subject_field: san_dns
    tls_subject: emi.example
    fapi2_security_profile: true
""")
    applied = [good(run("apply", str(file), "--yes", "--json")) for _ in "12"]
    assert [len(one["changes"]) for one in applied] == [1, 0]
    found = [good(run("client", "show", name, "--json")) for name in ("form", "file")]
    for one in (made, *found):
        assert one["account_kinds"] == ["personal"]
        assert one["id_token_alg"] == one["access_token_alg"] == "ES256"
        for name in ("require_pkce", "require_pushed_requests", "dpop_bound_access_tokens"):
            assert one[name] is True


# Authorization requests.


def test_a_client_with_the_profile_signs_people_in(world: World) -> None:
    """Sections 5.3.2.1 and 5.3.2.2: pushed, with ``iss`` in the answer, DPoP tokens, and ES256."""
    rp, holder = profiled(world), Holder(world)
    response = answer(world, rp)
    assert response["iss"] == ISSUER
    body = holder.redeem(rp, response["code"]).json
    assert body["token_type"] == "DPoP"
    assert [header_of(body[name])["alg"] for name in ("id_token", "access_token")] == ["ES256"] * 2
    assert holder.get(body["access_token"]).status_code == 200
    bearer = world.app.test_client().get(
        USERINFO, headers={"Authorization": f"Bearer {body['access_token']}"}, base_url=ISSUER
    )
    assert bearer.status_code == 401


def header_of(token: str) -> dict[str, Any]:
    return dict(jws.extract_compact(token.encode()).headers())


def test_n17_a_request_that_was_not_pushed_is_refused(world: World) -> None:
    """Section 5.3.2.2, also for a signed request object; the refusal has ``iss`` too."""
    rp = profiled(world)
    now = int(world.clock.now().timestamp())
    claims = rp.authorize_params() | {
        "iss": rp.client_id, "aud": ISSUER, "exp": now + 60, "nbf": now
    }  # fmt: skip
    by_value = jwt.encode({"alg": "ES256"}, claims, KEY, algorithms=["ES256"])
    for params in (rp.authorize_params(), {"client_id": rp.client_id, "request": by_value}):
        refused = answer_of(world.browser().get("/oauth2/v1/authorize", **params))
        assert (refused["error"], refused["iss"]) == ("invalid_request", ISSUER)
        assert refused["error_description"] == "Push the request first (RFC 9126)."


def test_n52_a_pushed_request_needs_client_authentication(world: World) -> None:
    """Section 5.3.2.2."""
    rp = profiled(world)
    assert error_of(post(world, PAR, rp.authorize_params())) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://emi.rp.test/other"},
        {"response_type": None},
    ],
    ids=["no PKCE", "plain", "no method", "no redirect URI", "other redirect URI", "no type"],
)
def test_n17_a_pushed_request_has_pkce_and_a_registered_redirect_uri(
    world: World, changes: dict[str, str | None]
) -> None:
    """Section 5.3.2.2."""
    assert error_of(pushed(world, profiled(world), **changes)) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["token", "code id_token", "code token", "id_token"])
def test_n17_the_response_type_is_code(world: World, kind: str) -> None:
    """Section 5.3.2.2."""
    refused = pushed(world, profiled(world), response_type=kind)
    assert error_of(refused) == (400, "unsupported_response_type")


def test_a_pushed_request_works_for_less_than_ten_minutes(world: World) -> None:
    """Section 5.3.2.2: ``expires_in`` below 600, and the reference is no other client's."""
    rp, other = profiled(world), profiled(world, "CROW")
    response = pushed(world, rp)
    assert response.json["expires_in"] < 600
    uri = response.json["request_uri"]
    assert uri.startswith(PREFIX)
    page = world.browser().get("/oauth2/v1/authorize", client_id=other.client_id, request_uri=uri)
    assert is_page(page)


def test_signed_request_objects_use_an_algorithm_of_the_profile(world: World) -> None:
    """Section 5.4.1."""
    rp, now = rsa_client(world), int(world.clock.now().timestamp())
    claims = rp.authorize_params() | {
        "iss": rp.client_id, "aud": ISSUER, "exp": now + 60, "nbf": now
    }  # fmt: skip
    for alg, expected in (("RS256", (400, "invalid_request_object")), ("PS256", (201, ""))):
        request = jwt.encode({"alg": alg}, claims, RSA, algorithms=[alg])
        form = signed(world, rp, "PS256", RSA) | {"request": request}
        assert error_of(post(world, PAR, form)) == expected


# Client authentication.


@pytest.mark.parametrize("path", [PAR, TOKEN, "/oauth2/v1/introspect", "/oauth2/v1/revoke"])
def test_n52_assertions_use_an_algorithm_of_the_profile(world: World, path: str) -> None:
    """Section 5.4.1, at each endpoint; a client without the profile may use RS256."""
    rp = rsa_client(world)
    for alg in ("RS256", "PS256"):
        form = signed(world, rp, alg, RSA) | rp.authorize_params() | OTHERS
        status, error = error_of(post(world, path, form))
        assert (status == 401 and error == "invalid_client") is (alg == "RS256")
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        registry.update(work, client, replace(current_data(client), fapi2_security_profile=False))
    form = signed(world, rp, "RS256", RSA) | rp.authorize_params() | OTHERS
    assert post(world, path, form).status_code != 401


@pytest.mark.parametrize(
    "audience",
    [ISSUER + TOKEN, ISSUER + PAR, [ISSUER], [ISSUER, "https://other.test"], ISSUER + "/", ""],
    ids=str,
)
def test_n52_the_audience_of_an_assertion_is_the_issuer_as_a_string(
    world: World, audience: str | list[str]
) -> None:
    """Section 5.3.2.1, though the client was registered for older libraries."""
    rp = profiled(world, token_endpoint_audience=True)
    form = signed(world, rp, aud=audience) | rp.authorize_params()
    assert error_of(post(world, PAR, form)) == (401, "invalid_client")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "status"), [(8, 201), (10, 201), (61, 401)])
def test_clocks_may_be_ten_seconds_ahead_and_never_a_minute(
    world: World, claim: str, ahead: int, status: int
) -> None:
    """Section 5.3.2.1."""
    rp = profiled(world)
    moment = int(world.clock.now().timestamp()) + ahead
    form = signed(world, rp, **{claim: moment}) | rp.authorize_params()
    assert post(world, PAR, form).status_code == status


# Tokens.


def test_n29_no_token_without_a_proof(world: World) -> None:
    """Section 5.3.2.1: sender-constrained tokens only."""
    rp = profiled(world)
    code = answer(world, rp)["code"]
    assert error_of(world.redeem(rp, code)) == (400, "invalid_dpop_proof")
    refresh = Holder(world).redeem(rp, code).json["refresh_token"]
    assert error_of(world.refresh(rp, refresh)) == (400, "invalid_dpop_proof")


def test_n29_a_certificate_binds_tokens_as_well(world: World) -> None:
    """Section 5.3.2.1: mutual TLS for authentication and for tokens, without DPoP."""
    rp = profiled(world, auth_method="tls_client_auth", tls_subject_field="subject_dn",
                  tls_subject=CERTIFICATE.subject, certificate_bound_tokens=True,
                  grant_types=("client_credentials",), scopes=("prices",))  # fmt: skip
    form = {"client_id": rp.client_id, "grant_type": "client_credentials"}
    client = world.app.test_client(use_cookies=False)
    response = client.post(TOKEN, data=form, headers=CERTIFICATE.headers(), base_url=ISSUER)
    assert response.status_code == 200, response.text
    assert "x5t#S256" in claims_of(response.json["access_token"])["cnf"]


@pytest.mark.parametrize(
    ("key", "alg", "is_allowed"),
    [(EC, "ES256", True), (RSA, "PS256", True), (RSA, "RS256", False), (P384, "ES384", False)],
    ids=["ES256", "PS256", "RS256", "ES384"],
)
def test_proofs_use_an_algorithm_of_the_profile(
    world: World, key: RSAKey | ECKey, alg: str, is_allowed: bool
) -> None:
    """Section 5.4.1, at the endpoints for pushed requests and tokens."""
    rp, holder = profiled(world), Holder(world, key, alg)
    at_par = holder.post(rp, PAR, **rp.authorize_params())
    code = answer(world, rp)["code"]
    at_token = holder.redeem(rp, code)
    refused = (400, "invalid_dpop_proof")
    assert error_of(at_par) == ((201, "") if is_allowed else refused)
    assert error_of(at_token) == ((200, "") if is_allowed else refused)


def test_proofs_for_userinfo_use_an_algorithm_of_the_profile(world: World) -> None:
    """Section 5.4.1: a key for PS256 could sign by RS256 as well."""
    rp, holder = profiled(world), Holder(world, RSA, "PS256")
    access = tokens(world, rp, holder)["access_token"]
    assert holder.get(access).status_code == 200
    assert error_of(replace(holder, alg="RS256").get(access))[0] == 401


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (61, 400)])
def test_a_code_works_for_a_minute_whatever_the_setting(
    world: World, seconds: int, status: int
) -> None:
    """Section 5.3.2.1."""
    settings = replace(world.settings, code_ttl=300)
    app = create_app(settings, world.app.extensions["runtime"].ports)
    patient = replace(world, settings=settings, app=app)
    rp, other = profiled(patient), patient.relying_party("CROW")
    code = answer(patient, rp)["code"]
    unprofiled = patient.browser().code(other, patient.account())
    world.clock.advance(seconds=seconds)
    assert Holder(patient).redeem(rp, code).status_code == status
    assert patient.redeem(other, unprofiled).status_code == 200


def test_a_code_can_be_bound_to_the_key_of_the_pushed_request(world: World) -> None:
    """Section 5.3.2.1: authorization code binding to the DPoP key (RFC 9449 section 10)."""
    rp, holder = profiled(world), Holder(world)
    response = holder.post(rp, PAR, **rp.authorize_params())
    browser = world.browser()
    page = browser.get(
        "/oauth2/v1/authorize", client_id=rp.client_id, request_uri=response.json["request_uri"]
    )
    code = answer_of(browser.sign_in(world.account(), page=page))["code"]
    assert error_of(Holder(world, RSA, "PS256").redeem(rp, code)) == (400, "invalid_grant")


def test_refresh_tokens_do_not_rotate(world: World) -> None:
    """Section 5.3.2.1: the same token works again, and its idle time starts anew; the end of its
    family stays."""
    rp, holder = profiled(world), Holder(world)
    refresh = tokens(world, rp, holder)["refresh_token"]
    idle = world.settings.refresh_idle
    for _ in range(3):
        world.clock.advance(seconds=idle - 1)
        response = holder.refresh(rp, refresh)
        assert response.status_code == 200, response.text
        assert "refresh_token" not in response.json
    world.clock.advance(seconds=idle)
    assert error_of(holder.refresh(rp, refresh)) == (400, "invalid_grant")


def test_a_refresh_token_ends_with_its_family_and_its_grant(world: World) -> None:
    """Though it does not rotate."""
    rp, holder = profiled(world), Holder(world)
    old, ended = (tokens(world, rp, holder)["refresh_token"] for _ in "12")
    assert world.post(rp, "/oauth2/v1/revoke", token=ended).status_code == 200
    assert error_of(holder.refresh(rp, ended)) == (400, "invalid_grant")
    with world.work() as work:
        work.db.execute(update(RefreshToken).values(expires_at=work.after(days=400)))
    world.clock.advance(seconds=world.settings.refresh_absolute)
    assert error_of(holder.refresh(rp, old)) == (400, "invalid_grant")


def test_a_spent_refresh_token_stays_spent(world: World) -> None:
    """A client gets the profile later: the reuse of a token that was rotated ends the family."""
    rp, holder = profiled(world, **{SWITCH: False}), Holder(world)
    first = holder.tokens(rp)["refresh_token"]
    second = holder.refresh(rp, first).json["refresh_token"]
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        registry.update(work, client, replace(current_data(client), fapi2_security_profile=True))
    world.clock.advance(seconds=world.settings.refresh_grace + 1)
    assert holder.refresh(rp, second).status_code == 200
    assert error_of(holder.refresh(rp, first)) == (400, "invalid_grant")
    assert error_of(holder.refresh(rp, second)) == (400, "invalid_grant")


def test_machine_accounts_get_no_tokens_for_the_application(world: World) -> None:
    """Section 5.3.2.1: they have passwords, and tokens that are not bound."""
    rp = world.relying_party("MIM", auth_method="private_key_jwt",
                             audience="https://mim.rp.test/soap")  # fmt: skip
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    assert machine_token(world, ip=INSIDE).status_code == 200
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        registry.update(work, client, replace(current_data(client), fapi2_security_profile=True))
    assert error_of(machine_token(world, ip=INSIDE)) == (400, "invalid_target")


@pytest.mark.parametrize("end", ["suspend", "disable"])
def test_n18_what_does_not_rotate_ends_at_once(world: World, end: str) -> None:
    rp, holder = profiled(world), Holder(world)
    body = tokens(world, rp, holder)
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        if end == "disable":
            registry.disable(work, client)
        else:
            username = claims_of(body["id_token"])["preferred_username"]
            account = accounts.by_username(work, username)
            lifecycle.change_state(work, account, AccountState.SUSPENDED, reason="test")
    expected = (401, "invalid_client") if end == "disable" else (400, "invalid_grant")
    assert error_of(holder.refresh(rp, body["refresh_token"])) == expected
