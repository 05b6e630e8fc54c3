"""DPoP (RFC 9449): what is bound to a key, each check of a proof, and that a proof is used once
(N26, N30, N33, N34, N41 to N46)."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.clients import registry
from idp.clients.client_data import current_data
from idp.credentials import dpop_proofs
from idp.directory import accounts
from idp.machines import registered_networks
from idp.maintenance import purge
from idp.models import AccountKind
from idp.policy.registered_values import DPOP_ALGS
from tests.security.test_machines import INSIDE, NAME, NETWORKS, basic
from tests.security.test_token_tables import (
    GRANT_NAMES,
    WHERE_SCIM,
    WHERE_USERINFO,
    assert_dead,
    client_of,
    good_request,
    userinfo,
)
from tests.world import TOKEN, VERIFIER, Rp, World, answer_of

ISSUER = "https://gateway.test"
PAR, USERINFO, SCIM = "/oauth2/v1/par", "/oauth2/v1/userinfo", "/scim/v2/Users"
NUMBERS = count()
EC, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
OTHER_KEY = "This needs a DPoP proof of the key that it is bound to."
ALGS = 'algs="ES256 ES384 PS256 RS256 Ed25519 EdDSA"'


class LongHeaders(jws.JWSRegistry):
    """The library bounds headers below the length of an RSA key."""

    max_header_length = 8192


def public(key: Key) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def ath(token: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")


@dataclass
class Holder:
    """A client's key, and the proofs that it signs."""

    world: World
    key: Key = field(default_factory=lambda: EC)
    alg: str = "ES256"
    #: Members of the header and claims that differ from good ones; None leaves one out.
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def jkt(self) -> str:
        return str(self.key.thumbprint())

    def proof(self, method: str = "POST", path: str = TOKEN, **changes: Any) -> str:
        claims = {"htm": method, "htu": ISSUER + path, "jti": f"proof-{next(NUMBERS)}",
                  "iat": int(self.world.clock.now().timestamp())} | changes  # fmt: skip
        shown = {"typ": "dpop+jwt", "alg": self.alg, "jwk": public(self.key)} | self.header
        registry = LongHeaders(algorithms=[self.alg], strict_check_header=False)
        kept = {k: v for k, v in claims.items() if v is not None}
        signed = {k: v for k, v in shown.items() if v is not None}
        return jwt.encode(signed, kept, self.key, registry=registry, default_type=None)

    def post(
        self, rp: Rp, path: str = TOKEN, proof: str | None = None, **form: str
    ) -> TestResponse:
        """A POST of the client with a fresh proof, or with this one."""
        return send(
            self.world, rp, self.proof("POST", path) if proof is None else proof, path, **form
        )

    def redeem(self, rp: Rp, code: str) -> TestResponse:
        return self.post(rp, grant_type="authorization_code", code=code,
                         redirect_uri=rp.redirect_uri, code_verifier=VERIFIER)  # fmt: skip

    def refresh(self, rp: Rp, token: str) -> TestResponse:
        return self.post(rp, grant_type="refresh_token", refresh_token=token)

    def get(
        self, token: str, path: str = USERINFO, scheme: str = "DPoP", **changes: Any
    ) -> TestResponse:
        proof = self.proof("GET", path, **({"ath": ath(token)} | changes))
        return fetch(self.world, path, Authorization=f"{scheme} {token}", DPoP=proof)

    def tokens(self, rp: Rp, username: str | None = None) -> dict[str, Any]:
        code = self.world.browser().code(rp, username or self.world.account())
        response = self.redeem(rp, code)
        assert response.status_code == 200, response.text
        return dict(response.json or {})


def send(world: World, rp: Rp, proof: str | None, path: str = TOKEN, **form: str) -> TestResponse:
    auth = rp.auth()
    headers = auth["headers"] | ({} if proof is None else {"DPoP": proof})
    return world.app.test_client(use_cookies=False).post(
        path, data=auth["form"] | form, headers=headers, base_url=world.settings.issuer
    )


def fetch(world: World, path: str, **headers: str) -> TestResponse:
    return world.app.test_client(use_cookies=False).get(
        path, headers=headers, base_url=world.settings.issuer
    )


def own(world: World, **more: Any) -> Rp:
    """A client that acts for itself."""
    return client_of(world, name="Own", **more)


def strict(world: World) -> World:
    """The same gateway with required nonces."""
    settings = replace(world.settings, require_dpop_nonces=True)
    app = create_app(settings, world.app.extensions["runtime"].ports)
    return replace(world, settings=settings, app=app)


def error_of(response: TestResponse) -> tuple[int, str]:
    return response.status_code, (response.json or {}).get("error", "")


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(_decoded(part)))


