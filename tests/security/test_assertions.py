"""``private_key_jwt`` of clients and machine accounts, and replacement of their credentials (RFC
7523 section 3, FAPI 2.0 section 5.3.2.1; MA-06, MA-09, MA-10; N28, N35, N44, N45)."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from idp.credentials import assertions
from idp.credentials.assertions import ASSERTION_TYPE, public_key
from idp.directory import accounts
from idp.errors import Conflict, Invalid
from idp.machines import machine_accounts, machine_keys, registered_networks
from idp.models import AccountKind, AccountState, AuthMethod
from tests.security.test_machines import INSIDE, NAME, NETWORKS, OUTSIDE, basic, token, verify
from tests.world import NEW_PASSWORD, PASSWORD, TOKEN, Rp, World

ISSUER = "https://gateway.test"
EC, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
NUMBERS = count()
RSA = RSAKey.generate_key(2048)


def pem(key: Any) -> str:
    return str(key.as_pem(private=False).decode())


def assertion(
    world: World, name: str, key: Any = EC, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A valid assertion with these changes. None removes a claim."""
    now = int(world.clock.now().timestamp())
    claims = {"iss": name, "sub": name, "aud": ISSUER, "iat": now, "exp": now + 60,
              "jti": f"j{next(NUMBERS)}"} | changes  # fmt: skip
    shown = {"alg": "RS256" if key is RSA else "ES256"} | (header or {})
    kept = {k: v for k, v in claims.items() if v is not None}
    return jwt.encode(shown, kept, key, algorithms=[shown["alg"]])


def send(world: World, value: str, *, ip: str = INSIDE, path: str = TOKEN, headers: Any = None,
         **form: str) -> TestResponse:  # fmt: skip
    sent = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": value}
    if path == TOKEN:
        sent["grant_type"] = "client_credentials"
    return world.app.test_client(use_cookies=False).post(
        path, data=sent | form, headers=headers or {}, base_url=ISSUER,
        environ_base={"REMOTE_ADDR": ip},
    )  # fmt: skip


def refused(answer: TestResponse) -> bool:
    return answer.status_code == 401 and (answer.json or {})["error"] == "invalid_client"


@pytest.fixture
def client(world: World) -> Rp:
    """A SCIM client with two keys."""
    return world.relying_party(
        "Registration", auth_method=AuthMethod.KEY, grant_types=("client_credentials",),
        keys=(public_key(pem(EC)), public_key(json.dumps(RSA.as_dict(private=False)))),
        scopes=("scim",), redirect_uris=(), post_logout_redirect_uris=(), home_url="",
    )  # fmt: skip


@pytest.fixture
def machine(world: World) -> Rp:
    """An application and a machine account with a key that may use it from two networks."""
    rp = world.relying_party("MIM", is_resource_server=True, audience="https://mim.rp.test/soap")
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        row = accounts.by_username(work, NAME)
        registered_networks.replace(work, row, NETWORKS)
        machine_keys.add(work, row, pem(EC), label="Robot")
    return rp


def use(world: World, value: str, **more: Any) -> TestResponse:
    return send(world, value, resource="https://mim.rp.test/soap", **more)


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (RSA, "RS256"), (RSA, "PS256")])
def test_a_client_authenticates_with_either_of_its_keys(
    world: World, client: Rp, key: Any, alg: str
) -> None:
    """RFC 7523: at the token, introspection and revocation endpoints, and for SCIM."""
    answer = send(world, assertion(world, "registration", key, {"alg": alg}))
    assert answer.status_code == 200, answer.text
    issued = answer.json["access_token"]
    found = send(world, assertion(world, "registration", key), path="/oauth2/v1/introspect",
                 token=issued)  # fmt: skip
    assert found.json["active"]
    users = world.app.test_client().get(
        "/scim/v2/Users", headers={"Authorization": f"Bearer {issued}"}, base_url=ISSUER
    )
    assert users.status_code == 200
    gone = send(world, assertion(world, "registration", key), path="/oauth2/v1/revoke",
                token=issued)  # fmt: skip
    assert gone.status_code == 200


