"""Audience and contents of tokens: resource, scope, role groups as strings (RFC 8707, RFC 9068;
MA-08, N14, N32)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idp.clients import registry
from idp.clients.client_data import ClientData
from idp.directory import accounts
from idp.errors import Invalid
from idp.machines import registered_networks
from idp.models import AccountKind
from idp.policy.scopes import TOKEN_EXCHANGE
from tests.security.test_machines import NAME, NETWORKS, token
from tests.security.test_signed_tokens import claims_of, userinfo
from tests.security.test_token_tables import GRANT_NAMES, assert_refused, client_of, good_request
from tests.world import Rp, World, answer_of

FLAT = "urn:ieso:participant_groups"
OWN = {"grant_type": "client_credentials"}
NOT_OURS = "The resource is not allowed for this client."


@pytest.mark.parametrize("grant", [name for name in GRANT_NAMES if name != TOKEN_EXCHANGE])
@pytest.mark.parametrize("audience", ["", "https://api.test"])
def test_a_resource_of_another_client_is_refused_at_token(
    world: World, grant: str, audience: str
) -> None:
    """RFC 8707 section 2: invalid_target for every grant type. The client's own resource is
    accepted, and an empty parameter counts as omitted."""
    rp, username = client_of(world, audience=audience), world.account()
    for resource in ("https://other.test", "x", rp.client_id, f"{audience}/"):
        sent = good_request(world, grant, rp, username) | {"resource": resource}
        assert_refused(world.post(rp, **sent), 400, "invalid_target", NOT_OURS)
    for resource in (audience or world.settings.issuer, ""):
        sent = good_request(world, grant, rp, username) | {"resource": resource}
        answer = world.post(rp, **sent)
        assert answer.status_code == 200, answer.text
        found = claims_of((answer.json or {})["access_token"])
        assert found["aud"] == (audience or world.settings.issuer)


def test_a_refused_resource_does_not_spend_the_code(world: World) -> None:
    """RFC 8707: the error is in the request, so the code is not spent."""
    rp = client_of(world)
    code = world.browser().code(rp, world.account())
    assert (world.redeem(rp, code, resource="x").json or {})["error"] == "invalid_target"
    assert world.redeem(rp, code).status_code == 200


def test_a_resource_of_another_client_is_refused_at_authorize(world: World) -> None:
    """RFC 8707 section 2.1: the error is a redirect, before the person signs in."""
    rp = world.relying_party(audience="https://api.test")
    answer = answer_of(world.browser().authorize(rp, resource="https://other.test"))
    assert (answer["error"], answer["error_description"]) == ("invalid_target", NOT_OURS)
    assert "code" not in answer
    assert world.browser().code(rp, world.account(), resource="https://api.test")


def test_an_empty_scope_is_omitted(world: World) -> None:
    """RFC 6749 sections 3.3 and 5.1: a scope cannot be empty, so it is omitted from the response,
    the token and introspection."""
    rp = world.relying_party("Robot", grant_types=("client_credentials",), scopes=())
    body = world.post(rp, **OWN).json or {}
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert "scope" not in claims_of(body["access_token"])
    found = world.introspect(rp, body["access_token"])
    assert found["active"]
    assert "scope" not in found


NEVER: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
    (("client_credentials",), ("openid", "api"), "'openid'"),
    (("client_credentials",), ("groups", "address"), "'groups', 'address'"),
    (("client_credentials",), ("offline_access",), "'offline_access'"),
    (("authorization_code",), ("openid", "offline_access"), "'offline_access'"),
    ((), ("api", "profile"), "'api', 'profile'"),
]


@pytest.mark.parametrize(("grant_types", "scopes", "named"), NEVER)
def test_n32_a_scope_that_no_grant_type_gives_is_not_registered(
    world: World, grant_types: tuple[str, ...], scopes: tuple[str, ...], named: str
) -> None:
    """N32: refused at registration and at every change, not at the first token."""
    data: dict[str, Any] = {"name": "X", "redirect_uris": ("https://x.test/cb",)}
    text = f"with these grant types it can never get the scope {named}"
    with pytest.raises(Invalid) as refused, world.work() as work:
        registry.create(work, ClientData(**data, grant_types=grant_types, scopes=scopes))
    assert refused.value.detail == text
    with world.work() as work:
        row, _ = registry.create(work, ClientData(**data), client_id="known")
        with pytest.raises(Invalid):
            registry.update(work, row, ClientData(**data, grant_types=grant_types, scopes=scopes))


@pytest.fixture
def robot(world: World) -> Rp:
    """An application without an audience of its own and a machine account that may use it."""
    rp = world.relying_party("MIM")
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    for number in ("109120", "109121"):
        world.grant_role(NAME, "MIM Web Services", number)
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    return rp


def test_ma08_a_machines_token_names_the_application(world: World, robot: Rp) -> None:
    """MA-08, RFC 9068 section 2.2: ``aud`` is the application that the request named, never the
    gateway, also at introspection."""
    issued = (token(world, resource="mim").json or {})["access_token"]
    assert claims_of(issued)["aud"] == "mim"
    assert world.introspect(robot, issued)["aud"] == "mim"


def test_ma08_a_missing_resource_is_named(world: World, robot: Rp) -> None:
    """RFC 8707 section 2: only a caller with the right credentials gets this error."""
    text = "Missing parameter: resource (the application for the token)."
    assert_refused(token(world, resource=""), 400, "invalid_target", text)
    other = token(world, resource="https://other.test")
    assert_refused(
        other, 400, "invalid_target", "This account is not authorized for this resource."
    )
    assert token(world, resource="", client_secret="x").status_code == 401


def test_ma08_a_machine_account_may_have_an_older_form_of_name(world: World, robot: Rp) -> None:
    """MA-08: it is no client, and signs on as the others do; a name that nobody has is refused."""
    older = world.account("oldrobot", kind=AccountKind.MACHINE)
    world.grant_role(older, "MIM Web Services", "109120")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, older), NETWORKS)
    assert token(world, client_id=older, resource="mim").status_code == 200
    assert token(world, client_id=older, client_secret="x", resource="mim").status_code == 401
    assert token(world, client_id="norobot", resource="mim").status_code == 401


def test_role_groups_by_participant_are_plain_words_too(world: World, robot: Rp) -> None:
    """For applications that read lists of strings only (Apache): by scope, in both tokens, at
    userinfo and introspection, and for machine accounts."""
    rp = world.relying_party("EMI", scopes=("openid", "participant_groups"))
    username = world.account()
    world.role_group("EMI Bids and Offers", "emi")
    world.role_group("EMI Read", "emi")
    world.role_group("Other")
    for group, number in (("EMI Read", "109121"), ("EMI Bids and Offers", "109120"),
                          ("EMI Read", "109120"), ("Other", "109120")):  # fmt: skip
        world.grant_role(username, group, number)
    words = ["109120:EMI Bids and Offers", "109120:EMI Read", "109121:EMI Read"]
    tokens = world.signed_in_tokens(rp, username, scope="openid participant_groups")
    for claims in (
        claims_of(tokens["id_token"]),
        claims_of(tokens["access_token"]),
        userinfo(world, tokens["access_token"]).json or {},
        world.introspect(rp, tokens["access_token"]),
    ):
        assert claims[FLAT] == words
        assert "groups" not in claims
    plain = world.signed_in_tokens(rp, username, scope="openid")
    assert FLAT not in claims_of(plain["id_token"])
    issued = (token(world, resource="mim", scope="participant_groups").json or {})["access_token"]
    assert claims_of(issued)[FLAT] == ["109120:MIM Web Services", "109121:MIM Web Services"]


def test_role_groups_by_participant_can_be_asked_for_one_by_one(world: World) -> None:
    """OIDC Core 5.5: by the ``claims`` parameter, for clients that have the scope."""
    username = world.account()
    asked = json.dumps({"id_token": {FLAT: None}})
    for name, scopes, expected in (
        ("EMI", ("openid", "participant_groups"), ["109120:Bids"]),
        ("CROW", ("openid", "participants"), None),
    ):
        rp = world.relying_party(name, scopes=scopes)
        if name == "EMI":
            world.role_group("Bids", "emi")
            world.grant_role(username, "Bids")
        tokens = world.signed_in_tokens(rp, username, scope="openid", claims=asked)
        assert claims_of(tokens["id_token"]).get(FLAT) == expected


def test_too_many_role_groups_by_participant_are_at_userinfo(world: World) -> None:
    """OIDC Core 5.6.2: like the other two claims."""
    rp = world.relying_party(scopes=("openid", "participant_groups"))
    username = world.account()
    for number in range(151):
        world.role_group(f"Group {number}", rp.client_id)
        world.grant_role(username, f"Group {number}")
    tokens = world.signed_in_tokens(rp, username, scope="openid participant_groups")
    assert claims_of(tokens["id_token"])["_claim_names"] == {FLAT: "userinfo"}
    assert len((userinfo(world, tokens["access_token"]).json or {})[FLAT]) == 151


BAD_WISHES: list[tuple[dict[str, Any], str]] = [
    ({"acr": {"essential": True, "value": 1}}, "acr"),
    ({"acr": {"essential": True, "value": None}}, "acr"),
    ({"acr": {"essential": True, "values": "phr"}}, "acr"),
    ({"acr": {"essential": True, "values": []}}, "acr"),
    ({"acr": {"essential": True, "values": ["phr", 7]}}, "acr"),
    ({"acr": {"essential": True, "values": None}}, "acr"),
    ({"acr": {"essential": True, "value": "phr", "values": ["phr"]}}, "acr"),
    ({"acr": {"essential": "true", "value": "phr"}}, "essential"),
    ({"acr": {"essential": 1, "value": "phr"}}, "essential"),
    ({"acr": {"essential": None, "value": "phr"}}, "essential"),
    ({"acr": {"value": ["phr"]}}, "acr"),
    ({"acr": "phr"}, "object"),
    ({"auth_time": {"essential": "yes"}}, "essential"),
    ({"sub": {"value": 7}}, "sub"),
    ({"sub": {"values": ["x"]}}, "sub"),
]
WORDS = {
    "acr": "The acr claim needs a value that is a string, or values that are strings.",
    "object": "A claim must be null or an object.",
    "sub": "The sub claim's value must be a string.",
}


@pytest.mark.parametrize(("wish", "named"), BAD_WISHES)
def test_n14_a_malformed_claims_parameter_is_refused(
    world: World, wish: dict[str, Any], named: str
) -> None:
    """N14, OIDC Core 5.5.1.1: a malformed request of a level or a subject is not ignored."""
    rp = world.relying_party()
    browser = world.browser().signed_in(world.account())
    answer = answer_of(browser.authorize(rp, claims=json.dumps({"id_token": wish})))
    words = WORDS | {
        "essential": f"The {next(iter(wish))} claim's essential must be true or false."
    }
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == words[named]
    assert "code" not in answer


@pytest.mark.parametrize(
    "wish",
    [None, {}, {"essential": True}, {"essential": False, "value": "phr"}, {"values": ["phr", "x"]},
     {"essential": True, "values": ["x", "urn:ieso:acr:password"]}],
)  # fmt: skip
def test_n14_a_met_or_voluntary_acr_is_answered(world: World, wish: Any) -> None:
    """N14: an essential ``acr`` without a value accepts any level. A voluntary one never fails."""
    rp = world.relying_party()
    browser = world.browser().signed_in(world.account())
    assert "code" in answer_of(
        browser.authorize(rp, claims=json.dumps({"id_token": {"acr": wish}}))
    )