def test_an_access_token_is_bound_to_the_key_of_the_proof(world: World) -> None:
    """Sections 5, 6.1 and 6.2: token_type, cnf in the JWT and at introspection."""
    rp, holder = world.relying_party(), Holder(world)
    tokens = holder.tokens(rp)
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": holder.jkt}
    found = world.introspect(rp, tokens["access_token"])
    assert (found["token_type"], found["cnf"]) == ("DPoP", {"jkt": holder.jkt})
    assert holder.get(tokens["access_token"]).status_code == 200
    # Section 5: that of a confidential client is bound to its credentials.
    assert "cnf" not in world.introspect(rp, tokens["refresh_token"])
    plain = world.refresh(rp, tokens["refresh_token"])
    assert plain.json["token_type"] == "Bearer"
    assert "cnf" not in claims_of(plain.json["access_token"])
    assert userinfo(world, plain.json["access_token"]).status_code == 200


def test_an_opaque_token_is_bound_too(world: World) -> None:
    rp, holder = world.relying_party(access_token_format="opaque"), Holder(world)
    token = holder.tokens(rp)["access_token"]
    assert world.introspect(rp, token)["cnf"] == {"jkt": holder.jkt}
    assert holder.get(token).status_code == 200
    assert userinfo(world, token).status_code == 401


def test_each_algorithm_of_discovery_works(world: World) -> None:
    """Sections 5.1 and 11.6."""
    rp, keys = own(world), {
        "ES256": EC, "ES384": ECKey.generate_key("P-384"), "PS256": RSA, "RS256": RSA,
        "Ed25519": OKPKey.generate_key("Ed25519"),
    }  # fmt: skip
    for alg, key in keys.items():
        holder = Holder(world, key, alg)
        response = holder.post(rp, grant_type="client_credentials")
        assert response.status_code == 200, (alg, response.text)
        assert claims_of(response.json["access_token"])["cnf"] == {"jkt": holder.jkt}
    path = "/.well-known/openid-configuration"
    found = world.app.test_client().get(path, base_url=ISSUER).json
    assert found["dpop_signing_alg_values_supported"] == [*keys, "EdDSA"] == list(DPOP_ALGS)


def test_the_former_name_of_ed25519_works(world: World) -> None:
    """RFC 9864: many libraries still say EdDSA. Signed by hand, because ours warns of it."""
    key = OKPKey.generate_key("Ed25519")
    assert isinstance(key, OKPKey)
    holder = Holder(world, key, "Ed25519")
    _, claims, _ = holder.proof().split(".")
    header = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public(key)}
    signed = f"{_part(header)}.{claims}"
    signature = key.raw_value.sign(signed.encode())  # type: ignore[union-attr]
    proof = f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"
    answer = holder.post(own(world), proof=proof, grant_type="client_credentials")
    assert answer.status_code == 200, answer.text


def _part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _unsigned(world: World) -> str:
    _, claims, _ = Holder(world).proof().split(".")
    return f"{_part({'typ': 'dpop+jwt', 'alg': 'none', 'jwk': public(EC)})}.{claims}."


def _hmac(world: World) -> str:
    """N42: signed with the public key as a secret."""
    secret = OctKey.import_key(json.dumps(public(EC)).encode())
    claims = json.loads(_decoded(Holder(world).proof().split(".")[1]))
    header = {"typ": "dpop+jwt", "alg": "HS256", "jwk": public(EC)}
    return jwt.encode(header, claims, secret, registry=LongHeaders(algorithms=["HS256"]))


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _other_signature(world: World) -> str:
    return ".".join((*Holder(world).proof().split(".")[:2],
                     Holder(world, OTHER).proof().split(".")[2]))  # fmt: skip


def with_header(**header: Any) -> Callable[[World], str]:
    return lambda world: Holder(world, header=header).proof()


def with_raw_header(**header: Any) -> Callable[[World], str]:
    """With what the library does not sign; it is refused before the signature is verified."""
    shown = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public(EC)} | header
    return lambda world: f"{_part(shown)}.{Holder(world).proof().partition('.')[2]}"


def with_claims(**claims: Any) -> Callable[[World], str]:
    return lambda world: Holder(world).proof(**claims)


def at(seconds: float, name: str = "iat") -> Callable[[World], str]:
    return lambda world: Holder(world).proof(**{name: world.clock.now().timestamp() + seconds})


def _weak_rsa(**changes: str) -> Callable[[World], str]:
    return lambda world: Holder(world, RSA, "RS256", header={"jwk": public(RSA) | changes}).proof()


