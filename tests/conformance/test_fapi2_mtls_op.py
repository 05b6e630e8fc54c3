"""FAPI 2.0 Security Profile, final (mTLS, mTLS): a test for each module in which the certificate
decides, by its name without the prefix ``fapi2-security-profile-final-``. The others do the same as
with ``private_key_jwt`` and DPoP."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from conformance.plans import PLANS, configuration, possible
from idp.credentials.assertions import public_key
from idp.credentials.hashing import PasswordHasher
from idp.demo import conformance_part
from idp.demo.home import Home
from idp.demo.seed import seed
from idp.settings import Settings
from tests.certificates import HEADER, NAMES, VERIFIED, Certificate
from tests.conformance.flow import DISCOVERY, USERINFO
from tests.conformance.test_fapi2_op import allow, open_request
from tests.security.test_dpop import ISSUER, PAR, claims_of, error_of, fetch
from tests.security.test_fapi2 import SWITCH
from tests.security.test_mutual_tls import SELF_SIGNED, TLS, thumbprint_of
from tests.world import TOKEN, VERIFIER, Rp, World, answer_of

MTLS_URL = "https://mtls.gateway.test"
CODE = "authorization_code"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A gateway whose proxy sends certificates."""
    return replace(
        settings,
        trusted_proxies=("127.0.0.1/32",),
        client_certificate_header=HEADER,
        client_certificate_verified_header=VERIFIED,
        mtls_url=MTLS_URL,
        # The applications of the demonstration run beside it.
        outbound_networks=("127.0.0.0/8", "::1/128"),
    )


@dataclass
class Holder:
    """A client with its certificate."""

    world: World
    rp: Rp
    certificate: Certificate
    verified: str

    def post(self, path: str, *, certified: bool = True, **form: str) -> TestResponse:
        headers = self.certificate.headers(verified=self.verified) if certified else {}
        return self.world.app.test_client(use_cookies=False).post(
            path, data={"client_id": self.rp.client_id} | form, headers=headers, base_url=ISSUER
        )

    def code(self) -> str:
        pushed = self.post(PAR, **self.rp.authorize_params())
        browser = self.world.browser()
        return answer_of(allow(browser, open_request(browser, self.rp, pushed)))["code"]

    def redeem(self, code: str, *, certified: bool = True) -> TestResponse:
        form = {"code": code, "redirect_uri": self.rp.redirect_uri, "code_verifier": VERIFIER}
        return self.post(TOKEN, certified=certified, grant_type=CODE, **form)

    def tokens(self) -> dict[str, Any]:
        return dict(self.redeem(self.code()).json or {})

    def userinfo(self, token: str, scheme: str = "Bearer") -> TestResponse:
        headers = self.certificate.headers(verified=self.verified)
        return fetch(self.world, USERINFO, Authorization=f"{scheme} {token}", **headers)


def by_authority(world: World) -> Holder:
    values: dict[str, Any] = {"tls_subject_field": "san_dns", "tls_subject": "emi.example"}
    return registered(world, "EMI", TLS, Certificate(names=NAMES), "SUCCESS", **values)


def by_itself(world: World) -> Holder:
    own = Certificate("CN=crow,C=CA")
    return registered(world, "CROW", SELF_SIGNED, own, "NONE", keys=(public_key(own.pem),))


def registered(world: World, name: str, method: str, certificate: Certificate, verified: str,
               **values: Any) -> Holder:  # fmt: skip
    """As the demonstration registers it: not trusted."""
    common = {"certificate_bound_tokens": True, "trusted": False, SWITCH: True}
    rp = world.relying_party(name, auth_method=method, **common, **values)
    return Holder(world, rp, certificate, verified)


@pytest.fixture(params=[by_authority, by_itself], ids=lambda made: made.__name__)
def holder(world: World, request: pytest.FixtureRequest) -> Holder:
    return request.param(world)