def test_n45_every_bad_assertion_gets_the_same_answer(world: World, client: Rp) -> None:
    """N44, N45, RFC 7523 section 3: a wrong subject, audience, time or signature gets the same
    answer. The audit trail counts them."""
    now = int(world.clock.now().timestamp())
    bad: list[dict[str, Any]] = [
        {"iss": "emi"}, {"sub": "emi"}, {"iss": None}, {"sub": None}, {"aud": None},
        {"aud": f"{ISSUER}{TOKEN}"}, {"aud": [ISSUER]}, {"aud": f"{ISSUER}/"}, {"aud": "x"},
        {"exp": None}, {"exp": now}, {"exp": now - 60}, {"exp": now + 3620}, {"exp": "soon"},
        {"exp": True}, {"exp": 1e400}, {"iat": now + 60}, {"nbf": now + 60}, {"iat": "x"},
        {"jti": None}, {"jti": ""}, {"jti": 7}, {"jti": "x" * 300},
    ]  # fmt: skip
    signed = [assertion(world, "registration", **changes) for changes in bad]
    signed.append(assertion(world, "registration", OTHER))
    for extra in (
        {"jku": "https://x.test"},
        {"jwk": EC.as_dict(private=False)},
        {"x5u": "https://x.test"},
    ):
        signed.append(assertion(world, "registration", EC, extra))
    public = OctKey.import_key(str(RSA.as_dict(private=False)["n"]))
    claims = {"iss": "registration", "sub": "registration", "aud": ISSUER, "exp": now + 60,
              "jti": "confused"}  # fmt: skip
    signed.append(jwt.encode({"alg": "HS256"}, claims, public, algorithms=["HS256"]))
    good = assertion(world, "registration")
    head, body, signature = good.split(".")
    signed += [f"{head}.{body}.", f"{head}.{body}", f"e30.{body}.{signature}", "x", "..", "a.b.c",
               good + "x", f"{head}.{body}.{signature}.", "é" * 20, "a." + "A" * 900 + ".b",
               assertion(world, "nobody"), assertion(world, "emi")]  # fmt: skip
    for value in signed:
        assert refused(send(world, value)), value
    # Those that name the client are counted by check, the others all together.
    reasons = {row.reason for row in world.events("client.refused")}
    assert reasons == {"iss", "aud", "exp", "iat", "nbf", "jti", "signature",
                       "method_not_registered"}  # fmt: skip
    assert {row.client_id for row in world.events("client.refused")} == {"registration"}
    assert [row.data["count"] for row in world.events("token.refused")] == [1]
    assert send(world, good).status_code == 200


def test_an_assertion_is_accepted_once(world: World, client: Rp) -> None:
    """A second use is refused at every endpoint. A small difference of clocks is accepted."""
    value = assertion(world, "registration", jti="once")
    assert send(world, value).status_code == 200
    assert refused(send(world, value))
    assert refused(send(world, value, path="/oauth2/v1/introspect", token="x"))
    now = int(world.clock.now().timestamp())
    for changes in ({"iat": now + 9, "nbf": now + 9}, {"iat": None}, {"exp": now + 3600.5}):
        assert send(world, assertion(world, "registration", **changes)).status_code == 200


def test_n28_an_assertion_with_another_method_is_refused(world: World, client: Rp) -> None:
    """N28: refused with a secret, a header, another client id or another type. A client with keys
    has no secret, and a client with a secret cannot use an assertion."""
    value = assertion(world, "registration")
    for answer in (
        send(world, value, client_secret="x"),
        send(world, value, headers={"Authorization": basic("registration", "x")}),
        send(world, value, client_id="emi"),
    ):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert refused(send(world, value, client_assertion_type="urn:x"))
    rp = world.relying_party("Plain", grant_types=("client_credentials",), scopes=("x",))
    assert refused(send(world, assertion(world, "plain")))
    assert world.post(rp, grant_type="client_credentials").status_code == 200
    assert send(world, value, client_id="registration").status_code == 200


def test_keys_are_public_and_long_enough() -> None:
    """Only a public key of an accepted type and length can be registered, as JWK or PEM."""
    assert public_key(pem(EC)) == public_key(json.dumps(EC.as_dict(private=False)))
    assert set(public_key(pem(RSA))) == {"kty", "n", "e", "kid"}
    private = json.dumps(EC.as_dict(private=True))
    short = json.dumps({"kty": "RSA", "n": "AQAB" * 40, "e": "AQAB"})
    for bad in (private, EC.as_pem(private=True).decode(), short, "", "x", "{}", "[]", '{"kty":7}',
                '{"kty":"oct","k":"AAAA"}', pem(ECKey.generate_key("P-384")), "{" * 5000,
                json.dumps({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})):  # fmt: skip
        with pytest.raises(Invalid):
            public_key(bad)


