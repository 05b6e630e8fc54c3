"""Pairwise subjects (OIDC Core section 8.1): one subject in all that a client gets, another one for
other sectors, and never a fetched document."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from idp.clients import registry
from idp.clients.client_data import ClientData, current_data
from idp.clients.client_refusals import (
    RegistrationInvalid,
    RuleFault,
    RuleViolated,
    SectorChanged,
)
from idp.directory import accounts
from idp.errors import ConfigurationError
from idp.machines import registered_networks
from idp.models import AccountKind
from idp.oidc.endpoints.discovery import metadata
from idp.vault import Vault
from tests.oidc.test_backchannel import id_claims, told
from tests.security.test_machines import NAME, NETWORKS, token, verify
from tests.security.test_signed_tokens import claims_of
from tests.security.test_token_exchange import PRICES, SETTLEMENTS, Chain, api, exchanging
from tests.security.test_token_tables import userinfo
from tests.world import Rp, World, answer_of

LOGOUT, BACK = "/oauth2/v1/logout", "https://emi.rp.test/signed-out"
SECTOR = "emi.example"
BACKCHANNEL = "https://emi.rp.test/logout"


def paired(world: World, name: str = "EMI", sector: str = SECTOR, **changes: Any) -> Rp:
    return world.relying_party(name, sector_identifier=sector, **changes)


def sub_of(world: World, rp: Rp, username: str) -> str:
    """The subject of the ID token of a sign-in."""
    tokens = world.signed_in_tokens(rp, username)
    return str(id_claims(world, tokens["id_token"])["sub"])


def test_n45_everything_that_a_client_gets_has_one_subject(world: World) -> None:
    """OIDC Core sections 5.3.2 and 12.2, RFC 9068, RFC 7662, Back-Channel Logout 1.0: tokens, those
    of a refresh, userinfo, introspection and the logout token."""
    rp, username = paired(world, backchannel_logout_uri=BACKCHANNEL), world.account()
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username, scope="openid offline_access")).json or {}
    fresh = world.refresh(rp, tokens["refresh_token"]).json or {}
    found = {
        id_claims(world, tokens["id_token"])["sub"],
        id_claims(world, fresh["id_token"])["sub"],
        claims_of(tokens["access_token"])["sub"],
        claims_of(fresh["access_token"])["sub"],
        (userinfo(world, fresh["access_token"]).json or {})["sub"],
        world.introspect(rp, fresh["access_token"])["sub"],
        world.introspect(rp, fresh["refresh_token"])["sub"],
    }
    browser.submit(browser.get("/signout"), "/signout")
    (sent,) = told(world)
    found.add(sent[1]["sub"])
    (subject,) = found
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", subject)
    assert world.account_row(username).subject not in subject


def test_subjects_agree_in_a_sector_and_nowhere_else(world: World) -> None:
    """Section 8.1: the same account in one sector, in two, and two accounts in one."""
    one, other = world.account(), world.account()
    emi, crow = paired(world), paired(world, "CROW")
    foreign, public = paired(world, "Other", "other.example"), world.relying_party("Public")
    subject = sub_of(world, emi, one)
    assert sub_of(world, crow, one) == subject == sub_of(world, emi, one)
    assert sub_of(world, public, one) == world.account_row(one).subject
    assert len({subject, sub_of(world, foreign, one), sub_of(world, public, one)}) == 3
    assert sub_of(world, emi, other) != subject


def test_the_subject_outlives_other_secrets(world: World) -> None:
    """It depends on its own secret only, and not on one that rotates."""
    settings = world.settings
    subject = Vault(settings).pairwise_subject(SECTOR, "a")
    rotated = replace(settings, secret_key="n" * 32, secret_key_fallbacks=(settings.secret_key,))
    assert Vault(rotated).pairwise_subject(SECTOR, "a") == subject
    other = replace(settings, pairwise_secret="o" * 32)
    assert Vault(other).pairwise_subject(SECTOR, "a") != subject
    with pytest.raises(ConfigurationError, match="IDP_PAIRWISE_SECRET"):
        Vault(replace(settings, pairwise_secret="")).pairwise_subject(SECTOR, "a")


def test_n15_a_hint_and_a_subject_are_compared_as_the_client_knows_them(world: World) -> None:
    """OIDC Core 3.1.2.1 and 5.5.1: its own hint and subject; the public subject and those of
    another sector are of nobody."""
    rp, foreign, username = paired(world), paired(world, "Other", "other.example"), world.account()
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    own = id_claims(world, tokens["id_token"])["sub"]
    theirs = world.redeem(foreign, answer_of(browser.authorize(foreign))["code"]).json or {}
    wish = '{{"id_token": {{"sub": {{"value": "{}"}}}}}}'
    for params, is_known in (
        ({"id_token_hint": tokens["id_token"]}, True),
        ({"claims": wish.format(own)}, True),
        ({"id_token_hint": theirs["id_token"]}, False),
        ({"claims": wish.format(world.account_row(username).subject)}, False),
    ):
        answer = answer_of(browser.authorize(rp, prompt="none", **params))
        assert ("code" in answer) is is_known, params
        assert is_known or answer["error"] == "login_required"


@pytest.mark.parametrize("method", ["get", "post"])
def test_n57_a_hint_with_a_pairwise_subject_ends_the_session(world: World, method: str) -> None:
    """RP-Initiated Logout 1.0 section 2: without a question; of another person it asks."""
    rp, browser = paired(world), world.browser()
    tokens = world.redeem(rp, browser.code(rp, world.account())).json or {}
    strange = world.signed_in_tokens(rp, world.account())["id_token"]
    hint = {"id_token_hint": strange, "post_logout_redirect_uri": BACK}
    assert "/oauth2/v1/logout/confirm" in browser.get(LOGOUT, **hint).text
    hint["id_token_hint"] = tokens["id_token"]
    page = browser.get(LOGOUT, **hint) if method == "get" else browser.post(LOGOUT, hint)
    assert page.headers["Location"] == BACK
    assert answer_of(browser.authorize(rp, prompt="none"))["error"] == "login_required"


def test_an_exchanged_token_keeps_the_subject(world: World) -> None:
    """RFC 8693 section 2.2: the services behind the application know the person as it does."""
    emi = paired(world, audience=PRICES)
    prices = exchanging(world, "Prices", SETTLEMENTS, sector_identifier="prices.example")
    settlements, username, browser = api(world, "Settlements"), world.account(), world.browser()
    tokens = world.redeem(emi, browser.code(emi, username)).json or {}
    chain = Chain(world, emi, prices, settlements, username, browser, tokens)
    made = chain.exchanged()
    assert claims_of(made)["sub"] == claims_of(tokens["access_token"])["sub"]
    assert world.introspect(settlements, made)["sub"] == claims_of(made)["sub"]


def test_ma11_a_program_has_the_subject_of_its_application(world: World) -> None:
    """MA-11: the header behind a proxy is the sub of its access token."""
    service = paired(
        world, "MIM", account_kinds=("machine",), audience="https://mim.rp.test/soap",
        grant_types=("client_credentials",),
    )  # fmt: skip
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", service.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    subject = verify(world).headers["X-Gateway-Subject"]
    assert subject == claims_of((token(world).json or {})["access_token"])["sub"]
    assert subject != world.account_row(NAME).subject


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sector_identifier": "https://emi.example/s.json"}, RuleFault.SECTOR_FORM),
        ({"sector_identifier": "EMI.example"}, RuleFault.SECTOR_FORM),
        ({"sector_identifier": "emi.example."}, RuleFault.SECTOR_FORM),
        ({"sector_identifier": "a" * 254}, RuleFault.SECTOR_FORM),
        (
            {"sector_identifier": SECTOR, "scopes": ("openid", "scim"),
             "grant_types": ("authorization_code", "client_credentials")},
            RuleFault.SECTOR_OF_SCIM,
        ),
    ],
)  # fmt: skip
def test_n89_a_sector_is_a_name_and_nothing_is_fetched(
    world: World, changes: dict[str, Any], fault: RuleFault
) -> None:
    """Section 8.1: operators register the sector itself, so that there is no address to fetch."""
    data = ClientData(name="App", redirect_uris=("https://app.test/cb",))
    with world.work() as work, pytest.raises(RegistrationInvalid) as refused:
        registry.create(work, replace(data, **changes), is_approved=True)
    (found,) = refused.value.faults
    assert isinstance(found, RuleViolated)
    assert found.fault == fault


def test_a_sector_is_permanent(world: World) -> None:
    """Section 8: a subject is never reassigned, and an application stores it."""
    rp = paired(world)
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        data = current_data(client)
        for sector in ("", "other.example"):
            with pytest.raises(SectorChanged):
                registry.update(work, client, replace(data, sector_identifier=sector))
        registry.update(work, client, replace(data, name="Other name"))


def test_without_the_secret_no_client_has_a_sector(world: World) -> None:
    """Neither registered nor in discovery."""
    assert metadata(world.settings)["subject_types_supported"] == ["public", "pairwise"]
    without = replace(world.settings, pairwise_secret="")
    assert metadata(without)["subject_types_supported"] == ["public"]
    runtime = world.app.extensions["runtime"]
    world.app.extensions["runtime"] = replace(runtime, settings=without)
    data = ClientData(name="App", redirect_uris=("https://app.test/cb",), sector_identifier=SECTOR)
    with world.work() as work, pytest.raises(RegistrationInvalid, match="IDP_PAIRWISE_SECRET"):
        registry.create(work, data)