def test_discovery_end_point_verification(world: World) -> None:
    known = fetch(world, DISCOVERY).json
    assert {TLS, SELF_SIGNED} <= set(known["token_endpoint_auth_methods_supported"])
    assert known["tls_client_certificate_bound_access_tokens"] is True
    aliases = known["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == MTLS_URL + TOKEN
    assert aliases["pushed_authorization_request_endpoint"] == MTLS_URL + PAR
    assert "authorization_endpoint" not in aliases
    assert aliases.keys() <= known.keys()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_access_token_type_header_case_sensitivity(world: World, scheme: str) -> None:
    holder = by_authority(world)
    assert holder.userinfo(holder.tokens()["access_token"], scheme).status_code == 200


def test_happy_flow(holder: Holder) -> None:
    """And another client's certificate does not work with the token."""
    body = holder.tokens()
    assert claims_of(body["id_token"])["nonce"] == "nonce-1"
    assert body["token_type"] == "Bearer"
    assert claims_of(body["access_token"])["cnf"] == {"x5t#S256": thumbprint_of(holder.certificate)}
    known = holder.userinfo(body["access_token"]).json
    assert known["sub"] == claims_of(body["id_token"])["sub"]
    other = replace(holder, certificate=Certificate())
    assert other.userinfo(body["access_token"]).status_code == 401


def test_ensure_holder_of_key_required(holder: Holder) -> None:
    assert error_of(holder.redeem(holder.code(), certified=False)) == (401, "invalid_client")


def test_ensure_client_id_in_token_endpoint(world: World) -> None:
    """A certificate with the ``client_id`` of another client."""
    holder, other = by_authority(world), by_itself(world)
    mixed = replace(holder, rp=other.rp)
    assert error_of(mixed.redeem(holder.code())) == (401, "invalid_client")


def test_ensure_authorization_code_is_bound_to_client(world: World) -> None:
    holder, other = by_authority(world), by_itself(world)
    assert error_of(other.redeem(holder.code())) == (400, "invalid_grant")


def test_refresh_token(world: World) -> None:
    """Without rotation, and for its client with its certificate only."""
    holder, other = by_authority(world), by_itself(world)
    form = {"grant_type": "refresh_token", "refresh_token": holder.tokens()["refresh_token"]}
    again = holder.post(TOKEN, **form)
    assert again.status_code == 200
    assert "refresh_token" not in again.json
    assert holder.userinfo(again.json["access_token"]).status_code == 200
    assert error_of(holder.post(TOKEN, certified=False, **form)) == (401, "invalid_client")
    assert error_of(other.post(TOKEN, **form)) == (400, "invalid_grant")


def test_the_demonstration_prepares_the_plans(world: World, tmp_path: Path) -> None:
    """Once and again, with the same certificates; every plan has its settings."""
    runtime = world.worker_runtime
    home = Home(tmp_path, 0, public=ISSUER, mtls=MTLS_URL)
    suite = "https://localhost:8443"
    hasher, written = PasswordHasher(world.settings), []
    seed(runtime, hasher, home)
    for _ in range(2):
        conformance_part.prepare(runtime, hasher, home, suite)
        written.append(json.loads((tmp_path / "conformance.json").read_text()))
    known, again = written
    assert known["certificates"] == again["certificates"]
    assert possible(known) == list(PLANS)
    assert "fapi2-mtls" not in possible(known | {"certificates": {}})
    found = configuration(PLANS["fapi2-mtls"], known)
    assert found["resource"] == {"resourceUrl": MTLS_URL + USERINFO}
    for client, pair in (("client", "mtls"), ("client2", "mtls2")):
        assert found[client]["client_id"] in known["certificates"]
        assert found[pair]["cert"].startswith("-----BEGIN CERTIFICATE")
        assert found[pair]["key"].startswith("-----BEGIN PRIVATE KEY")
    assert (tmp_path / "conformance-authority.pem").exists()