def test_ma06_a_machine_signs_from_a_registered_network(world: World, machine: Rp) -> None:
    """MA-06, N35: it gets a token with its role groups. From another network the right signature is
    refused. The audit trail names the account, and the key shows when it was used."""
    answer = use(world, assertion(world, NAME))
    assert answer.status_code == 200, answer.text
    found = world.introspect(machine, answer.json["access_token"])
    assert (found["username"], found["groups"]) == (NAME, ["MIM Web Services"])
    assert refused(use(world, assertion(world, NAME), ip=OUTSIDE))
    assert refused(use(world, assertion(world, NAME, OTHER)))
    assert refused(use(world, assertion(world, "APIIESO00099")))
    reasons = [event.reason for event in world.events("machine.refused")]
    assert reasons == ["network_not_registered", "wrong_key", "unknown_account"]
    assert world.events("machine.refused")[1].data["check"] == "signature"
    for _ in range(30):
        assert refused(use(world, assertion(world, NAME, OTHER)))
    assert token(world).status_code == 200
    with world.work() as work:
        (row,) = machine_keys.of(work, accounts.by_username(work, NAME))
        assert row.last_used_at == world.clock.now()


def test_n58_a_key_ends_by_expiry_removal_and_suspension(world: World, machine: Rp) -> None:
    """N58: expiry, removal, suspension. Removing a key revokes the tokens."""
    issued = use(world, assertion(world, NAME)).json["access_token"]
    world.set_state(NAME, AccountState.SUSPENDED)
    assert refused(use(world, assertion(world, NAME)))
    world.set_state(NAME, AccountState.ACTIVE)
    with world.work() as work:
        row = accounts.by_username(work, NAME)
        machine_keys.add(work, row, pem(OTHER), label="Second", days=730)
        with pytest.raises(Conflict):
            machine_keys.add(work, row, pem(OTHER), label="Again")
        for bad in ({"label": ""}, {"label": "x" * 61}, {"label": "x", "days": 731},
                    {"label": "x", "days": 0}):  # fmt: skip
            with pytest.raises(Invalid):
                machine_keys.add(work, row, pem(RSA), **bad)
    again = use(world, assertion(world, NAME, OTHER)).json["access_token"]
    assert not world.introspect(machine, issued)["active"]
    with world.work() as work:
        row = accounts.by_username(work, NAME)
        machine_keys.revoke(work, row, str(public_key(pem(OTHER))["kid"]))
    assert not world.introspect(machine, again)["active"]
    assert refused(use(world, assertion(world, NAME, OTHER)))
    assert use(world, assertion(world, NAME)).status_code == 200
    world.clock.advance(days=366)
    assert refused(use(world, assertion(world, NAME)))


def change(world: World, hours: str, *, new: str = NEW_PASSWORD) -> Any:
    """The custodian changes the password, with an overlap."""
    browser = world.browser().signed_in(NAME)
    page = browser.get("/settings/password")
    assert "Keep the previous password valid for programs" in page.text
    return browser.submit(page, "/settings/password", current=PASSWORD, password=new, again=new,
                          overlap=hours)  # fmt: skip


def test_ma09_programs_keep_working_during_an_overlap(world: World, machine: Rp) -> None:
    """MA-09: both passwords are accepted and tokens stay valid, until the time is over or the
    custodian ends the overlap. Nobody can sign in with the former password."""
    issued = token(world).json["access_token"]
    assert change(world, "24").status_code == 200
    assert world.introspect(machine, issued)["active"]
    for password in (PASSWORD, NEW_PASSWORD):
        assert token(world, client_secret=password).status_code == 200
        assert verify(world, authorization=basic(password=password)).status_code == 204
    assert token(world, ip=OUTSIDE).status_code == 401
    assert world.browser().sign_in(NAME, PASSWORD).status_code == 400
    world.clock.advance(hours=24)
    assert token(world).status_code == 401
    assert verify(world).status_code == 401
    assert token(world, client_secret=NEW_PASSWORD).status_code == 200


def test_ma09_the_overlap_is_ended_on_demand_or_by_another_password(
    world: World, machine: Rp
) -> None:
    assert change(world, "168").status_code == 200
    browser = world.browser().signed_in(NAME, NEW_PASSWORD)
    page = browser.get("/settings/programs")
    assert "The previous password works until" in page.text
    done = browser.submit(page, "/settings/programs/former/end")
    assert "The previous password no longer works." in done.text
    assert token(world).status_code == 401
    assert token(world, client_secret=NEW_PASSWORD).status_code == 200


def test_without_an_overlap_the_old_password_ends_at_once(world: World, machine: Rp) -> None:
    issued = token(world).json["access_token"]
    assert change(world, "5").status_code == 400
    assert token(world).status_code == 200
    assert change(world, "0").status_code == 200
    assert not world.introspect(machine, issued)["active"]
    assert token(world).status_code == 401


