"""N57: signing out, asked by a relying party or by the person."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from idp.clients import registry
from idp.models import BrowserSession
from idp.session import sessions
from idp.session.end_reasons import EndReason
from tests.world import Browser, Rp, World, answer_of, hidden_fields

LOGOUT = "/oauth2/v1/logout"
BACK = "https://emi.rp.test/signed-out"


@pytest.fixture
def signed_in(world: World) -> tuple[Browser, Rp, dict[str, Any]]:
    """A browser with a session at the gateway and at a relying party."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    return browser, rp, tokens


def is_signed_in(browser: Browser, rp: Rp) -> bool:
    return "code" in answer_of(browser.authorize(rp, prompt="none"))


SignedIn = tuple[Browser, Rp, dict[str, Any]]


def test_n57_a_valid_hint_ends_all_tokens_and_redirects_back(
    world: World, signed_in: SignedIn
) -> None:
    """N57: session, code, access and refresh token; state comes back, and only when it was sent."""
    browser, rp, tokens = signed_in
    waiting = answer_of(browser.authorize(rp))["code"]
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BACK}
    response = browser.get(LOGOUT, **hint, state="s 1&x=2")
    assert response.status_code == 303
    assert response.headers["Location"] == f"{BACK}?state=s+1%26x%3D2"
    assert not is_signed_in(browser, rp)
    assert world.redeem(rp, waiting).status_code == 400
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 400
    assert world.introspect(rp, tokens["access_token"]) == {"active": False}
    assert browser.get(LOGOUT, **hint).headers["Location"] == BACK


def test_n57_an_expired_hint_is_still_a_hint(world: World, signed_in: SignedIn) -> None:
    """zitadel 5232 and others: people sign out long after the ID token's ten minutes."""
    browser, rp, tokens = signed_in
    world.clock.advance(1800)
    response = browser.get(LOGOUT, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BACK)
    assert response.headers["Location"] == BACK
    assert not is_signed_in(browser, rp)


def test_n57_a_hint_ends_the_tokens_without_a_session_cookie(
    world: World, signed_in: SignedIn
) -> None:
    """authentik 24012: another browser, no cookie; the hint names the session."""
    _, rp, tokens = signed_in
    response = world.browser().get(LOGOUT, id_token_hint=tokens["id_token"])
    assert response.status_code == 200
    assert "You are signed out" in response.text
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"state": "x"},
        {"client_id": "emi"},
        {"client_id": "emi", "post_logout_redirect_uri": BACK},
        {"id_token_hint": "modified", "post_logout_redirect_uri": BACK},
        {"id_token_hint": "access token", "post_logout_redirect_uri": BACK},
        {"id_token_hint": "garbage", "client_id": "emi"},
    ],
)
def test_n57_without_a_genuine_hint_the_person_is_asked(
    world: World, signed_in: SignedIn, params: dict[str, str]
) -> None:
    """N57: a page, no redirect, still signed in; then yes signs out."""
    browser, rp, tokens = signed_in
    changes = {"modified": tokens["id_token"][:-6] + "AAAAAA", "access token": tokens["access_token"]}  # fmt: skip  # noqa: E501
    if (hint := params.get("id_token_hint")) in changes:
        params = params | {"id_token_hint": changes[str(hint)]}
    page = browser.get(LOGOUT, **params)
    assert page.status_code == 200
    assert "Sign out of the gateway?" in page.text
    assert is_signed_in(browser, rp)
    done = browser.submit(page, "/oauth2/v1/logout/confirm")
    expected = 303 if params.get("client_id") and "post_logout_redirect_uri" in params else 200
    assert done.status_code == expected
    assert not is_signed_in(browser, rp)


def test_n57_a_hint_of_somebody_else_does_not_sign_this_person_out(
    world: World, signed_in: SignedIn
) -> None:
    """N57: asked, because the hint is about another session."""
    browser, rp, _ = signed_in
    foreign = world.signed_in_tokens(rp, world.account())
    page = browser.get(LOGOUT, id_token_hint=foreign["id_token"])
    assert "Sign out of the gateway?" in page.text
    assert is_signed_in(browser, rp)


@pytest.mark.parametrize(
    "uri",
    ["https://evil.test/", f"{BACK}/", f"{BACK}?x=1", "javascript:alert(1)", "//evil.test",
     "https://emi.rp.test@evil.test/signed-out", "https://crow.rp.test/signed-out", ""],
)  # fmt: skip
def test_n57_an_unregistered_address_is_never_followed(
    world: World, signed_in: SignedIn, uri: str
) -> None:
    """N57: the sign-out is done, on our own page."""
    browser, rp, tokens = signed_in
    world.relying_party("CROW")
    response = browser.get(
        LOGOUT, id_token_hint=tokens["id_token"], post_logout_redirect_uri=uri, state="x"
    )
    assert response.status_code == 200
    assert "Location" not in response.headers
    assert "evil" not in response.text
    assert not is_signed_in(browser, rp)