PRIVATE_EC = dict(EC.as_dict(private=True))
BAD: dict[str, tuple[Callable[[World], str], str]] = {
    "two headers": (lambda world: f"{_unsigned(world)},{_unsigned(world)}", "more_than_one"),
    "empty": (lambda _: "", "form"),
    "no JWT": (lambda _: "proof", "form"),
    "four parts": (lambda world: Holder(world).proof() + ".x", "form"),
    "not ASCII": (lambda _: "é.é.é", "form"),
    "long": (lambda world: Holder(world).proof(more="x" * 9000), "form"),
    "header is a list": (lambda _: f"{_part([])}.e30.x", "form"),
    "nested header": (lambda _: f"{urlsafe_b64encode(b'[' * 5000).decode()}.e30.x", "form"),
    "typ JWT": (with_header(typ="JWT"), "typ"),
    "no typ": (with_header(typ=None), "typ"),
    "alg none": (_unsigned, "alg"),
    "alg HS256": (_hmac, "alg"),
    "alg of another key": (lambda world: Holder(world, header={"jwk": public(RSA)}).proof(), "alg"),
    "curve of another alg": (
        lambda world: Holder(
            world, header={"jwk": public(ECKey.generate_key("P-384"))}
        ).proof(),
        "alg",
    ),
    "symmetric key": (with_header(jwk={"kty": "oct", "k": "AAAA"}), "private_key"),
    "unknown key": (with_header(jwk={"kty": ["EC"], "crv": {}}), "alg"),
    "private key": (with_header(jwk=PRIVATE_EC), "private_key"),
    "no jwk": (with_header(jwk=None), "jwk"),
    "jwk is a text": (with_raw_header(jwk="key"), "jwk"),
    "incomplete jwk": (with_header(jwk={"kty": "EC", "crv": "P-256"}), "jwk"),
    "jwk not on the curve": (with_header(jwk=public(EC) | {"x": public(OTHER)["x"]}), "jwk"),
    "short RSA key": (_weak_rsa(n="AQAB" * 30), "jwk"),
    "long RSA key": (_weak_rsa(n="_" * 700), "jwk"),
    "large RSA exponent": (_weak_rsa(e="_" * 8), "jwk"),
    "crit": (with_raw_header(crit=["x"], x="y"), "header"),
    "b64": (with_raw_header(b64=False), "header"),
    "jku": (with_header(jku="https://evil.test/keys"), "header"),
    "x5c": (with_header(x5c=["AAAA"]), "header"),
    "other signature": (_other_signature, "signature"),
    "no signature": (lambda world: Holder(world).proof().rpartition(".")[0] + ".", "signature"),
    "other key in the header": (with_header(jwk=public(OTHER)), "signature"),
    "no jti": (with_claims(jti=None), "jti"),
    "empty jti": (with_claims(jti=""), "jti"),
    "number as jti": (with_claims(jti=7), "jti"),
    "long jti": (with_claims(jti="x" * 256), "jti"),
    "no htm": (with_claims(htm=None), "htm"),
    "GET": (with_claims(htm="GET"), "htm"),
    "post in lower case": (with_claims(htm="post"), "htm"),
    "no htu": (with_claims(htu=None), "htu"),
    "other host": (with_claims(htu=f"https://evil.test{TOKEN}"), "htu"),
    "other path": (with_claims(htu=ISSUER + PAR), "htu"),
    "http": (with_claims(htu=f"http://gateway.test{TOKEN}"), "htu"),
    "other port": (with_claims(htu=f"https://gateway.test:8443{TOKEN}"), "htu"),
    "bad port": (with_claims(htu=f"https://gateway.test:x{TOKEN}"), "htu"),
    "user in htu": (with_claims(htu=f"https://a@gateway.test{TOKEN}"), "htu"),
    "slash at the end": (with_claims(htu=f"{ISSUER}{TOKEN}/"), "htu"),
    "other case of the path": (with_claims(htu=f"{ISSUER}/OAuth2/v1/token"), "htu"),
    "escaped twice": (with_claims(htu=f"{ISSUER}/oauth2/v1/%2574oken"), "htu"),
    "port 0": (with_claims(htu=f"https://gateway.test:0{TOKEN}"), "htu"),
    "relative htu": (with_claims(htu=TOKEN), "htu"),
    "list as htu": (with_claims(htu=[ISSUER + TOKEN]), "htu"),
    "line break in htu": (with_claims(htu=f"{ISSUER}\n{TOKEN}"), "htu"),
    "no iat": (with_claims(iat=None), "iat"),
    "text as iat": (with_claims(iat="now"), "iat"),
    "true as iat": (with_claims(iat=True), "iat"),
    "old": (at(-61), "iat"),
    "early": (at(61), "iat"),
    "expired": (at(0, "exp"), "exp"),
    "not yet valid": (at(61, "nbf"), "nbf"),
    "text as exp": (with_claims(exp="x"), "exp"),
}  # fmt: skip


