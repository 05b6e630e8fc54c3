"""Machine accounts: tokens and forward authentication (MA-06 to MA-08, MA-11; N35, N58, N71)."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.clients import registry
from idp.directory import accounts
from idp.errors import Invalid, Overloaded
from idp.machines import machine_diagnosis, registered_networks
from idp.machines.machine_authentication import MachineAuthenticator
from idp.machines.verified_passwords import VerifiedPasswords
from idp.models import AccountKind, AccountState
from idp.policy.machine_networks import BadNetwork, canonical
from tests.console.desk import Desk
from tests.oidc.test_statements import count, uses_indexes
from tests.security.test_signed_tokens import userinfo
from tests.world import NEW_PASSWORD, PASSWORD, TOKEN, Rp, World

NAME = "APIIESO00042"
INSIDE, OUTSIDE = "192.0.2.7", "198.51.100.7"
NETWORKS = [("192.0.2.0/28", "Control room"), ("2001:db8:7::/48", "Data centre")]
VERIFY = "/auth/verify"


@pytest.fixture
def service(world: World) -> Rp:
    return web_service(world)


def web_service(world: World) -> Rp:
    """A web service and a machine account that may use it from two networks."""
    rp = world.relying_party("MIM", is_resource_server=True, audience="https://mim.rp.test/soap")
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    return rp


def basic(username: str = NAME, password: str = PASSWORD) -> str:
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def token(world: World, *, ip: str = INSIDE, how: str = "post", **changes: str) -> TestResponse:
    """Client credentials with UserID and password."""
    form = {
        "grant_type": "client_credentials",
        "client_id": NAME,
        "client_secret": PASSWORD,
        "resource": "https://mim.rp.test/soap",
    } | changes
    headers = {}
    if how == "basic":
        headers["Authorization"] = basic(form.pop("client_id"), form.pop("client_secret"))
    return world.app.test_client(use_cookies=False).post(
        TOKEN, data=form, headers=headers, base_url=world.settings.issuer,
        environ_base={"REMOTE_ADDR": ip},
    )  # fmt: skip


def verify(
    world: World,
    *,
    ip: str = INSIDE,
    service: str = "mim",
    authorization: str | None = "",
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """The request that a proxy sends."""
    sent = dict(headers or {})
    if authorization is not None:
        sent["Authorization"] = authorization or basic()
    return world.app.test_client(use_cookies=False).get(
        f"{VERIFY}?service={service}", headers=sent, base_url=world.settings.issuer,
        environ_base={"REMOTE_ADDR": ip},
    )  # fmt: skip


@pytest.mark.parametrize("how", ["post", "basic"])
def test_ma08_a_machine_gets_a_token_for_an_application(
    world: World, service: Rp, how: str
) -> None:
    """MA-08: with its role groups of that application only, also at introspection and userinfo."""
    world.role_group("Other", kind="machine")
    world.grant_role(NAME, "Other")
    answer = token(world, how=how)
    assert answer.status_code == 200, answer.text
    body = answer.json or {}
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert body["scope"] == "groups participants"
    found = world.introspect(service, body["access_token"])
    assert found["active"]
    assert (found["username"], found["client_id"]) == (NAME, NAME)
    assert found["groups"] == ["MIM Web Services"]
    assert found["aud"] == "https://mim.rp.test/soap"
    subject = world.account_row(NAME).subject
    assert (found["sub"], found["acr"]) == (subject, "urn:ieso:acr:password")
    claims = json.loads(_payload(body["access_token"]))
    assert claims["client_id"] == NAME
    assert claims["groups"] == ["MIM Web Services"]
    assert userinfo(world, body["access_token"]).status_code in (200, 403)


def _payload(jwt: str) -> bytes:
    from tests.authenticator import unb64

    return unb64(jwt.split(".")[1])


ADDRESSES = {
    "192.0.2.7": True,
    "192.0.2.15": True,
    "::ffff:192.0.2.7": True,
    "2001:db8:7::1": True,
    "192.0.2.16": False,
    "198.51.100.7": False,
    "2001:db8:8::1": False,
    "127.0.0.1": False,
    "": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_n35_only_registered_networks_are_accepted(world: World, service: Rp, address: str) -> None:
    """N35, MA-06: the right password from another network is refused and recorded. An IPv4 address
    that is mapped to IPv6 counts as IPv4."""
    good = ADDRESSES[address]
    assert token(world, ip=address).status_code == (200 if good else 401)
    assert verify(world, ip=address).status_code == (204 if good else 401)
    if not good:
        event = world.events("machine.refused")[-1]
        assert event.reason == "network_not_registered"
        assert event.ip == (address or None)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": INSIDE},
        {"X-Forwarded-For": f"{INSIDE}, {OUTSIDE}"},
        {"X-Real-IP": INSIDE},
        {"Forwarded": f"for={INSIDE}"},
        {"True-Client-IP": INSIDE},
        {"X-Forwarded-For": "a"},
    ],
)
def test_n35_address_headers_of_the_caller_are_ignored(
    world: World, service: Rp, headers: dict[str, str]
) -> None:
    """N35: without a trusted proxy, the address of the connection is used."""
    assert verify(world, ip=OUTSIDE, headers=headers).status_code == 401


def test_n35_the_address_from_a_trusted_proxy_is_used(world: World, service: Rp) -> None:
    """N35, F2: the header is read from right to left. A value that is not an address is refused."""
    settings = replace(world.settings, trusted_proxies=("127.0.0.1/32",))
    ports = world.app.extensions["runtime"].ports
    world = replace(world, app=create_app(settings, ports), settings=settings)
    sent = {"X-Forwarded-For": f"{OUTSIDE}, {INSIDE}"}
    assert verify(world, ip="127.0.0.1", headers=sent).status_code == 204
    sent = {"X-Forwarded-For": f"{INSIDE}, {OUTSIDE}"}
    assert verify(world, ip="127.0.0.1", headers=sent).status_code == 401
    assert verify(world, ip="127.0.0.1", headers={"X-Forwarded-For": "a"}).status_code == 401
    assert verify(world, ip="127.0.0.1").status_code == 401


def test_n35_an_account_without_networks_is_refused(world: World, service: Rp) -> None:
    """N35: an account without networks cannot authenticate."""
    world.account("APIIESO00043", kind=AccountKind.MACHINE)
    world.grant_role("APIIESO00043", "MIM Web Services")
    answer = token(world, client_id="APIIESO00043")
    assert answer.status_code == 401
    assert world.events("machine.refused")[-1].reason == "network_not_registered"


def test_ma11_forward_auth_returns_identity_headers(world: World, service: Rp) -> None:
    """MA-11: identity headers for the service behind the proxy."""
    world.grant_role(NAME, "MIM Web Services", "111340")
    answer = verify(world)
    assert answer.status_code == 204
    assert answer.headers["X-Gateway-User"] == NAME
    assert answer.headers["X-Gateway-Subject"] == world.account_row(NAME).subject
    assert answer.headers["X-Gateway-Groups"] == "MIM Web Services"
    assert answer.headers["X-Gateway-Participants"] == "109120, 111340"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


BAD = {
    "wrong password": basic(password="wrong"),
    "unknown machine": basic("APIIESO99999"),
    "unknown legacy name": basic("nobody"),
    "empty password": basic(password=""),
    "bearer": "Bearer abc",
    "no base64": "Basic ###",
    "null character": basic("API\0", "x\0"),
    "no colon": f"Basic {b64encode(b'APIIESO00042').decode()}",
    "too long": basic(password="x" * 2000),
    "full-width password": basic(password=PASSWORD.translate({ord("Q"): 0xFF31})),
}


def test_ma11_a_request_without_credentials_is_challenged(world: World, service: Rp) -> None:
    """MA-11, N52: every time. It is not a failed attempt and locks no account."""
    for _ in range(150):
        answer = verify(world, authorization=None)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    for _ in range(150):
        assert token(world, client_secret="").status_code == 401
    assert {event.reason for event in world.events("machine.refused")} == {"no_credentials"}
    assert verify(world).status_code == 204
    assert token(world).status_code == 200


@pytest.mark.parametrize("name", BAD)
def test_ma11_every_failed_authentication_is_401(world: World, service: Rp, name: str) -> None:
    """MA-11: with a challenge. The audit trail has the reason."""
    answer = verify(world, authorization=BAD[name])
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert not [header for header in answer.headers if header[0].startswith("X-Gateway")]
    assert world.events("machine.refused")[-1].reason


@pytest.mark.parametrize("authorization", ["", None, basic(password="wrong"), "Basic ###"])
def test_ma11_a_proxy_without_a_service_name_gets_an_error(
    world: World, service: Rp, authorization: str | None
) -> None:
    """MA-11: whatever credentials the request has. They are not verified."""
    answer = verify(world, service="", authorization=authorization)
    assert (answer.status_code, answer.data) == (403, b"")
    assert answer.headers["X-Gateway-Error"] == "missing_service"
    assert world.events("machine.refused") == []


@pytest.mark.parametrize(
    ("method", "host"), [("OPTIONS", ""), ("POST", ""), ("GET", "https://other.test")]
)
def test_ma11_another_method_or_host_is_403(
    world: World, service: Rp, method: str, host: str
) -> None:
    """MA-11: another method, including OPTIONS, or another host."""
    answer = world.app.test_client(use_cookies=False).open(
        f"{VERIFY}?service=mim", method=method, base_url=host or world.settings.issuer,
        headers={"Authorization": basic()}, environ_base={"REMOTE_ADDR": INSIDE},
    )  # fmt: skip
    assert (answer.status_code, answer.data) == (403, b"")
    assert answer.headers["X-Gateway-Error"] == "invalid_request"


def test_ma11_an_internal_error_is_403(world: World, service: Rp) -> None:
    """MA-11: nginx would turn 503 into 500. On overload, without a database, and after a fault."""
    for error, reason, wait in (
        (Overloaded("no room"), "temporarily_unavailable", "5"),
        (OperationalError("SELECT", {}, Exception("no answer")), "temporarily_unavailable", "5"),
        (RuntimeError("fault"), "server_error", None),
    ):
        with patch.object(MachineAuthenticator, "authenticate", side_effect=error):
            answer = verify(world)
        assert (answer.status_code, answer.data) == (403, b"")
        assert answer.headers["X-Gateway-Error"] == reason
        assert answer.headers.get("Retry-After") == wait
    assert verify(world).status_code == 204


def test_ma08_each_service_requires_its_own_role_group(world: World, service: Rp) -> None:
    """MA-08: 403 for a service that is unknown or disabled, or of which the account has no role
    group."""
    world.relying_party("Other")
    for name in ("other", "nowhere"):
        answer = verify(world, service=name)
        assert answer.status_code == 403, name
        assert answer.headers["X-Gateway-Error"] == "access_denied"
    assert token(world, resource="other").json == {
        "error": "invalid_target",
        "error_description": "This account is not authorized for this resource.",
    }
    assert token(world, resource="").status_code == 400
    # Whoever did not prove the rest does not hear of it.
    assert token(world, resource="other", client_secret="wrong").status_code == 401
    assert verify(world, service="other", ip=OUTSIDE).status_code == 401
    world.revoke_role(NAME, "MIM Web Services")
    assert verify(world).status_code == 403
    world.grant_role(NAME, "MIM Web Services")
    assert verify(world).status_code == 204
    with world.work() as work:
        registry.disable(work, registry.get(work, "mim"))
    assert verify(world).status_code == 403


@pytest.mark.parametrize(
    "state", [one for one in AccountState if one not in (AccountState.ACTIVE, AccountState.PENDING)]
)
def test_n58_every_state_but_active_ends_access_at_once(
    world: World, service: Rp, state: AccountState
) -> None:
    """N58: although the password was verified a moment ago. Tokens end too."""
    issued = (token(world).json or {})["access_token"]
    assert verify(world).status_code == 204
    world.set_state(NAME, state)
    assert verify(world).status_code == 401
    assert token(world).status_code == 401
    assert world.introspect(service, issued) == {"active": False}


def test_n33_a_revoked_role_group_ends_access_at_once(world: World, service: Rp) -> None:
    """N33: from the next token, forward authentication, and introspection of an earlier token."""
    world.role_group("MIM Reports", "mim", kind="machine")
    world.grant_role(NAME, "MIM Reports")
    issued = (token(world).json or {})["access_token"]
    assert world.introspect(service, issued)["groups"] == ["MIM Reports", "MIM Web Services"]
    world.revoke_role(NAME, "MIM Web Services")
    assert world.introspect(service, issued)["groups"] == ["MIM Reports"]
    assert verify(world).headers["X-Gateway-Groups"] == "MIM Reports"
    fresh = json.loads(_payload((token(world).json or {})["access_token"]))
    assert fresh["groups"] == ["MIM Reports"]
    world.revoke_role(NAME, "MIM Reports")
    assert verify(world).status_code == 403
    assert token(world).status_code in (400, 403)


def test_n71_a_temporary_password_is_refused_for_programs(world: World, service: Rp) -> None:
    """N71: the former password is not accepted either."""
    temporary = Desk.of(world).temporary_password(NAME)
    for password in (temporary, PASSWORD):
        assert token(world, client_secret=password).status_code == 401
        assert verify(world, authorization=basic(password=password)).status_code == 401


def test_a_verified_password_costs_one_hash_a_minute(world: World, service: Rp) -> None:
    """500 requests a second cost one bcrypt hash. Any change of the account has effect at once."""
    hasher = world.app.extensions["hasher"]
    with patch.object(hasher, "verify", wraps=hasher.verify) as spy:
        for _ in range(10):
            assert verify(world).status_code == 204
        assert token(world).status_code == 200
        assert spy.call_count == 1
        world.clock.advance(seconds=60)
        assert verify(world).status_code == 204
        assert spy.call_count == 2
        assert verify(world, authorization=basic(password="wrong")).status_code == 401
        assert spy.call_count == 3
    with world.work() as work:
        from idp.credentials import passwords

        account = accounts.by_username(work, NAME)
        assert passwords.change(work, hasher, account, NEW_PASSWORD, source="test") == ()
    assert verify(world).status_code == 401
    assert verify(world, authorization=basic(password=NEW_PASSWORD)).status_code == 204


def test_the_cache_of_verified_passwords_is_bounded_and_contains_digests() -> None:
    """A process keeps at most ten thousand digests, each for a minute, even if the clock is set
    back."""
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 11, 25, tzinfo=UTC)
    known = VerifiedPasswords()
    known.add("a", now)
    assert known.contains("a", now)
    assert not known.contains("a", now + timedelta(seconds=60))
    assert not known.contains("a", now - timedelta(hours=1))
    for n in range(10_001):
        known.add(str(n), now)
    assert len(known._expires) <= 10_000


def test_n51_guesses_from_other_networks_do_not_lock_a_machine_account(
    world: World, service: Rp
) -> None:
    """N49, N51: failures are counted for the registered network that they come from. Attempts from
    elsewhere are refused in any case."""
    for _ in range(15):
        assert verify(world, ip=OUTSIDE, authorization=basic(password="x")).status_code == 401
    assert verify(world).status_code == 204
    world.clock.advance(minutes=2)
    for n in range(10):
        assert verify(world, authorization=basic(password=f"x{n}")).status_code == 401
    assert verify(world).status_code == 401
    assert token(world).status_code == 401
    assert world.events("machine.refused")[-1].reason == "throttled"
    assert verify(world, ip="192.0.2.8").status_code == 204
    world.clock.advance(minutes=15)
    assert verify(world).status_code == 204


def test_a_machine_account_gets_only_its_role_groups(world: World, service: Rp) -> None:
    """No scopes about people, no ID token, no refresh token. A person cannot use this grant
    type."""
    for scope in ("openid", "groups openid", "offline_access", "email", "scim", "groups  x"):
        assert (token(world, scope=scope).json or {})["error"] == "invalid_scope", scope
    assert (token(world, scope="groups").json or {})["scope"] == "groups"
    username = world.account()
    answer = token(world, client_id=username)
    assert answer.status_code == 401
    for grant in ("password", "refresh_token", "authorization_code"):
        assert token(world, grant_type=grant).status_code in (400, 401), grant


def test_tokens_end_when_their_network_is_removed(world: World, service: Rp) -> None:
    """MA-02: tokens too. The custodian gets a mail."""
    issued = (token(world).json or {})["access_token"]
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS[1:])
    assert world.introspect(service, issued) == {"active": False}
    assert verify(world).status_code == 401
    assert "2001:db8:7::/48" in world.mails("networks_changed", to=NAME)[-1].text
    before = len(world.mails())
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS[1:])
    assert len(world.mails()) == before


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        (" 192.0.2.0/24 ", "192.0.2.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("10.0.0.0/16", "10.0.0.0/16"),
    ],
)
def test_ma02_networks_are_stored_in_one_form(typed: str, expected: str) -> None:
    """MA-02: IPv4 and IPv6."""
    assert canonical(typed) == expected


@pytest.mark.parametrize(
    "typed",
    ["", "a", "192.0.2.7/24", "0.0.0.0/0", "::/0", "10.0.0.0/8", "192.0.2.256", "0.0.0.0/32",
     "224.0.0.1", "169.254.1.1", "fe80::1", "::ffff:192.0.2.1", "192.0.2.1-5", "localhost"],
)  # fmt: skip
def test_ma02_an_invalid_network_is_refused(world: World, service: Rp, typed: str) -> None:
    """MA-02: blank, invalid, much too large, or not assigned to anybody."""
    with pytest.raises(BadNetwork):
        canonical(typed)
    with pytest.raises(Invalid), world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), [(typed, "")])
    assert verify(world).status_code == 204


def test_ma02_a_machine_account_needs_a_network_and_others_have_none(
    world: World, service: Rp
) -> None:
    """MA-02."""
    person = world.account()
    for username, wanted in ((NAME, []), (person, NETWORKS), (NAME, [("192.0.2.1", "x" * 61)])):
        with pytest.raises(Invalid), world.work() as work:
            registered_networks.replace(work, accounts.by_username(work, username), wanted)


def test_diagnosis_names_the_check_that_fails(world: World, service: Rp) -> None:
    """Network, state or role group. A diagnosis is not counted as an attempt."""

    def failing(ip: str, name: str = "mim") -> list[str]:
        with world.work() as work:
            account = accounts.by_username(work, NAME)
            found = machine_diagnosis.diagnose(work, account, ip, registry.get(work, name))
        return [check.name for check in found if not check.is_met]

    assert failing(INSIDE) == []
    assert failing(OUTSIDE) == ["network"]
    world.relying_party("Other")
    assert failing(INSIDE, "other") == ["role group"]
    for n in range(10):
        verify(world, authorization=basic(password=f"x{n}"))
    assert failing(INSIDE) == ["lock"]
    world.set_state(NAME, AccountState.SUSPENDED)
    assert "state" in failing(INSIDE)


def allowed(world: World) -> Any:
    """The answer of forward authentication, counted as good."""
    answer = verify(world)
    assert answer.status_code == 204
    answer.status_code = 200
    return answer


def test_forward_auth_needs_a_fixed_number_of_statements(world: World, service: Rp) -> None:
    """Account with networks and revision, role groups, lock; the client is in memory. Nothing is
    written, and no table is read as a whole."""
    verify(world)
    assert len(count(world, lambda: allowed(world))) <= 3
    uses_indexes(world, lambda: allowed(world))


AT = f"{NAME}@109120"


@pytest.mark.parametrize("how", ["post", "basic"])
def test_ma08_a_login_with_a_participant_gets_the_role_groups_there(
    world: World, service: Rp, how: str
) -> None:
    """MA-08, MA-11: the form of login of the operator's web services. It gives the role groups at
    that participant only."""
    world.role_group("MIM Read", service.client_id, kind="machine")
    world.grant_role(NAME, "MIM Read", "109121")
    issued = token(world, how=how, client_id=AT).json["access_token"]
    found = world.introspect(service, issued)
    assert (found["username"], found["groups"]) == (NAME, ["MIM Web Services"])
    assert [row["id"] for row in found["urn:ieso:participants"]] == ["109120"]
    assert json.loads(_payload(issued))["groups"] == ["MIM Web Services"]
    answer = verify(world, authorization=basic(AT))
    assert answer.status_code == 204
    assert answer.headers["X-Gateway-User"] == NAME
    assert answer.headers["X-Gateway-Participants"] == "109120"
    assert answer.headers["X-Gateway-Groups"] == "MIM Web Services"
    whole = world.introspect(service, token(world, how=how).json["access_token"])
    assert whole["groups"] == ["MIM Read", "MIM Web Services"]


@pytest.mark.parametrize(
    "name", [f"{NAME}@109121", f"{NAME}@", f"{NAME}@x@109120", f"{NAME}@109120 ", "@109120"]
)
def test_ma08_a_login_with_another_participant_is_refused(
    world: World, service: Rp, name: str
) -> None:
    """MA-08: an account without a role group at the participant gets that reason only if everything
    else is right. An unknown account gets the same answer as every failure."""
    known = name.startswith(f"{NAME}@") and name.count("@") == 1
    answer = token(world, client_id=name)
    assert answer.status_code == (400 if known else 401)
    assert answer.json["error"] == ("invalid_target" if known else "invalid_client")
    assert verify(world, authorization=basic(name)).status_code == (403 if known else 401)
    wrong = token(world, client_id=name, client_secret="x")
    assert (wrong.status_code, wrong.json["error"]) == (401, "invalid_client")


def test_n49_both_names_of_a_machine_share_one_counter(world: World, service: Rp) -> None:
    """N49: the other form of the login gives no further attempts."""
    for number in range(10):
        verify(world, authorization=basic(AT if number % 2 else NAME, f"x{number}"))
    assert verify(world).status_code == 401
    assert world.events("machine.refused")[-1].account_id is not None
