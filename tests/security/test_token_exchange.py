"""Token exchange (RFC 8693): a service gets a token for the next service, and never more than it
was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from idp.clients import client_data, registry
from idp.clients.client_refusals import RegistrationInvalid, RuleFault, RuleViolated
from idp.directory import accounts
from idp.machines import registered_networks
from idp.models import AccountKind, AccountState
from idp.oidc.grants.token_exchange import BOUND, INVALID, NOT_ALLOWED
from idp.oidc.tokens import ACCESS_TOKEN_TYPE
from idp.policy.scopes import ACR_MFA, TOKEN_EXCHANGE
from idp.session import sessions
from idp.session.end_reasons import EndReason
from tests.security.test_dpop import Holder
from tests.security.test_signed_tokens import claims_of
from tests.security.test_token_tables import assert_refused, userinfo
from tests.world import PASSWORD, Browser, Rp, World

PRICES, SETTLEMENTS = "https://prices.example", "https://settlements.example"


def api(world: World, name: str, **changes: Any) -> Rp:
    """A service: it gets no tokens itself, unless it may exchange."""
    values: dict[str, Any] = {
        "grant_types": (),
        "scopes": (),
        "redirect_uris": (),
        "audience": f"https://{name.lower()}.example",
        "is_resource_server": True,
    }
    return world.relying_party(name, **(values | changes))


def exchanging(world: World, name: str, *audiences: str, **changes: Any) -> Rp:
    scopes = ("profile", "groups", "participants")
    values = {"grant_types": (TOKEN_EXCHANGE,), "exchange_audiences": audiences, "scopes": scopes}
    return api(world, name, **(values | changes))


@dataclass
class Chain:
    """EMI calls Prices, which calls Settlements, for a person."""

    world: World
    emi: Rp
    prices: Rp
    settlements: Rp
    username: str
    browser: Browser
    tokens: dict[str, Any]

    @classmethod
    def of(cls, world: World, **changes: Any) -> Chain:
        emi = world.relying_party(audience=PRICES)
        prices = exchanging(world, "Prices", SETTLEMENTS, **changes)
        settlements = api(world, "Settlements")
        username, browser = world.account(), world.browser()
        world.role_group("EMI Trader", emi.client_id)
        world.role_group("Prices Reader", prices.client_id)
        for group in ("EMI Trader", "Prices Reader"):
            world.grant_role(username, group)
        tokens = world.redeem(emi, browser.code(emi, username)).json or {}
        return cls(world, emi, prices, settlements, username, browser, tokens)

    def exchange(self, rp: Rp | None = None, **changes: str | None) -> TestResponse:
        """Prices exchanges what it received; a change to None leaves a parameter out."""
        params = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": self.tokens["access_token"],
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "resource": SETTLEMENTS,
        } | changes
        sent = {name: value for name, value in params.items() if value is not None}
        return self.world.post(rp or self.prices, **sent)

    def exchanged(self, rp: Rp | None = None, **changes: str | None) -> str:
        response = self.exchange(rp, **changes)
        assert response.status_code == 200, response.text
        return str((response.json or {})["access_token"])


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain.of(world)


def test_a_service_gets_a_token_for_the_next_one(chain: Chain) -> None:
    """Sections 2.2.1 and 4.1: another audience, ``act``, and the person, level and role groups of
    the application that the person signed in to."""
    world = chain.world
    response = chain.exchange()
    body = response.json or {}
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert (body["token_type"], body["issued_token_type"]) == ("Bearer", ACCESS_TOKEN_TYPE)
    assert body["scope"] == "profile groups participants"
    found, given = claims_of(body["access_token"]), claims_of(chain.tokens["access_token"])
    assert found["aud"] == SETTLEMENTS
    assert (found["client_id"], found["act"]) == ("prices", {"sub": "prices"})
    assert found["groups"] == given["groups"] == ["EMI Trader"]
    for name in ("iss", "sub", "acr", "amr", "auth_time", "exp"):
        assert found[name] == given[name], name
    assert found["jti"] != given["jti"]
    seen = world.introspect(chain.settlements, body["access_token"])
    assert (seen["active"], seen["client_id"], seen["act"]) == (True, "prices", {"sub": "prices"})
    assert (seen["aud"], seen["username"]) == (SETTLEMENTS, chain.username)
    event = world.events("token.issued")[-1]
    assert (event.client_id, event.data["issued_to"]) == ("prices", "emi")
    assert (event.data["audience"], event.data["grant_type"]) == (SETTLEMENTS, TOKEN_EXCHANGE)


def test_the_token_of_the_person_still_works(chain: Chain) -> None:
    chain.exchanged()
    assert chain.exchanged(audience=SETTLEMENTS, resource=None)
    assert chain.exchanged(audience=SETTLEMENTS)
    assert world_active(chain, chain.prices, chain.tokens["access_token"])


def world_active(chain: Chain, rp: Rp, token: str) -> bool:
    return bool(chain.world.introspect(rp, token)["active"])


TYPES = "Only access tokens can be exchanged, for access tokens."
TOO_WIDE = "The scope exceeds that of the subject_token."
REFUSED: list[tuple[dict[str, str | None], str, str]] = [
    ({"subject_token": "made-up"}, "invalid_request", INVALID),
    ({"subject_token": "a.b.c"}, "invalid_request", INVALID),
    ({"subject_token": None}, "invalid_request", "Missing parameter: subject_token."),
    ({"subject_token_type": None}, "invalid_request", "Missing parameter: subject_token_type."),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request", TYPES),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request", TYPES),
    ({"actor_token": "x"}, "invalid_request", "An actor_token is not supported."),
    ({"actor_token_type": "x"}, "invalid_request", "An actor_token is not supported."),
    ({"resource": None}, "invalid_request", "Missing parameter: resource or audience."),
    ({"resource": "https://other.example"}, "invalid_target", NOT_ALLOWED),
    ({"resource": PRICES}, "invalid_target", NOT_ALLOWED),
    ({"resource": f"{SETTLEMENTS}/"}, "invalid_target", NOT_ALLOWED),
    ({"resource": "settlements"}, "invalid_target", NOT_ALLOWED),
    ({"audience": PRICES}, "invalid_target", NOT_ALLOWED),
    ({"scope": "email"}, "invalid_scope", TOO_WIDE),
    ({"scope": "openid"}, "invalid_scope", TOO_WIDE),
    ({"scope": "profile offline_access"}, "invalid_scope", TOO_WIDE),
    ({"scope": "é"}, "invalid_scope", TOO_WIDE),
]


def test_n32_nothing_else_is_exchanged(chain: Chain) -> None:
    """Section 2.2.2: the exact refusals, and no token."""
    before = len(chain.world.events("token.issued"))
    for changes, error, text in REFUSED:
        assert_refused(chain.exchange(**changes), 400, error, text)
    assert len(chain.world.events("token.issued")) == before


def test_n33_tokens_of_others_are_refused(chain: Chain) -> None:
    """N33: the access token of another audience, of a client alone, of a machine account, one that
    was exchanged for another service, an ID token and a refresh token."""
    world = chain.world
    crow = world.relying_party("CROW")
    own = world.relying_party(
        "Batch", grant_types=("client_credentials",), scopes=("api.read",), redirect_uris=(),
        audience=PRICES,
    )  # fmt: skip
    alone = world.post(own, grant_type="client_credentials").json or {}
    program = world.account("APIIESO00042", kind=AccountKind.MACHINE)
    world.role_group("Prices Web Services", chain.prices.client_id, kind="machine")
    world.grant_role(program, "Prices Web Services")
    with world.work() as work:
        row = accounts.by_username(work, program)
        registered_networks.replace(work, row, [("127.0.0.1", "here")])
    machine = world.post(
        Rp(program, PASSWORD, ""), grant_type="client_credentials", resource="prices"
    )
    assert claims_of((machine.json or {})["access_token"])["aud"] == PRICES
    for token in (
        world.signed_in_tokens(crow, chain.username)["access_token"],
        alone["access_token"],
        (machine.json or {})["access_token"],
        chain.tokens["id_token"],
        chain.tokens["refresh_token"],
        chain.exchanged(),
    ):
        response = chain.exchange(subject_token=token)
        assert_refused(response, 400, "invalid_request", INVALID)


def test_n31_only_a_registered_service_exchanges(chain: Chain) -> None:
    """Any other client, also the one that the token was issued to, and a wrong secret."""
    response = chain.exchange(chain.emi)
    assert (response.json or {})["error"] == "unauthorized_client"
    assert chain.exchange(replace(chain.prices, secret="wrong")).status_code == 401
    other = exchanging(chain.world, "Other", SETTLEMENTS)
    assert_refused(chain.exchange(other), 400, "invalid_request", INVALID)


def test_the_new_token_is_never_wider_in_time(chain: Chain) -> None:
    """It expires with the old one."""
    chain.world.clock.advance(400)
    body = chain.exchange().json or {}
    assert body["expires_in"] == 200
    chain.world.clock.advance(199)
    assert world_active(chain, chain.settlements, body["access_token"])
    chain.world.clock.advance(1)
    assert not world_active(chain, chain.settlements, body["access_token"])
    assert_refused(chain.exchange(), 400, "invalid_request", INVALID)


@pytest.mark.parametrize(
    ("granted", "registered", "expected"),
    [
        ("openid groups", ("profile", "groups"), "groups"),
        ("openid profile email groups", ("groups",), "groups"),
        ("openid profile", ("groups",), None),
    ],
)
def test_n32_the_new_token_is_never_wider_in_scope(
    world: World, granted: str, registered: tuple[str, ...], expected: str | None
) -> None:
    """What the person granted and what the service is registered for, in common."""
    chain = Chain.of(world, scopes=registered)
    chain.tokens = world.signed_in_tokens(chain.emi, chain.username, scope=granted)
    body = chain.exchange().json or {}
    assert body.get("scope") == expected
    assert ("groups" in claims_of(body["access_token"])) is ("groups" in str(expected))
    narrower = chain.exchange(scope="groups")
    assert narrower.status_code == (200 if expected else 400)


def _suspend(chain: Chain) -> None:
    chain.world.set_state(chain.username, AccountState.SUSPENDED)


def _end_sessions(chain: Chain) -> None:
    with chain.world.work() as work:
        account = accounts.by_username(work, chain.username)
        sessions.end_all(work, account, EndReason.ENDED_BY_OPERATOR)


def _revoke_grant(chain: Chain) -> None:
    chain.world.post(chain.emi, "/oauth2/v1/revoke", token=chain.tokens["refresh_token"])


def _revoke_token(chain: Chain) -> None:
    chain.world.post(chain.emi, "/oauth2/v1/revoke", token=chain.tokens["access_token"])


def _disable(client_id: str) -> Callable[[Chain], None]:
    def act(chain: Chain) -> None:
        with chain.world.work() as work:
            registry.disable(work, registry.get(work, client_id))

    return act


ENDINGS = {
    "suspended": _suspend,
    "sessions": _end_sessions,
    "grant": _revoke_grant,
    "token": _revoke_token,
    "application": _disable("emi"),
    "service": _disable("prices"),
}


@pytest.mark.parametrize("what", ENDINGS)
def test_n58_what_ends_the_token_ends_what_was_exchanged_for_it(chain: Chain, what: str) -> None:
    """N58: at once, and nothing more is exchanged; enabling or activating revives nothing."""
    token = chain.exchanged()
    ENDINGS[what](chain)
    assert not world_active(chain, chain.settlements, token)
    assert chain.exchange().status_code == (401 if what == "service" else 400)
    if what == "suspended":
        chain.world.set_state(chain.username, AccountState.ACTIVE)
    if what in ("application", "service"):
        with chain.world.work() as work:
            name = "emi" if what == "application" else "prices"
            registry.enable(work, registry.get(work, name), is_approved=True)
    assert not world_active(chain, chain.settlements, token)


def test_n27_after_a_sign_out_nothing_is_exchanged(chain: Chain) -> None:
    """Even if the application goes on with ``offline_access``."""
    chain.browser.submit(chain.browser.get("/signout"), "/signout")
    refreshed = chain.world.refresh(chain.emi, chain.tokens["refresh_token"]).json or {}
    for tokens in (chain.tokens, refreshed):
        response = chain.exchange(subject_token=tokens["access_token"])
        assert_refused(response, 400, "invalid_request", INVALID)


def test_services_follow_one_another(world: World) -> None:
    """Section 4.1: ``act`` nests, the last one outermost; disabling one in the middle ends the
    tokens after it, and the fifth gets none."""
    chain = Chain.of(world)
    names = ["Settlements", "Three", "Four", "Five", "Six"]
    with world.work() as work:
        client = registry.get(work, "settlements")
        client.grant_types, client.scopes = [TOKEN_EXCHANGE], ["groups"]
        client.exchange_audiences = ["https://three.example"]
    services = [chain.settlements]
    for name, following in zip(names[1:], [*names[2:], "Prices"], strict=True):
        services.append(exchanging(world, name, f"https://{following.lower()}.example"))
    token, issued = chain.exchanged(), []
    for service, following in zip(services[:3], names[1:4], strict=True):
        audience = f"https://{following.lower()}.example"
        token = chain.exchanged(service, subject_token=token, resource=audience)
        issued.append(token)
    nested = {"sub": "settlements", "act": {"sub": "prices"}}
    assert claims_of(token)["act"] == {"sub": "four", "act": {"sub": "three", "act": nested}}
    response = chain.exchange(services[3], subject_token=token, resource="https://six.example")
    text = "The subject_token was exchanged too often."
    assert_refused(response, 400, "invalid_request", text)
    _disable("three")(chain)
    active = [world_active(chain, services[n + 1], each) for n, each in enumerate(issued) if n != 0]
    assert active == [False, False]


def test_n38_the_exchanged_token_belongs_to_the_service(chain: Chain) -> None:
    """The service and the next one introspect it, and the service revokes it; the application
    neither. It works nowhere else: userinfo refuses it."""
    world, token = chain.world, chain.exchanged()
    assert world_active(chain, chain.prices, token)
    assert not world_active(chain, chain.emi, token)
    assert userinfo(world, token).status_code == 403
    world.post(chain.emi, "/oauth2/v1/revoke", token=token)
    assert world_active(chain, chain.settlements, token)
    world.post(chain.prices, "/oauth2/v1/revoke", token=token)
    assert not world_active(chain, chain.settlements, token)
    assert world_active(chain, chain.prices, chain.tokens["access_token"])


def test_a_bound_token_is_exchanged_only_with_a_proof(world: World) -> None:
    """RFC 9449: what was bound to a key does not become a bearer token. The new one is bound to the
    key of the service."""
    chain, own = Chain.of(world), Holder(world, key=ECKey.generate_key("P-256"))
    chain.tokens = Holder(world).tokens(chain.emi, chain.username)
    assert_refused(chain.exchange(), 400, "invalid_request", BOUND)
    params = {"subject_token": chain.tokens["access_token"], "resource": SETTLEMENTS}
    answer = own.post(
        chain.prices, grant_type=TOKEN_EXCHANGE, subject_token_type=ACCESS_TOKEN_TYPE, **params
    )
    body = answer.json or {}
    assert (answer.status_code, body["token_type"]) == (200, "DPoP")
    assert claims_of(body["access_token"])["cnf"] == {"jkt": own.jkt}


def test_an_opaque_token_is_exchanged_in_the_form_of_the_service(world: World) -> None:
    """Each client has its own form of access tokens."""
    chain = Chain.of(world, access_token_format="opaque")
    token = chain.exchanged()
    assert token.count(".") == 0
    assert world.introspect(chain.settlements, token)["act"] == {"sub": "prices"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"minimum_acr": ACR_MFA}, "unmet_authentication_requirements"),
        ({"account_kinds": ["machine"]}, "invalid_target"),
        ({"audience": ""}, "invalid_target"),
    ],
    ids=["level", "kind", "nobody"],
)
def test_n14_the_next_service_says_what_it_accepts(
    chain: Chain, changes: dict[str, Any], error: str
) -> None:
    """The level and the kinds of account of the API behind the audience; an audience of nobody."""
    with chain.world.work() as work:
        client = registry.get(work, "settlements")
        for name, value in changes.items():
            setattr(client, name, value)
    response = chain.exchange()
    assert (response.status_code, (response.json or {})["error"]) == (400, error)


FAULTS: list[tuple[dict[str, Any], RuleFault]] = [
    ({"exchange_audiences": ()}, RuleFault.EXCHANGE_AUDIENCES),
    ({"audience": ""}, RuleFault.EXCHANGE_AUDIENCES),
    ({"grant_types": ()}, RuleFault.EXCHANGE_AUDIENCES),
    ({"auth_method": "none"}, RuleFault.PUBLIC_EXCHANGE),
    ({"exchange_audiences": ("",)}, RuleFault.AUDIENCE_TEXT),
    ({"exchange_audiences": ("a\nb",)}, RuleFault.AUDIENCE_TEXT),
]


def test_what_is_registered_for_an_exchange_goes_together(world: World) -> None:
    """The grant type, the audience of the client, and the audiences that it may ask for."""
    for changes, fault in FAULTS:
        with pytest.raises(RegistrationInvalid) as refusal:
            exchanging(world, "Prices", SETTLEMENTS, **changes)
        found = [each.fault for each in refusal.value.faults if isinstance(each, RuleViolated)]
        assert fault in found
    rp = exchanging(world, "Prices", SETTLEMENTS)
    with world.work() as work:
        data = client_data.current_data(registry.get(work, rp.client_id))
    assert data.exchange_audiences == (SETTLEMENTS,)
