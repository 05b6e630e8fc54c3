"""N25, N33, N34, N58: when a session, an account or a grant ends, everything issued under it
ends."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from idp.clients import registry
from idp.grants import authorization_codes, refresh_tokens
from idp.models import AccountKind, AccountState
from idp.oidc.grants.pipeline import Redeemed, TokenRequest
from tests.security.test_token_tables import (
    GRANT_NAMES,
    assert_refused,
    client_of,
    good_request,
)
from tests.world import NEW_PASSWORD, World, answer_of

ENDING_STATES = [s for s in AccountState if s not in (AccountState.ACTIVE, AccountState.PENDING)]


def alive(world: World, rp: Any, tokens: dict[str, Any]) -> list[bool]:
    """Whether the access token and the refresh token are active, by introspection."""
    return [
        world.introspect(rp, tokens[name])["active"] for name in ("access_token", "refresh_token")
    ]


@pytest.mark.parametrize("state", ENDING_STATES)
def test_n58_every_ending_state_ends_everything_at_once(world: World, state: AccountState) -> None:
    """N58: session, code, refresh token, and access token at introspection and userinfo end in the
    same second. Returning to active does not revive them."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    waiting = answer_of(browser.authorize(rp))["code"]
    world.set_state(username, state)

    def nothing_works() -> None:
        assert alive(world, rp, tokens) == [False, False]
        for response in (world.redeem(rp, waiting), world.refresh(rp, tokens["refresh_token"])):
            assert response.status_code == 400
            assert (response.json or {})["error"] == "invalid_grant"
        userinfo = world.app.test_client().get(
            "/oauth2/v1/userinfo",
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
            base_url=world.settings.issuer,
        )
        assert userinfo.status_code == 401
        assert answer_of(browser.authorize(rp, prompt="none"))["error"] == "login_required"

    nothing_works()
    if state is not AccountState.DEACTIVATED:
        world.set_state(username, AccountState.ACTIVE)
        nothing_works()


def test_n25_a_second_use_of_a_code_revokes_its_tokens(world: World) -> None:
    """N25, A2: also when the second use comes 30 seconds later."""
    rp, username = world.relying_party(), world.account()
    code = world.browser().code(rp, username)
    tokens = world.redeem(rp, code).json or {}
    world.clock.advance(30)
    assert (world.redeem(rp, code).json or {})["error"] == "invalid_grant"
    assert alive(world, rp, tokens) == [False, False]


def test_n34_reuse_revokes_the_family_and_a_retry_does_not(world: World) -> None:
    """N34: within the grace period the same request gets the same successor. Later it is reuse."""
    rp, username = world.relying_party(), world.account()
    first = world.signed_in_tokens(rp, username)
    second = world.refresh(rp, first["refresh_token"]).json or {}
    world.clock.advance(world.settings.refresh_grace)
    again = world.refresh(rp, first["refresh_token"]).json or {}
    assert again["refresh_token"] == second["refresh_token"] != first["refresh_token"]
    world.clock.advance(1)
    assert world.refresh(rp, first["refresh_token"]).status_code == 400
    assert alive(world, rp, second) == [False, False]
    assert world.refresh(rp, second["refresh_token"]).status_code == 400


def test_n34_a_different_request_within_the_grace_period_is_reuse(world: World) -> None:
    """Only the same request is a retry."""
    rp, username = world.relying_party(), world.account()
    first = world.signed_in_tokens(rp, username)
    second = world.refresh(rp, first["refresh_token"]).json or {}
    assert world.refresh(rp, first["refresh_token"], scope="openid").status_code == 400
    assert alive(world, rp, second) == [False, False]


def test_n34_a_retry_after_the_successor_was_used_is_reuse(world: World) -> None:
    """The client that used the successor had received the answer."""
    rp, username = world.relying_party(), world.account()
    first = world.signed_in_tokens(rp, username)
    second = world.refresh(rp, first["refresh_token"]).json or {}
    third = world.refresh(rp, second["refresh_token"]).json or {}
    assert world.refresh(rp, first["refresh_token"]).status_code == 400
    assert alive(world, rp, third) == [False, False]


def test_n33_a_refresh_token_belongs_to_its_client(world: World) -> None:
    """N33: presented by another client, it must be stolen, so its family is revoked."""
    emi, crow, username = world.relying_party("EMI"), world.relying_party("CROW"), world.account()
    tokens = world.signed_in_tokens(emi, username)
    assert (world.refresh(crow, tokens["refresh_token"]).json or {})["error"] == "invalid_grant"
    assert alive(world, emi, tokens) == [False, False]


def test_n33_a_revoked_role_group_is_not_in_the_next_token(world: World) -> None:
    """N33: the refresh succeeds without the group. Userinfo and introspection omit it at once."""
    rp, username = world.relying_party(), world.account()
    world.role_group("EMI Bids", "emi")
    world.grant_role(username, "EMI Bids")
    tokens = world.signed_in_tokens(rp, username)
    assert world.introspect(rp, tokens["access_token"])["groups"] == ["EMI Bids"]
    world.revoke_role(username, "EMI Bids")
    assert world.introspect(rp, tokens["access_token"])["groups"] == []
    fresh = world.refresh(rp, tokens["refresh_token"]).json or {}
    assert world.introspect(rp, fresh["access_token"])["groups"] == []


def test_n33_a_withdrawn_consent_revokes_the_token_family(world: World) -> None:
    """N33: withdrawn on the settings page."""
    rp, username = world.relying_party(trusted=False), world.account()
    browser = world.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    code = answer_of(browser.submit(page, "/signin/consent", decision="allow"))["code"]
    tokens = world.redeem(rp, code).json or {}
    page = browser.get("/settings/consents")
    action = page.text.split('action="/settings/consents/')[1].split('"')[0]
    browser.submit(page, f"/settings/consents/{action}")
    assert alive(world, rp, tokens) == [False, False]
    assert browser.authorize(rp).status_code == 200