def test_n30_n41_to_n46_each_check_of_a_proof(world: World) -> None:
    """Section 4.3: 400 and ``invalid_dpop_proof``; nothing is issued, and the trail has the
    check."""
    rp = own(world)
    for name, (proof, check) in BAD.items():
        answer = send(world, rp, proof(world), grant_type="client_credentials")
        text = f"The DPoP proof is not valid: {check}."
        said = {"error": "invalid_dpop_proof", "error_description": text}
        assert (answer.status_code, answer.json) == (400, said), name
        assert answer.headers["Cache-Control"] == "no-store"
        assert "DPoP-Nonce" not in answer.headers
        assert world.events("token.refused")[-1].data["detail"] == text
    assert not world.events("token.issued")


GOOD: dict[str, Callable[[World], str]] = {
    "a minute old": at(-60),
    "ten seconds old": at(-10),
    "ten seconds early": at(10),
    "a minute early": at(60),
    "valid in eight seconds": at(8, "nbf"),
    "valid for another second": at(1, "exp"),
    "kid": with_header(kid="key-1"),
    "more claims": with_claims(sub="more"),
    "exported by a browser": with_header(jwk=public(EC) | {"ext": True, "key_ops": ["verify"]}),
    "URL in capitals, with port, query and fragment": with_claims(
        htu=f"HTTPS://Gateway.Test:443{TOKEN}?query=1#part"
    ),
    "URL with dots and escapes": with_claims(htu=f"{ISSUER}/x/../oauth2/./v1/%74oken"),
    "URL with escaped dots": with_claims(htu=f"{ISSUER}/x/%2E%2e/oauth2/v1/token"),
}


def test_proofs_that_are_good_enough(world: World) -> None:
    """Clocks may differ by a minute; URLs are compared after normalisation (section 4.3)."""
    rp = own(world)
    for name, proof in GOOD.items():
        answer = send(world, rp, proof(world), grant_type="client_credentials")
        assert answer.status_code == 200, (name, answer.text)


def test_a_proof_may_name_the_address_for_certificates(world: World) -> None:
    """RFC 8705 section 5: the same endpoint under its alias, if there is one."""
    rp, holder = own(world), Holder(world)
    settings = replace(
        world.settings, mtls_url="https://mtls.gateway.test",
        client_certificate_header="X-Client-Certificate", trusted_proxies=("192.0.2.0/28",),
    )  # fmt: skip
    app = create_app(settings, world.app.extensions["runtime"].ports)
    for where, status in ((replace(world, settings=settings, app=app), 200), (world, 400)):
        proof = holder.proof(htu=f"https://mtls.gateway.test{TOKEN}")
        answer = send(where, rp, proof, grant_type="client_credentials")
        assert answer.status_code == status, answer.text


def test_n26_two_header_fields_are_refused(world: World) -> None:
    """Section 4.3: exactly one field, as HTTP sends several."""
    rp, holder = own(world), Holder(world)
    headers = Headers(rp.basic())
    headers.add("DPoP", holder.proof())
    headers.add("DPoP", holder.proof())
    answer = world.app.test_client().post(
        TOKEN, data={"grant_type": "client_credentials"}, headers=headers, base_url=ISSUER
    )
    assert error_of(answer) == (400, "invalid_dpop_proof")


def test_n26_a_proof_is_used_once(world: World) -> None:
    """Section 11.1: also at another endpoint; another key may have the same jti."""
    rp, holder = own(world), Holder(world)
    proof = holder.proof(jti="same")
    assert holder.post(rp, proof=proof, grant_type="client_credentials").status_code == 200
    again = holder.post(rp, proof=proof, grant_type="client_credentials")
    assert again.json["error_description"] == "The DPoP proof is not valid: jti_used."
    elsewhere = holder.post(rp, PAR, proof=holder.proof("POST", PAR, jti="same"), scope="x")
    assert error_of(elsewhere) == (400, "invalid_dpop_proof")
    other = Holder(world, OTHER).proof(jti="same")
    assert holder.post(rp, proof=other, grant_type="client_credentials").status_code == 200


def test_n26_a_proof_of_a_refused_request_is_used_too(world: World) -> None:
    rp, holder = own(world), Holder(world)
    proof = holder.proof()
    bad = holder.post(rp, proof=proof, grant_type="client_credentials", scope="admin")
    assert error_of(bad) == (400, "invalid_scope")
    again = holder.post(rp, proof=proof, grant_type="client_credentials")
    assert error_of(again) == (400, "invalid_dpop_proof")


