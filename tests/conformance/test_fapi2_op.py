"""FAPI 2.0 Security Profile, final (private_key_jwt, DPoP): a test for each module, by its name
without the prefix ``fapi2-security-profile-final-``."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.credentials.assertions import public_key
from idp.models import AuthMethod
from tests.conformance.flow import DISCOVERY, USERINFO
from tests.security.test_dpop import (
    ISSUER,
    OTHER,
    PAR,
    RSA,
    Holder,
    ath,
    claims_of,
    error_of,
    fetch,
)
from tests.security.test_fapi2 import SWITCH, post, signed
from tests.security.test_pushed_requests import is_page
from tests.world import AUTHORIZE, OTHER_KEY, TOKEN, VERIFIER, Browser, Rp, World, answer_of

CODE = "authorization_code"


@pytest.fixture
def rp(world: World) -> Rp:
    """As the demonstration registers it: not trusted."""
    return register(world, "EMI")


def register(world: World, name: str) -> Rp:
    values: dict[str, Any] = {"auth_method": AuthMethod.KEY, "trusted": False, SWITCH: True}
    return world.relying_party(name, **values)


def push(rp: Rp, holder: Holder, **changes: str | None) -> TestResponse:
    return holder.world.post(rp, PAR, **rp.authorize_params(**changes))


def open_request(browser: Browser, rp: Rp, pushed: TestResponse, **more: str) -> TestResponse:
    """The browser comes with the reference, and with these parameters beside it."""
    assert pushed.status_code == 201, pushed.text
    uri = pushed.json["request_uri"]
    return browser.get(AUTHORIZE, client_id=rp.client_id, request_uri=uri, **more)


def allow(browser: Browser, page: TestResponse, decision: str = "allow") -> TestResponse:
    """Sign in and decide."""
    page = browser.sign_in(browser.world.account(), page=page)
    return browser.submit(page, "/signin/consent", decision=decision)


def answer(rp: Rp, holder: Holder, **changes: str | None) -> dict[str, str]:
    """The authorization response."""
    browser = holder.world.browser()
    return answer_of(allow(browser, open_request(browser, rp, push(rp, holder, **changes))))


def tokens(rp: Rp, holder: Holder, **changes: str | None) -> dict[str, Any]:
    response = holder.redeem(rp, answer(rp, holder, **changes)["code"])
    assert response.status_code == 200, response.text
    return dict(response.json or {})


@pytest.fixture
def holder(world: World) -> Holder:
    return Holder(world)


def test_discovery_end_point_verification(world: World) -> None:
    """What the profile needs is there."""
    known = fetch(world, DISCOVERY).json
    assert "private_key_jwt" in known["token_endpoint_auth_methods_supported"]
    assert "ES256" in known["dpop_signing_alg_values_supported"]
    assert "S256" in known["code_challenge_methods_supported"]
    assert known["authorization_response_iss_parameter_supported"] is True
    assert known["pushed_authorization_request_endpoint"] == ISSUER + PAR


def test_happy_flow(rp: Rp, holder: Holder) -> None:
    body = tokens(rp, holder)
    assert claims_of(body["id_token"])["nonce"] == "nonce-1"
    assert claims_of(body["access_token"])["cnf"] == {"jkt": holder.jkt}
    assert holder.get(body["access_token"]).json["sub"] == claims_of(body["id_token"])["sub"]


def test_user_rejects_authentication(rp: Rp, holder: Holder) -> None:
    browser = holder.world.browser()
    page = open_request(browser, rp, push(rp, holder, state="s" * 128))
    refused = answer_of(allow(browser, page, "deny"))
    assert (refused["error"], refused["state"], refused["iss"]) == (
        "access_denied", "s" * 128, ISSUER,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"state": None}, {"nonce": None}, {"nonce": "n" * 64},
     {"scope": "offline_access email profile openid"}, {"nonce": "n" * 384},
     {"state": "s" * 1000}],
    ids=["ensure_authorization_request_without_state_success",
         "ensure_authorization_request_without_nonce_success",
         "ensure_authorization_request_with_64_char_nonce_success",
         "ensure_other_scope_order_succeeds", "ensure_authorization_request_with_long_nonce",
         "ensure_authorization_request_with_long_state"],
)  # fmt: skip
def test_requests_that_succeed(rp: Rp, holder: Holder, changes: dict[str, str | None]) -> None:
    response = answer(rp, holder, **changes)
    assert response.get("state") == changes.get("state", "state-1")
    body = holder.redeem(rp, response["code"]).json
    assert claims_of(body["id_token"]).get("nonce") == changes.get("nonce", "nonce-1")


@pytest.mark.parametrize(
    ("pushed", "beside"),
    [({}, {"state": "other"}), ({}, {"nonce": "other"}), ({"state": None}, {"state": "other"}),
     ({}, {"redirect_uri": "https://evil.test/"})],
    ids=["ensure_different_state_inside_and_outside_request_object",
         "ensure_different_nonce_inside_and_outside_request_object",
         "state_only_outside_request_object_not_used", "plain_fapi_ignores_other_redirect_uri"],
)  # fmt: skip
def test_parameters_beside_the_reference_do_not_count(
    rp: Rp, holder: Holder, pushed: dict[str, str | None], beside: dict[str, str]
) -> None:
    browser = holder.world.browser()
    page = open_request(browser, rp, push(rp, holder, **pushed), **beside)
    final = allow(browser, page)
    assert "evil.test" not in final.text
    response = answer_of(final)
    assert response.get("state") == pushed.get("state", "state-1")
    body = holder.redeem(rp, response["code"]).json
    assert claims_of(body["id_token"])["nonce"] == "nonce-1"


def test_test_claims_parameter_identity_claims(rp: Rp, holder: Holder) -> None:
    claims = '{"id_token": {"given_name": {"essential": true}}, "userinfo": {"family_name": null}}'
    body = tokens(rp, holder, scope="openid", claims=claims)
    assert claims_of(body["id_token"])["given_name"] == "Ada"
    assert holder.get(body["access_token"]).json["family_name"] == "Moreau"


def test_test_essential_acr_sca_claim(rp: Rp, holder: Holder) -> None:
    """A level that the gateway does not have is not reached."""
    claims = '{"id_token": {"acr": {"essential": true, "value": "urn:openbanking:psd2:sca"}}}'
    browser = holder.world.browser()
    page = open_request(browser, rp, push(rp, holder, claims=claims))
    refused = answer_of(browser.sign_in(holder.world.account(), page=page))
    assert refused["error"] in ("unmet_authentication_requirements", "access_denied")


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "dPoP"])
def test_access_token_type_header_case_sensitivity(rp: Rp, holder: Holder, scheme: str) -> None:
    assert holder.get(tokens(rp, holder)["access_token"], scheme=scheme).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"iat": -10}, {"iat": 10}, {"nbf": 0, "exp": 60}],
    ids=["ensure_dpopproof_with_iat_10seconds_before_succeeds",
         "ensure_dpopproof_with_iat_10seconds_after_succeeds", "check_dpop_proof_nbf_exp"],
)  # fmt: skip
def test_proofs_that_are_valid(rp: Rp, holder: Holder, changes: dict[str, int]) -> None:
    """Each number is seconds from now."""
    code, now = answer(rp, holder)["code"], int(holder.world.clock.now().timestamp())
    times = {name: now + seconds for name, seconds in changes.items()}
    form = {"grant_type": CODE, "code": code, "redirect_uri": rp.redirect_uri,
            "code_verifier": VERIFIER}  # fmt: skip
    response = holder.post(rp, proof=holder.proof(**times), **form)
    assert response.status_code == 200
    access = response.json["access_token"]
    assert holder.get(access, **times).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"htm": "DELETE"}, {"htu": f"{ISSUER}/other"}, {"iat": None}, {"iat": 0}, {"jti": None},
     {"ath": None}, {"ath": ath("other")}],
    ids=str,
)  # fmt: skip
def test_dpop_negative_tests(rp: Rp, holder: Holder, changes: dict[str, Any]) -> None:
    access = tokens(rp, holder)["access_token"]
    assert holder.get(access, **changes).status_code == 401
    assert holder.get(access).status_code == 200


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"jwk": None}, {"alg": "none"}], ids=str)
def test_dpop_negative_tests_of_the_header(
    rp: Rp, holder: Holder, header: dict[str, str | None]
) -> None:
    access = tokens(rp, holder)["access_token"]
    jwk = dict(holder.key.as_dict(private=False))
    shown = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk} | header
    text = json.dumps({name: value for name, value in shown.items() if value is not None})
    _, *rest = holder.proof("GET", USERINFO, ath=ath(access)).split(".")
    proof = ".".join([urlsafe_b64encode(text.encode()).decode().rstrip("="), *rest])
    answer = fetch(holder.world, USERINFO, Authorization=f"DPoP {access}", DPoP=proof)
    assert answer.status_code == 401


def test_ensure_mismatched_dpop_jkt_fails(rp: Rp, holder: Holder) -> None:
    """``dpop_jkt`` is not the key of the proof of the pushed request."""
    params = rp.authorize_params(dpop_jkt=Holder(holder.world, OTHER).jkt)
    assert error_of(holder.post(rp, PAR, **params)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "how",
    ["ensure_token_endpoint_fails_with_mismatched_dpop_jkt",
     "ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt"],
)  # fmt: skip
def test_another_key_redeems_no_code(rp: Rp, holder: Holder, how: str) -> None:
    world = holder.world
    if how.endswith("proof_jkt"):
        pushed = holder.post(rp, PAR, **rp.authorize_params())
    else:
        pushed = push(rp, holder, dpop_jkt=holder.jkt)
    browser = world.browser()
    code = answer_of(allow(browser, open_request(browser, rp, pushed)))["code"]
    assert error_of(Holder(world, OTHER).redeem(rp, code)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "how", ["ensure_dpopproof_at_par_endpoint_binding_success",
            "ensure_dpop_auth_code_binding_success"],
)  # fmt: skip
def test_the_bound_key_redeems_the_code(rp: Rp, holder: Holder, how: str) -> None:
    params = rp.authorize_params()
    if how.startswith("ensure_dpop_auth"):
        params["dpop_jkt"] = holder.jkt
    browser = holder.world.browser()
    pushed = holder.post(rp, PAR, **params)
    code = answer_of(allow(browser, open_request(browser, rp, pushed)))["code"]
    assert holder.redeem(rp, code).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"redirect_uri": None}, "invalid_request"),
     ({"redirect_uri": "https://emi.rp.test/other"}, "invalid_request"),
     ({"response_type": "code id_token"}, "unsupported_response_type"),
     ({"response_type": "token"}, "unsupported_response_type"),
     ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
     ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
     ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request")],
    ids=["ensure_redirect_uri_in_authorization_request", "ensure_registered_redirect_uri",
         "ensure_response_type_code_idtoken_fails", "ensure_response_type_token_fails",
         "par_authorization_request_containing_request_uri_form_param", "par_ensure_pkce_required",
         "par_plain_pkce_rejected"],
)  # fmt: skip
def test_pushed_requests_that_are_refused(
    rp: Rp, holder: Holder, changes: dict[str, str | None], error: str
) -> None:
    assert error_of(push(rp, holder, **changes)) == (400, error)


def test_par_without_duplicate_parameters(rp: Rp, holder: Holder) -> None:
    """``redirect_uri`` and ``scope`` need not be sent again with the reference."""
    browser = holder.world.browser()
    assert "code" in answer_of(allow(browser, open_request(browser, rp, push(rp, holder))))


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_par_attempt_invalid_http_method(rp: Rp, holder: Holder, method: str) -> None:
    client = holder.world.app.test_client(use_cookies=False)
    assert client.open(PAR, method=method, base_url=ISSUER).status_code == 405


def test_ensure_unsigned_authorization_request_without_using_par_fails(
    rp: Rp, holder: Holder
) -> None:
    refused = answer_of(holder.world.browser().get(AUTHORIZE, **rp.authorize_params()))
    assert refused["error"] == "invalid_request"


def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(
    rp: Rp, holder: Holder
) -> None:
    pushed, browser = push(rp, holder), holder.world.browser()
    open_request(browser, rp, pushed)
    assert "code" in answer_of(allow(browser, open_request(browser, rp, pushed)))


def test_par_attempt_reuse_request_uri(rp: Rp, holder: Holder) -> None:
    pushed, browser = push(rp, holder), holder.world.browser()
    allow(browser, open_request(browser, rp, pushed))
    assert is_page(open_request(browser, rp, pushed))


def test_par_attempt_to_use_expired_request_uri(rp: Rp, holder: Holder) -> None:
    pushed = push(rp, holder)
    holder.world.clock.advance(seconds=pushed.json["expires_in"] + 1)
    assert is_page(open_request(holder.world.browser(), rp, pushed))


def test_par_attempt_to_use_request_uri_for_different_client(rp: Rp, holder: Holder) -> None:
    other = register(holder.world, "CROW")
    assert is_page(open_request(holder.world.browser(), other, push(rp, holder)))


@pytest.mark.parametrize(
    "changes",
    [{"aud": [ISSUER, "https://other.test"]}, {"aud": ISSUER + PAR}, {"aud": ISSUER + TOKEN},
     {"aud": "https://other.test"}, {"exp": -300}, {"nbf": 70}],
    ids=["par_test_array_as_audience_fails", "par_test_par_endpoint_url_as_audience_fails",
         "par_test_token_endpoint_url_as_audience_fails",
         "ensure_client_assertion_with_wrong_aud_fails",
         "ensure_client_assertion_with_exp_is_5_minutes_in_past_fails",
         "par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails"],
)  # fmt: skip
@pytest.mark.parametrize("path", [PAR, TOKEN])
def test_assertions_that_are_refused(
    rp: Rp, holder: Holder, path: str, changes: dict[str, Any]
) -> None:
    now = int(holder.world.clock.now().timestamp())
    values = {name: now + value if type(value) is int else value for name, value in changes.items()}
    form = {"grant_type": CODE, "code": "x"} | rp.authorize_params()
    response = post(holder.world, path, form | signed(holder.world, rp, **values))
    assert error_of(response) == (401, "invalid_client")


def test_ensure_client_assertion_with_no_sub_fails(rp: Rp, holder: Holder) -> None:
    form = signed(holder.world, rp, sub="") | rp.authorize_params()
    assert error_of(post(holder.world, PAR, form)) == (401, "invalid_client")


def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    rp: Rp, holder: Holder
) -> None:
    later = int(holder.world.clock.now().timestamp()) + 8
    form = signed(holder.world, rp, nbf=later, iat=later) | rp.authorize_params()
    assert post(holder.world, PAR, form).status_code == 201


def test_ensure_signed_client_assertion_with_rs256_fails(world: World, holder: Holder) -> None:
    key = public_key(RSA.as_pem(private=False).decode())
    values: dict[str, Any] = {"auth_method": AuthMethod.KEY, "keys": (key,), SWITCH: True}
    rp = world.relying_party("EMI", **values)
    form = signed(world, rp, "RS256", RSA) | {"grant_type": CODE, "code": "x"}
    assert error_of(post(world, TOKEN, form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "how",
    ["ensure_client_id_in_token_endpoint", "ensure_client_assertion_in_token_endpoint",
     "ensure_holder_of_key_required",
     "ensure_authorization_code_is_bound_to_client", "ensure_pkce_code_verifier_required",
     "incorrect_pkce_code_verifier_rejected", "attempt_reuse_authorization_code_after_one_second",
     "ensure_token_endpoint_fails_with_expired_auth_code"],
)  # fmt: skip
def test_codes_that_are_not_redeemed(rp: Rp, holder: Holder, how: str) -> None:
    world, code = holder.world, answer(rp, holder)["code"]
    form = {"grant_type": CODE, "code": code, "redirect_uri": rp.redirect_uri,
            "code_verifier": VERIFIER}  # fmt: skip
    expected = (400, "invalid_grant")
    if how == "ensure_client_assertion_in_token_endpoint":
        response = post(world, TOKEN, form | {"client_id": rp.client_id}, holder.proof())
        expected = (401, "invalid_client")
    elif how == "ensure_client_id_in_token_endpoint":
        # An assertion that names another client, and that this one signed.
        named = signed(world, register(world, "CROW"), key=OTHER_KEY)
        response = post(world, TOKEN, form | named, holder.proof())
        expected = (401, "invalid_client")
    elif how == "ensure_holder_of_key_required":
        response = world.post(rp, TOKEN, **form)
        expected = (400, "invalid_dpop_proof")
    elif how == "ensure_authorization_code_is_bound_to_client":
        response = holder.post(register(world, "CROW"), **form)
    elif how == "ensure_pkce_code_verifier_required":
        response = holder.post(rp, **{k: v for k, v in form.items() if k != "code_verifier"})
    elif how == "incorrect_pkce_code_verifier_rejected":
        response = holder.post(rp, **(form | {"code_verifier": "w" * 43}))
    elif how == "attempt_reuse_authorization_code_after_one_second":
        access = holder.post(rp, **form).json["access_token"]
        world.clock.advance(seconds=1)
        response = holder.post(rp, **form)
        assert holder.get(access).status_code == 401
    else:
        world.clock.advance(seconds=61)
        response = holder.post(rp, **form)
    assert error_of(response) == expected


def test_refresh_token(rp: Rp, holder: Holder) -> None:
    """Without rotation, bound to the client, and with a proof."""
    body = tokens(rp, holder)
    again = holder.refresh(rp, body["refresh_token"])
    assert again.status_code == 200
    assert again.json["access_token"] != body["access_token"]
    assert "refresh_token" not in again.json
    assert error_of(holder.world.refresh(rp, body["refresh_token"])) == (400, "invalid_dpop_proof")
    other = register(holder.world, "CROW")
    assert error_of(holder.refresh(other, body["refresh_token"])) == (400, "invalid_grant")