def test_a_password_change_ends_other_sessions_and_their_tokens(world: World) -> None:
    """The session that changes the password continues with a new cookie."""
    rp, username = world.relying_party(), world.account()
    elsewhere = world.signed_in_tokens(rp, username)
    browser = world.browser()
    here = world.redeem(rp, browser.code(rp, username)).json or {}
    page = browser.get("/settings/password")
    fields = {"current": "Quartz-Heron7-lantern", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    page = browser.submit(page, "/settings/password", **fields)
    assert "Password changed successfully" in page.text
    assert alive(world, rp, elsewhere) == [False, False]
    assert alive(world, rp, here) == [True, True]


def test_refresh_keeps_auth_time_and_may_narrow_the_scope(world: World) -> None:
    """``auth_time`` is the time of the sign-in, not of the refresh. N32: the scope cannot grow."""
    from tests.security.test_signed_tokens import claims_of

    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    before = claims_of(tokens["id_token"])["auth_time"]
    world.clock.advance(300)
    fresh = world.refresh(rp, tokens["refresh_token"], scope="openid profile").json or {}
    assert fresh["scope"] == "openid profile"
    claims = claims_of(fresh["id_token"])
    assert claims["auth_time"] == before
    assert "groups" not in claims


@pytest.mark.parametrize(("limit", "step"), [("refresh_idle", None), ("refresh_absolute", 80_000)])
def test_a_token_family_ends_at_its_idle_and_absolute_limits(
    world: World, limit: str, step: int | None
) -> None:
    """The idle and the absolute limit of the settings."""
    rp, username = world.relying_party(), world.account()
    token = world.signed_in_tokens(rp, username)["refresh_token"]
    end = getattr(world.settings, limit)
    passed = 0
    while step and passed + step < end:
        world.clock.advance(step)
        passed += step
        token = (world.refresh(rp, token).json or {})["refresh_token"]
    world.clock.advance(end - passed)
    assert world.refresh(rp, token).status_code == 400


def test_without_offline_access_there_is_no_refresh_token(world: World) -> None:
    """Refresh needs offline_access."""
    tokens = world.signed_in_tokens(world.relying_party(), world.account(), scope="openid")
    assert "refresh_token" not in tokens


def meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, module: ModuleType, before: str, sql: str
) -> None:
    """Run ``sql`` just before a step of the token endpoint, without the session seeing it."""
    step = getattr(module, before)

    def ended(work: Any, *arguments: Any) -> Any:
        work.db.connection().execute(text(sql), {"now": world.clock.now().isoformat(" ")})
        return step(work, *arguments)

    monkeypatch.setattr(module, before, ended)


ENDINGS = {
    "grant": 'UPDATE "grant" SET revoked_at = :now',
    "account": "UPDATE account SET state = 'suspended' WHERE :now = :now",
    "session": "UPDATE browser_session SET ended_at = :now",
}


@pytest.mark.parametrize("what", ENDINGS)
def test_n27_a_grant_that_ends_while_its_code_is_redeemed_gives_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """N27, N58: the grant is checked after the code is spent, and no token is issued."""
    rp = world.relying_party()
    code = world.browser().code(rp, world.account())
    meanwhile(world, monkeypatch, authorization_codes, "spend", ENDINGS[what])
    answer = world.redeem(rp, code)
    assert answer.status_code == 400
    assert answer.json == {
        "error": "invalid_grant", "error_description": "The sign-in has ended."
    }  # fmt: skip


def test_n33_a_grant_that_ends_during_a_refresh_gives_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N33: a refresh token is spent only while its grant is not revoked. It gets no successor."""
    rp = world.relying_party()
    tokens = world.signed_in_tokens(rp, world.account())
    meanwhile(world, monkeypatch, refresh_tokens, "rotate", ENDINGS["grant"])
    answer = world.refresh(rp, tokens["refresh_token"])
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("name", GRANT_NAMES)
def test_n33_no_grant_type_can_skip_the_check_of_the_grant(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """N33: the pipeline checks for all of them, and does not trust what a grant type returns."""
    rp = client_of(world)
    sent = good_request(world, name, rp, world.account())
    grant_types = world.app.extensions["oidc"].grant_types
    real = grant_types[name]
    redeemed: list[Redeemed] = []

    def redeem(request: TokenRequest) -> Redeemed:
        found = real.redeem(request)
        ended = replace(found.grant, revoked_at=world.clock.now())
        redeemed.append(replace(found, grant=ended))
        return redeemed[0]

    monkeypatch.setitem(grant_types, name, replace(real, redeem=redeem))
    answer = world.post(rp, **sent)
    assert_refused(answer, 400, "invalid_grant", redeemed[0].inactive)


def test_n33_a_refused_refresh_leaves_the_refresh_token_unspent(world: World) -> None:
    """N33: the grant is checked before the token is spent, so that the token works again when the
    client may have accounts of this kind again."""
    rp, username = world.relying_party(), world.account()
    token = world.signed_in_tokens(rp, username)["refresh_token"]

    def allow(*kinds: str) -> None:
        with world.work() as work:
            registry.get(work, rp.client_id).account_kinds = list(kinds)

    allow(AccountKind.MACHINE)
    refused = world.refresh(rp, token)
    assert_refused(refused, 400, "invalid_grant", "The refresh token is invalid or has expired.")
    allow(AccountKind.PERSONAL)
    assert world.refresh(rp, token).status_code == 200