def test_n26_of_sixteen_at_once_with_one_proof_one_gets_a_token(world: World) -> None:
    """Two processes on one database."""
    rp, proof = own(world), Holder(world).proof()
    apps = [world.app, create_app(world.settings, world.app.extensions["runtime"].ports)]
    barrier, answers = threading.Barrier(16), []

    def ask(app: Any) -> None:
        barrier.wait()
        answer = send(replace(world, app=app), rp, proof, grant_type="client_credentials")
        answers.append(error_of(answer))

    threads = [threading.Thread(target=ask, args=(apps[n % 2],)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(200, "")] + [(400, "invalid_dpop_proof")] * 15


def test_used_proofs_are_purged(world: World) -> None:
    """A day after none of them could be valid."""
    Holder(world).post(own(world), grant_type="client_credentials")
    world.clock.advance(86400 + 129)
    with world.work() as work:
        assert purge.purge_batch(work, "spent_challenges") == 0
    world.clock.advance(2)
    with world.work() as work:
        assert purge.purge_batch(work, "spent_challenges") == 1


def test_the_refresh_token_of_a_public_client_is_bound(world: World) -> None:
    """N33, section 5: without the key it is refused, and the family lives on."""
    rp, holder = client_of(world, "none"), Holder(world)
    tokens = holder.tokens(rp)
    stolen = tokens["refresh_token"]
    for thief in (None, Holder(world, OTHER).proof()):
        answer = send(world, rp, thief, grant_type="refresh_token", refresh_token=stolen)
        assert error_of(answer) == (400, "invalid_grant")
        assert answer.json["error_description"] == OTHER_KEY
    fresh = holder.refresh(rp, stolen)
    assert fresh.status_code == 200, fresh.text
    assert claims_of(fresh.json["access_token"])["cnf"] == {"jkt": holder.jkt}
    # N34: a spent one without the key is no reuse; with the key it is.
    world.clock.advance(60)
    assert error_of(world.refresh(rp, stolen)) == (400, "invalid_grant")
    again = holder.refresh(rp, fresh.json["refresh_token"])
    assert again.status_code == 200, again.text
    assert error_of(holder.refresh(rp, stolen)) == (400, "invalid_grant")
    last = again.json["access_token"]
    assert error_of(holder.get(last)) == (401, "invalid_token")


def test_a_public_client_can_begin_to_use_a_key(world: World) -> None:
    """The refresh token that follows is bound to it."""
    rp, holder = client_of(world, "none"), Holder(world)
    plain = world.signed_in_tokens(rp, world.account())
    bound = holder.refresh(rp, plain["refresh_token"])
    assert bound.json["token_type"] == "DPoP"
    assert error_of(world.refresh(rp, bound.json["refresh_token"])) == (400, "invalid_grant")
    assert holder.refresh(rp, bound.json["refresh_token"]).status_code == 200


def test_a_lost_answer_is_repeated_with_a_new_proof(world: World) -> None:
    """The same request within ten seconds gets the same successor."""
    rp, holder = client_of(world, "none"), Holder(world)
    token = holder.tokens(rp)["refresh_token"]
    first, second = holder.refresh(rp, token), holder.refresh(rp, token)
    assert first.json["refresh_token"] == second.json["refresh_token"]


def test_n24_a_code_is_bound_by_dpop_jkt(world: World) -> None:
    """Section 10: another key, or none, spends the code."""
    rp, holder, username = world.relying_party(), Holder(world), world.account()
    browser = world.browser()
    code = browser.code(rp, username, dpop_jkt=holder.jkt)
    assert holder.redeem(rp, code).status_code == 200
    for redeem in (Holder(world, OTHER).redeem, world.redeem):
        code = browser.code(rp, username, dpop_jkt=holder.jkt)
        answer = redeem(rp, code)
        assert error_of(answer) == (400, "invalid_grant")
        assert answer.json["error_description"] == OTHER_KEY
        assert error_of(holder.redeem(rp, code)) == (400, "invalid_grant")


def test_a_malformed_dpop_jkt_is_refused(world: World) -> None:
    """Before anybody signs in, and at PAR."""
    rp, browser = world.relying_party(), world.browser()
    for jkt in ("x", "a" * 44, "a" * 42 + "=", "é" * 43):
        answer = answer_of(browser.authorize(rp, dpop_jkt=jkt))
        assert answer["error"] == "invalid_request"
        assert answer["error_description"] == "The dpop_jkt is malformed."
        pushed = send(world, rp, None, PAR, **rp.authorize_params(dpop_jkt=jkt))
        assert error_of(pushed) == (400, "invalid_request")


def test_a_proof_at_par_binds_the_code(world: World) -> None:
    """Section 10.1, with dpop_jkt of the same key or without."""
    rp, holder, username = world.relying_party(), Holder(world), world.account()
    for jkt in (None, holder.jkt):
        pushed = holder.post(rp, PAR, **rp.authorize_params(dpop_jkt=jkt))
        assert pushed.status_code == 201, pushed.text
        for redeem, status in ((Holder(world, OTHER).redeem, 400), (holder.redeem, 200)):
            pushed = holder.post(rp, PAR, **rp.authorize_params(dpop_jkt=jkt))
            browser = world.browser()
            asked = {"client_id": rp.client_id, "request_uri": pushed.json["request_uri"]}
            page = browser.get("/oauth2/v1/authorize", **asked)
            code = answer_of(browser.sign_in(username, page=page))["code"]
            assert redeem(rp, code).status_code == status


def test_a_bad_proof_at_par_is_refused(world: World) -> None:
    """Section 10.1: another key than ``dpop_jkt``; the proof of another endpoint."""
    rp, holder = world.relying_party(), Holder(world)
    other = Holder(world, OTHER).jkt
    answer = holder.post(rp, PAR, **rp.authorize_params(dpop_jkt=other))
    assert error_of(answer) == (400, "invalid_request")
    assert answer.json["error_description"] == (
        "The dpop_jkt is not that of the key of the DPoP proof."
    )
    answer = holder.post(rp, PAR, proof=holder.proof(), **rp.authorize_params())
    assert error_of(answer) == (400, "invalid_dpop_proof")


RESOURCE_REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no ath": ({"ath": None}, "The DPoP proof is not valid: ath."),
    "ath of another token": ({"ath": ath("x")}, "The DPoP proof is not valid: ath."),
    "number as ath": ({"ath": 1}, "The DPoP proof is not valid: ath."),
    "POST": ({"htm": "POST"}, "The DPoP proof is not valid: htm."),
    "other URL": ({"htu": ISSUER + TOKEN}, "The DPoP proof is not valid: htu."),
    "old": ({"iat": 1}, "The DPoP proof is not valid: iat."),
}


