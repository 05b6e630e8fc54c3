"""Rules of token requests that no single request shows: what stays behind, and what comes later."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.models import AccountKind, Grant
from idp.oidc.client_auth import ClientRefused
from tests.security.test_token_tables import OWN_SCOPE, client_of
from tests.world import World


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    body: dict[str, Any] = answer.json or {}
    return answer.status_code, body["error"], body["error_description"]


ENDED = (400, "invalid_grant", "The refresh token is invalid or has expired.")


def ends(world: World) -> list[str | None]:
    """How the grants ended, oldest first."""
    with world.work() as work:
        return list(work.db.scalars(select(Grant.revoke_reason).order_by(Grant.id)))


def test_n24_a_code_presented_by_another_client_revokes_its_grant(world: World) -> None:
    """N24: whoever presents it has stolen it."""
    rp, other, username = world.relying_party(), world.relying_party("Other"), world.account()
    code = world.browser().code(rp, username)
    assert world.redeem(other, code, redirect_uri=rp.redirect_uri).status_code == 400
    assert ends(world) == ["code_of_other_client"]


def test_n33_a_refresh_token_of_another_client_gets_the_answer_for_an_unknown_one(
    world: World,
) -> None:
    """N33: in the words for one that is unknown; the family ends."""
    rp, other = world.relying_party(), world.relying_party("Other")
    token = world.signed_in_tokens(rp, world.account())["refresh_token"]
    assert refusal(world.refresh(other, "unheard")) == ENDED
    assert refusal(world.refresh(other, token, scope="unheard")) == ENDED
    assert ends(world) == ["refresh_token_of_other_client"]
    assert refusal(world.refresh(rp, token)) == ENDED


def test_n34_reuse_of_an_expired_token_revokes_the_family(world: World) -> None:
    """N34: it is past its own limit, and its successor is not."""
    rp = world.relying_party()
    first = world.signed_in_tokens(rp, world.account())["refresh_token"]
    idle = world.settings.refresh_idle
    world.clock.advance(idle - 1)
    second = (world.refresh(rp, first).json or {})["refresh_token"]
    world.clock.advance(idle - 1)
    assert refusal(world.refresh(rp, first)) == ENDED
    assert ends(world) == ["refresh_token_reused"]
    assert refusal(world.refresh(rp, second)) == ENDED


def test_an_expired_refresh_token_does_not_revoke_its_family(world: World) -> None:
    """RFC 6749 section 6: it was never used, so nobody has stolen it."""
    rp = world.relying_party()
    token = world.signed_in_tokens(rp, world.account())["refresh_token"]
    world.clock.advance(world.settings.refresh_idle)
    assert refusal(world.refresh(rp, token)) == ENDED
    assert ends(world) == [None]


def test_n32_a_refresh_may_name_all_scopes_and_no_others(world: World) -> None:
    """N32, RFC 6749 section 6."""
    rp = world.relying_party()
    tokens = world.signed_in_tokens(rp, world.account(), scope="openid email offline_access")
    answer = world.refresh(rp, tokens["refresh_token"], scope="openid email offline_access").json
    assert answer is not None
    assert answer["scope"] == "openid email offline_access"
    token = answer["refresh_token"]
    for scope in ("openid profile", 'openid "', " "):
        answer = world.refresh(rp, token, scope=scope)
        assert refusal(answer) == (400, "invalid_scope", "The scope exceeds the original grant.")
    assert world.refresh(rp, token, scope="openid").status_code == 200


@pytest.mark.parametrize("scope", ['"', "a\\b", f"{OWN_SCOPE} \u00e9"])
def test_n32_a_malformed_scope_of_a_client_is_refused(world: World, scope: str) -> None:
    """RFC 6749 sections 3.3 and 5.2: never a 5xx."""
    rp = client_of(world)
    answer = world.post(rp, grant_type="client_credentials", scope=scope)
    assert refusal(answer)[:2] == (400, "invalid_scope")


def test_a_client_that_may_not_refresh_gets_no_refresh_token(world: World) -> None:
    """RFC 6749 section 5.1: also one that lost the grant type after the sign-in."""
    rp, username = world.relying_party(), world.account()
    code = world.browser().code(rp, username)
    with world.work() as work:
        registry.get(work, rp.client_id).grant_types = ["authorization_code"]
    answer = world.redeem(rp, code)
    assert answer.status_code == 200
    assert "refresh_token" not in (answer.json or {})


def test_tm_each_token_response_is_recorded(world: World) -> None:
    """TM-12: for whom, by which client, in which session and with which scopes."""
    rp, own, username = world.relying_party(), client_of(world, name="Own"), world.account()
    tokens = world.signed_in_tokens(rp, username, scope="openid offline_access")
    world.refresh(rp, tokens["refresh_token"], scope="openid")
    world.post(own, grant_type="client_credentials", scope=OWN_SCOPE)
    rows = world.events("token.issued")
    account_id = world.account_row(username).id
    assert [(row.data["grant_type"], row.data["scope"], row.account_id) for row in rows] == [
        ("authorization_code", "openid offline_access", account_id),
        ("refresh_token", "openid", account_id),
        ("client_credentials", OWN_SCOPE, None),
    ]
    assert [row.client_id for row in rows] == [rp.client_id, rp.client_id, own.client_id]


def test_a_refusal_has_one_challenge(world: World) -> None:
    """RFC 6749 section 5.2, RFC 7617 section 2: one header, with a realm."""
    challenges = [value for name, value in ClientRefused().get_headers() if name.startswith("WWW")]
    assert challenges == ['Basic realm="IESO Gateway"']
    answer = world.post(client_of(world), token="x", grant_type="refresh_token", client_id="other")
    assert answer.status_code == 400
    wrong = client_of(world, name="Wrong")
    wrong.secret = "wrong"
    answer = world.post(wrong, grant_type="client_credentials")
    assert answer.headers.getlist("WWW-Authenticate") == challenges
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_ma_a_second_account_names_its_participant_in_its_tokens(world: World) -> None:
    """UI-10: reason and participant, as claims."""
    rp = world.relying_party()
    world.account("first1", person_id="P1")
    second = world.account("second1", person_id="P1", kind=AccountKind.PERSONAL)
    claim = "urn:ieso:second_account"
    for username, expected in (
        (second, {"reason": "transmission_rights", "participant": "109120"}),
        ("first1", None),
    ):
        tokens = world.signed_in_tokens(rp, username)
        client = world.app.test_client(use_cookies=False)
        answer = client.get(
            "/oauth2/v1/userinfo",
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
            base_url=world.settings.issuer,
        )
        assert (answer.json or {}).get(claim) == expected