def test_n57_client_and_hint_must_agree(world: World, signed_in: SignedIn) -> None:
    """RP-Initiated Logout section 2: another client_id makes the hint worthless."""
    browser, rp, tokens = signed_in
    world.relying_party("CROW")
    page = browser.get(LOGOUT, id_token_hint=tokens["id_token"], client_id="crow")
    assert "Sign out of the gateway?" in page.text
    assert is_signed_in(browser, rp)


def test_a_post_of_the_relying_party_works_like_a_get(world: World, signed_in: SignedIn) -> None:
    """RP-Initiated Logout section 2: both methods."""
    browser, rp, tokens = signed_in
    data = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BACK}
    assert browser.post(LOGOUT, data).headers["Location"] == BACK
    assert not is_signed_in(browser, rp)


def test_a_plain_sign_out_keeps_offline_grants_and_ends_the_rest(world: World) -> None:
    """``offline_access`` goes on; codes and other tokens do not."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    offline = world.redeem(rp, browser.code(rp, username)).json or {}
    online = world.redeem(rp, browser.code(rp, username, scope="openid")).json or {}
    waiting = answer_of(browser.authorize(rp))["code"]
    done = browser.submit(browser.get("/signout"), "/signout")
    assert "You are signed out" in done.text
    assert world.introspect(rp, online["access_token"]) == {"active": False}
    assert world.redeem(rp, waiting).status_code == 400
    assert world.refresh(rp, offline["refresh_token"]).status_code == 200
    assert not is_signed_in(browser, rp)


def test_n57_the_client_may_be_named_beside_its_hint(world: World, signed_in: SignedIn) -> None:
    """RP-Initiated Logout section 2: by GET the answer is a redirect at once, and the browser has
    no session cookie any more."""
    browser, rp, tokens = signed_in
    name = world.settings.cookie_name("session")
    assert browser.client.get_cookie(name, "gateway.test") is not None
    query = {
        "id_token_hint": tokens["id_token"],
        "client_id": rp.client_id,
        "post_logout_redirect_uri": BACK,
    }
    answer = browser.client.get(LOGOUT, query_string=query, base_url=browser.base)
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK)
    assert browser.client.get_cookie(name, "gateway.test") is None


@pytest.mark.parametrize("is_ended", [False, True])
def test_n57_the_answer_to_the_confirmation_is_a_page(
    world: World, signed_in: SignedIn, is_ended: bool
) -> None:
    """N57, N59: the policy for forms of a page governs redirects too, so a page goes on from there;
    also when the session has ended since the question."""
    browser, rp, _ = signed_in
    page = browser.get(LOGOUT, client_id=rp.client_id, post_logout_redirect_uri=BACK)
    if is_ended:
        with world.work() as work:
            session = work.db.scalars(select(BrowserSession)).one()
            sessions.end(work, session, EndReason.ENDED_BY_OPERATOR)
    form = hidden_fields(page.text, f"{LOGOUT}/confirm")
    answer = browser.client.post(f"{LOGOUT}/confirm", data=form, base_url=browser.base)
    assert answer.status_code == 200, answer.text
    assert f'content="0; url={BACK}"' in answer.text
    assert not is_signed_in(browser, rp)
    assert len(world.events("session.ended")) == 1


def test_n18_a_sign_out_does_not_redirect_to_a_disabled_client(
    world: World, signed_in: SignedIn
) -> None:
    """N18, N57: the sign-out is done all the same."""
    browser, rp, tokens = signed_in
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    answer = browser.get(LOGOUT, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BACK)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert browser.get("/settings").request.path == "/signin"


def test_n57_a_logout_without_a_hint_keeps_tokens_of_clients(world: World) -> None:
    """N57: tokens of clients that act for themselves, whoever asks for a logout."""
    rp = world.relying_party(
        "Api", grant_types=("client_credentials",), scopes=("read",), redirect_uris=(),
        post_logout_redirect_uris=(), home_url="",
    )  # fmt: skip
    token = (world.post(rp, grant_type="client_credentials").json or {})["access_token"]
    assert "You are signed out" in world.browser().get(LOGOUT).text
    assert world.introspect(rp, token)["active"] is True


def test_n59_the_signed_out_page_of_a_popup_keeps_its_opener(world: World) -> None:
    """N59: as the page that asks does."""
    rp = world.relying_party(uses_popups=True)
    browser = world.browser().signed_in(world.account())
    page = browser.get(LOGOUT, client_id=rp.client_id)
    done = browser.submit(page, f"{LOGOUT}/confirm")
    assert "You are signed out" in done.text
    assert done.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