def test_n30_a_bad_proof_at_userinfo_is_a_401(world: World) -> None:
    """Sections 4.3 and 7.1: 401 with the scheme, the error and the algorithms."""
    holder = Holder(world)
    token = holder.tokens(world.relying_party())["access_token"]
    for name, (changes, text) in RESOURCE_REFUSALS.items():
        answer = holder.get(token, **changes)
        said = {"error": "invalid_dpop_proof", "error_description": text}
        assert (answer.status_code, answer.json) == (401, said), name
        assert answer.headers.getlist("WWW-Authenticate") == [
            f'DPoP error="invalid_dpop_proof", error_description="{text}", {ALGS}, {WHERE_USERINFO}'
        ]
        assert answer.headers["Cache-Control"] == "no-store"
    assert holder.get(token).status_code == 200


def test_n26_a_proof_at_userinfo_is_used_once(world: World) -> None:
    holder = Holder(world)
    token = holder.tokens(world.relying_party())["access_token"]
    proof = holder.proof("GET", USERINFO, ath=ath(token))
    answers = [fetch(world, USERINFO, Authorization=f"dpop {token}", DPoP=proof) for _ in "12"]
    assert [answer.status_code for answer in answers] == [200, 401]


def test_n45_a_token_is_used_with_its_scheme_and_its_key_only(world: World) -> None:
    """Section 7.1 and 7.2: no bound token as Bearer or in the form, no plain one as DPoP, no other
    key, no missing proof."""
    rp, holder, username = world.relying_party(), Holder(world), world.account()
    bound = holder.tokens(rp, username)["access_token"]
    plain = world.signed_in_tokens(rp, username)["access_token"]
    form = world.app.test_client().post(USERINFO, data={"access_token": bound}, base_url=ISSUER)
    none = fetch(world, USERINFO, Authorization=f"DPoP {bound}")
    answers = {
        "Bearer": (userinfo(world, bound), holder.get(bound, scheme="Bearer"), form),
        "DPoP": (holder.get(plain), Holder(world, OTHER).get(bound), none),
    }
    for scheme, refused in answers.items():
        for answer in refused:
            code = "invalid_dpop_proof" if answer is none else "invalid_token"
            assert error_of(answer) == (401, code)
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith(f"{scheme} ")
            assert f'error="{code}"' in challenge
            assert (ALGS in challenge) is (scheme == "DPoP")
    assert holder.get(bound, scheme="dPoP").status_code == 200
    assert userinfo(world, plain).status_code == 200


def test_a_request_without_a_token_learns_both_schemes(world: World) -> None:
    """Section 7.2."""
    challenges = fetch(world, USERINFO).headers.getlist("WWW-Authenticate")
    assert challenges == [
        f'Bearer realm="{ISSUER}", {WHERE_USERINFO}', f"DPoP {ALGS}, {WHERE_USERINFO}"
    ]  # fmt: skip