def test_ma10_a_custodian_change_ends_keys_and_overlap(world: World, machine: Rp) -> None:
    """MA-10: no credential that the former custodian knows is accepted."""
    assert change(world, "168").status_code == 200
    with world.work() as work:
        new = accounts.get_or_create_person(
            work,
            accounts.NewPerson(
                person_id="P-9", given_name="Ada", family_name="King", email="k@participant.example"
            ),
        )
        machine_accounts.change_custodian(work, accounts.by_username(work, NAME), new)  # fmt: skip
    world.set_state(NAME, AccountState.ACTIVE)
    assert refused(use(world, assertion(world, NAME)))
    assert token(world).status_code == 401


def test_the_custodian_manages_keys(world: World, machine: Rp) -> None:
    """MA-09: the custodian confirms their identity, then registers, lists and removes keys. People
    have none."""
    browser = world.browser().signed_in(NAME)
    assert "Robot" in browser.get("/settings/programs").text
    proof = browser.get("/settings/programs/keys")
    assert "/settings/verify" in proof.request.path
    page = browser.submit(proof, "/settings/verify", current=PASSWORD)
    for fields in ({"key": "x"}, {"key": pem(EC)}, {"label": ""}, {"days": "x"}):
        sent = {"label": "Second", "key": pem(OTHER), "days": "30"} | fields
        bad = browser.submit(page, "/settings/programs/keys", **sent)
        assert (bad.status_code, "cannot be registered" in bad.text) == (400, True), fields
    done = browser.submit(
        page, "/settings/programs/keys", label="Second", key=pem(OTHER), days="30"
    )
    assert "The key is registered." in done.text
    assert "Second" in done.text
    mail = world.mails("machine_key_added")[-1]
    assert "Second" in mail.text
    assert use(world, assertion(world, NAME, OTHER)).status_code == 200
    kid = public_key(pem(OTHER))["kid"]
    page = browser.get("/settings/programs")
    gone = browser.submit(page, f"/settings/programs/keys/{kid}/remove")
    assert "The key was removed" in gone.text
    assert browser.post(f"/settings/programs/keys/{kid}/remove",
                        {"csrf_token": "x"}).status_code == 400  # fmt: skip
    person = world.account("jonesj")
    other = world.browser().signed_in(person)
    for path in ("/settings/programs", "/settings/programs/keys"):
        found = other.get(path)
        assert found.status_code == 404 or "/settings/verify" in found.request.path
    assert "/settings/programs" not in other.get("/settings").text


def test_the_custodian_is_told_which_check_fails(world: World, machine: Rp) -> None:
    """The page shows which check fails, and why a program was refused."""
    token(world, ip=OUTSIDE)
    verify(world, authorization=basic(password="Wrong-password-1"))
    browser = world.browser().signed_in(NAME)
    page = browser.get("/settings/programs")
    assert "The address is not in a registered network." in page.text
    assert "The password was incorrect." in page.text
    assert OUTSIDE in page.text
    bad = browser.submit(page, "/settings/programs/test", ip="here", service="")
    assert (bad.status_code, "Enter a valid IP address." in bad.text) == (400, True)
    found = browser.submit(page, "/settings/programs/test", ip=OUTSIDE, service="mim")
    assert "Failed" in found.text
    good = browser.submit(page, "/settings/programs/test", ip=INSIDE, service="mim")
    assert "Failed" not in good.text
    assert "MIM Web Services" in good.text


def test_custodians_are_reminded_of_keys_and_disuse(world: World, machine: Rp) -> None:
    """14 and 3 days before a key expires, once each; after 90 days without use, once in 90 days."""
    world.clock.advance(days=89)
    assert token(world).status_code == 200
    world.run_worker()
    assert world.mails("machine_dormant") == []
    for days, ends, dormant in ((91, 0, 1), (1, 0, 1), (91, 0, 2), (80, 1, 2), (11, 2, 3)):
        world.clock.advance(days=days)
        world.run_worker()
        world.run_worker()
        found = (len(world.mails("machine_key_ends")), len(world.mails("machine_dormant")))
        assert found == (ends, dormant), days
    assert "Robot" in world.mails("machine_key_ends")[-1].text


def test_an_assertion_of_an_unknown_client_takes_the_same_time(
    world: World, client: Rp, machine: Rp
) -> None:
    """N47: one signature is verified even if the name has no keys."""
    counted: list[str] = []
    real = assertions._signed

    def note(value: str, key: Any) -> Any:
        counted.append("once")
        return real(value, key)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assertions, "_signed", note)
        for name in ("nobody", "APIIESO00099", NAME):
            counted.clear()
            use(world, assertion(world, name, OTHER))
            assert counted == ["once"], name