def test_an_ended_token_is_dead_with_its_key_too(world: World) -> None:
    rp, holder = world.relying_party(), Holder(world)
    tokens = holder.tokens(rp)
    # Section 5: revocation and introspection take no proof.
    assert world.post(rp, "/oauth2/v1/revoke", token=tokens["access_token"]).status_code == 200
    assert error_of(holder.get(tokens["access_token"])) == (401, "invalid_token")
    assert_dead(world, rp, tokens["access_token"])


@pytest.fixture
def pusher(world: World) -> Rp:
    return world.relying_party(
        "Registration", grant_types=("client_credentials",), scopes=("scim",), redirect_uris=(),
        post_logout_redirect_uris=(), home_url="", dpop_bound_access_tokens=True,
    )  # fmt: skip


def test_n80_scim_demands_the_proof(world: World, pusher: Rp) -> None:
    """Section 7: as at userinfo."""
    holder = Holder(world)
    token = holder.post(pusher, grant_type="client_credentials").json["access_token"]
    assert holder.get(token, SCIM).status_code == 200
    # The server sees the path without its escapes.
    unknown = holder.get(token, f"{SCIM}/no%20body%3F")
    assert (unknown.status_code, "DPoP-Nonce" in unknown.headers) == (404, False)
    as_bearer = fetch(world, SCIM, Authorization=f"Bearer {token}")
    other = Holder(world, OTHER).get(token, SCIM)
    no_ath = holder.get(token, SCIM, ath=None)
    assert [answer.status_code for answer in (as_bearer, other, no_ath)] == [401] * 3
    assert as_bearer.headers["WWW-Authenticate"].startswith('Bearer realm="SCIM", error="invalid_')
    assert other.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
    assert no_ath.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    assert fetch(world, SCIM).headers.getlist("WWW-Authenticate") == [
        f'Bearer realm="SCIM", {WHERE_SCIM}', f"DPoP {ALGS}, {WHERE_SCIM}"
    ]  # fmt: skip


def test_n26_a_push_that_is_refused_or_tried_uses_up_its_proof(world: World, pusher: Rp) -> None:
    """Its transaction is rolled back, that of the proof is not."""
    holder = Holder(world)
    token = holder.post(pusher, grant_type="client_credentials").json["access_token"]
    client = world.app.test_client(use_cookies=False)
    for query, first in (("", 400), ("?dryRun=true", 400)):
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": holder.proof("POST", SCIM, ath=ath(token)),
            "Content-Type": "application/scim+json",
        }
        answers = [
            client.post(SCIM + query, data="{}", headers=headers, base_url=ISSUER) for _ in "12"
        ]
        assert [answer.status_code for answer in answers] == [first, 401]


@pytest.mark.parametrize("grant", GRANT_NAMES)
def test_tokens_of_every_grant_type_are_bound_and_the_demand_counts_for_all(
    world: World, grant: str
) -> None:
    """Sections 5 and 5.2."""
    rp, holder = client_of(world), Holder(world)
    request = good_request(world, grant, rp, world.account())
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        registry.update(work, client, replace(current_data(client), dpop_bound_access_tokens=True))
    assert error_of(world.post(rp, **request)) == (400, "invalid_dpop_proof")
    answer = holder.post(rp, **request)
    assert answer.status_code == 200, answer.text
    assert answer.json["token_type"] == "DPoP"
    assert claims_of(answer.json["access_token"])["cnf"] == {"jkt": holder.jkt}


def test_a_client_can_be_made_to_use_dpop(world: World, pusher: Rp) -> None:
    """Section 5.2: no token without a proof, by any grant."""
    rp = world.relying_party(dpop_bound_access_tokens=True)
    holder, code = Holder(world), world.browser().code(rp, world.account())
    missing = "This client must send a DPoP proof."
    for answer in (
        world.redeem(rp, code),
        world.post(pusher, grant_type="client_credentials"),
    ):
        assert answer.json == {"error": "invalid_dpop_proof", "error_description": missing}
        assert answer.status_code == 400
    # Nothing was spent.
    tokens = holder.redeem(rp, code).json
    answer = world.refresh(rp, tokens["refresh_token"])
    assert error_of(answer) == (400, "invalid_dpop_proof")
    assert holder.refresh(rp, tokens["refresh_token"]).status_code == 200


def test_required_nonces_are_demanded_before_anything_is_spent(world: World) -> None:
    """Section 8: 400 with the nonce; the same code works with it."""
    world = strict(world)
    rp, holder = world.relying_party(), Holder(world)
    code = world.browser().code(rp, world.account())
    asked = holder.redeem(rp, code)
    assert error_of(asked) == (400, "use_dpop_nonce")
    assert asked.headers["Cache-Control"] == "no-store"
    assert not world.events("token.refused")
    nonce = asked.headers["DPoP-Nonce"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri,
            "code_verifier": VERIFIER}  # fmt: skip
    given = holder.post(rp, proof=holder.proof(nonce=nonce), **form)
    assert given.status_code == 200, given.text
    assert "DPoP-Nonce" not in given.headers
    assert error_of(holder.post(rp, PAR, **rp.authorize_params())) == (400, "use_dpop_nonce")
    token = given.json["access_token"]
    at_userinfo = holder.get(token)
    assert error_of(at_userinfo) == (401, "use_dpop_nonce")
    assert at_userinfo.headers["DPoP-Nonce"] == nonce
    assert 'DPoP error="use_dpop_nonce"' in at_userinfo.headers["WWW-Authenticate"]
    assert holder.get(token, nonce=nonce).status_code == 200


def test_a_nonce_lasts_for_its_period_and_the_next(world: World) -> None:
    """Section 8.2: a fresh one comes while the former still works; then it is refused. It is never
    ignored, even where none is required."""
    lenient, rp, holder = world, own(world), Holder(world)
    demanding = strict(world)
    world.clock.advance(dpop_proofs.NONCE_PERIOD - int(world.clock.now().timestamp()) % 300)

    def ask(where: World, nonce: Any) -> TestResponse:
        return send(where, rp, holder.proof(nonce=nonce), grant_type="client_credentials")

    first = ask(demanding, None).headers["DPoP-Nonce"]
    for where in (demanding, lenient):
        present = ask(where, first)
        assert (present.status_code, present.headers.get("DPoP-Nonce")) == (200, None)
    world.clock.advance(dpop_proofs.NONCE_PERIOD)
    renewed = ask(demanding, first)
    second = renewed.headers["DPoP-Nonce"]
    assert (renewed.status_code, second != first) == (200, True)
    world.clock.advance(dpop_proofs.NONCE_PERIOD - 1)
    assert ask(demanding, first).status_code == 200
    # A process whose clock is a little ahead has made the next one already.
    with world.work() as work:
        ahead = dpop_proofs.nonce(work, 1)
    assert ask(demanding, ahead).status_code == 200
    world.clock.advance(1)
    for where in (demanding, lenient):
        for nonce in (first, "made up", 7, "", ["x"]):
            assert error_of(ask(where, nonce)) == (400, "use_dpop_nonce")
    assert ask(lenient, None).status_code == 200


def test_nonces_are_those_of_every_process_and_survive_a_change_of_the_secret_key(
    world: World,
) -> None:
    """They are calculated from the secret key and its former ones."""
    demanding, holder, rp = strict(world), Holder(world), own(world)
    nonce = Holder(demanding).post(rp, grant_type="client_credentials").headers["DPoP-Nonce"]
    settings = replace(
        demanding.settings, secret_key="n" * 40, secret_key_fallbacks=(world.settings.secret_key,)
    )
    app = create_app(settings, world.app.extensions["runtime"].ports)
    renewed = replace(world, settings=settings, app=app)
    answer = send(renewed, rp, holder.proof(nonce=nonce), grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    assert answer.headers["DPoP-Nonce"] != nonce


def test_scripts_of_registered_origins_can_use_dpop(world: World) -> None:
    """CORS: the header may be sent, the nonce read."""
    world.relying_party(allowed_origins=("https://app.test",))
    for path in (TOKEN, PAR, USERINFO):
        answer = world.app.test_client().options(
            path, base_url=ISSUER, headers={"Origin": "https://app.test"}
        )
        assert "DPoP" in answer.headers["Access-Control-Allow-Headers"].split(", ")
        assert "DPoP-Nonce" in answer.headers["Access-Control-Expose-Headers"].split(", ")


def test_a_machine_account_can_bind_its_tokens(world: World) -> None:
    """The demand on the application is none on its programs."""
    rp = world.relying_party(
        "MIM", is_resource_server=True, audience="https://mim.rp.test/soap",
        dpop_bound_access_tokens=True,
    )  # fmt: skip
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    for proof, kind in ((None, "Bearer"), (Holder(world).proof(), "DPoP")):
        headers = {"Authorization": basic()} | ({"DPoP": proof} if proof else {})
        answer = world.app.test_client().post(
            TOKEN, data={"grant_type": "client_credentials", "resource": "https://mim.rp.test/soap"},
            headers=headers, base_url=ISSUER, environ_base={"REMOTE_ADDR": INSIDE},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert answer.json["token_type"] == kind
