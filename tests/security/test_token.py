"""Authorization codes and PKCE: what must be refused, exactly (N21 to N27, A1 to A3, A7 to A9)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.models import AccountState, AuthMethod
from tests.security.test_token_tables import (
    METHODS,
    REFUSING,
    assert_client_refused,
    assert_dead,
    assert_refused,
    client_of,
    userinfo,
)
from tests.world import AUTHORIZE, NEW_PASSWORD, VERIFIER, World, answer_of, challenge_of

NOT_VALID = "The authorization code is invalid or has expired."
ENDED = "The sign-in has ended."
MALFORMED_VERIFIER = "The code_verifier is missing or malformed."
WAIVED = {"code_challenge": None, "code_challenge_method": None}


@pytest.mark.parametrize("method", METHODS)
def test_n21_authorize_without_a_challenge_is_refused(world: World, method: str) -> None:
    """A3: PKCE is required of public and confidential clients, before the person signs in."""
    rp = client_of(world, method)
    answer = answer_of(world.browser().authorize(rp, **WAIVED))
    assert answer == {
        "error": "invalid_request",
        "error_description": "PKCE is required: send a code_challenge.",
        "state": "state-1",
        "iss": "https://gateway.test",
    }


METHOD_MUST = "The code_challenge_method must be S256."
CHALLENGE_BAD = "The code_challenge is malformed."


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, METHOD_MUST),
        ({"code_challenge_method": None}, METHOD_MUST),
        ({"code_challenge_method": "s256"}, METHOD_MUST),
        ({"code_challenge_method": ""}, METHOD_MUST),
        ({"code_challenge": None}, CHALLENGE_BAD),
        ({"code_challenge": ""}, CHALLENGE_BAD),
        ({"code_challenge": "a" * 42}, CHALLENGE_BAD),
        ({"code_challenge": "a" * 44}, CHALLENGE_BAD),
        ({"code_challenge": "a" * 129}, CHALLENGE_BAD),
        ({"code_challenge": challenge_of(VERIFIER) + "="}, CHALLENGE_BAD),
        ({"code_challenge": "a" * 42 + "+"}, CHALLENGE_BAD),
        ({"code_challenge": "a" * 42 + "é"}, CHALLENGE_BAD),
        ({"code_challenge": challenge_of(VERIFIER) + "\n"}, CHALLENGE_BAD),
    ],
)
@pytest.mark.parametrize("require_pkce", [True, False])
def test_n22_only_a_well_formed_s256_challenge_is_accepted(
    world: World, require_pkce: bool, changes: dict[str, Any], text: str
) -> None:
    """RFC 7636 section 4.2, RFC 9700 section 2.1.1: also for a client that need not use PKCE."""
    rp = client_of(world, require_pkce=require_pkce)
    answer = answer_of(world.browser().authorize(rp, **changes))
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == text
    assert "code" not in answer


@pytest.mark.parametrize("name", ["code_challenge", "code_challenge_method"])
def test_n22_a_repeated_challenge_is_refused(world: World, name: str) -> None:
    """RFC 6749 section 3.1: a parameter must not be repeated."""
    rp = client_of(world)
    params = rp.authorize_params()
    query = urlencode([*params.items(), (name, params[name])])
    answer = answer_of(world.browser().get(f"{AUTHORIZE}?{query}"))
    assert (answer["error"], answer["error_description"]) == (
        "invalid_request",
        "A parameter is repeated.",
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("verifier", "text"),
    [
        (None, MALFORMED_VERIFIER),
        ("", MALFORMED_VERIFIER),
        ("v" * 42, MALFORMED_VERIFIER),
        ("v" * 129, MALFORMED_VERIFIER),
        ("v" * 42 + "!", MALFORMED_VERIFIER),
        ("w" * 43, "The code_verifier does not match the code_challenge."),
        (challenge_of(VERIFIER), "The code_verifier does not match the code_challenge."),
    ],
)
def test_n23_a_code_without_its_verifier_is_refused(
    world: World, method: str, verifier: str | None, text: str
) -> None:
    """RFC 7636 section 4.6: an attempt with the wrong verifier spends the code."""
    rp = client_of(world, method)
    code = world.browser().code(rp, world.account())
    params = {"grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri}
    if verifier is not None:
        params["code_verifier"] = verifier
    assert_refused(world.post(rp, **params), 400, "invalid_grant", text)
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", NOT_VALID)


def test_n23_a_verifier_for_a_code_without_challenge_is_refused(world: World) -> None:
    """A downgrade attack has removed the challenge (RFC 9700 section 4.8.2)."""
    rp = client_of(world, require_pkce=False)
    username = world.account()
    browser = world.browser()
    code = browser.code(rp, username, **WAIVED)
    assert_refused(
        world.redeem(rp, code),
        400,
        "invalid_grant",
        "The authorization request had no code_challenge.",
    )
    code = browser.code(rp, username, **WAIVED)
    params = {"grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri}
    assert world.post(rp, **params).status_code == 200


@pytest.mark.parametrize("method", METHODS)
def test_n24_a_code_presented_by_another_client_is_refused_and_spent(
    world: World, method: str
) -> None:
    """RFC 6749 section 4.1.3: another client cannot use a stolen code, and nobody can
    afterwards."""
    owner, thief = client_of(world, name="EMI"), client_of(world, method, name="Thief")
    code = world.browser().code(owner, world.account())
    stolen = world.redeem(thief, code, redirect_uri=owner.redirect_uri)
    assert_refused(stolen, 400, "invalid_grant", NOT_VALID)
    assert_refused(world.redeem(owner, code), 400, "invalid_grant", NOT_VALID)


def test_n24_a_client_that_fails_to_authenticate_does_not_spend_the_code(world: World) -> None:
    """A client that does not authenticate cannot spend the code of another."""
    rp = client_of(world)
    code = world.browser().code(rp, world.account())
    wrong = client_of(world, name="Other")
    wrong.client_id = rp.client_id
    assert_client_refused(world.redeem(wrong, code))
    assert world.redeem(rp, code).status_code == 200


@pytest.mark.parametrize("uri", ["https://other.rp.test/callback", "", None, "{}/", "{}?a=b"])
def test_n24_a_different_redirect_uri_spends_the_code(world: World, uri: str | None) -> None:
    """RFC 6749 section 4.1.3, RFC 9700 section 4.1: it must be identical, not similar."""
    rp = client_of(world)
    code = world.browser().code(rp, world.account())
    params = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    if uri is not None:
        params["redirect_uri"] = uri.replace("{}", rp.redirect_uri)
    text = "The redirect_uri does not match the authorization request."
    assert_refused(world.post(rp, **params), 400, "invalid_grant", text)
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", NOT_VALID)


@pytest.mark.parametrize("method", METHODS)
def test_n25_a_second_use_of_a_code_revokes_the_tokens_of_the_first(
    world: World, method: str
) -> None:
    """A2, RFC 6749 section 4.1.2: one of the two users stole the code, and the gateway cannot know
    which."""
    rp, reader = client_of(world, method), client_of(world, name="Reader")
    code = world.browser().code(rp, world.account())
    tokens = world.redeem(rp, code).json
    assert userinfo(world, tokens["access_token"]).status_code == 200
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", NOT_VALID)
    assert_dead(world, reader if method == AuthMethod.NONE else rp, tokens["access_token"])
    again = world.refresh(rp, tokens["refresh_token"])
    assert_refused(again, 400, "invalid_grant", "The refresh token is invalid or has expired.")
    revoked = world.events("grant.revoked")
    assert [event.data["why"] for event in revoked] == ["code_reused"]


def test_n26_one_of_many_uses_of_a_code_succeeds(world: World) -> None:
    """A1 in sequence. ``test_races`` does the same in parallel and in several processes."""
    rp = client_of(world)
    code = world.browser().code(rp, world.account())
    assert [world.redeem(rp, code).status_code for _ in range(16)] == [200] + [400] * 15


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400), (61, 400)])
def test_n27_a_code_is_valid_for_a_minute(world: World, seconds: int, status: int) -> None:
    """RFC 6749 section 4.1.2, settings.code_ttl."""
    rp = client_of(world)
    code = world.browser().code(rp, world.account())
    world.clock.advance(seconds)
    response = world.redeem(rp, code)
    assert response.status_code == status
    if status == 400:
        assert_refused(response, 400, "invalid_grant", NOT_VALID)


@pytest.mark.parametrize("state", REFUSING)
def test_n27_the_end_of_the_account_invalidates_a_code(world: World, state: AccountState) -> None:
    """N58: every state that ends the account ends its codes."""
    rp = client_of(world)
    username = world.account()
    code = world.browser().code(rp, username)
    world.set_state(username, state)
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", ENDED)


def test_n27_the_end_of_the_session_invalidates_a_code(world: World) -> None:
    """Signing out between the redirect and the token request."""
    rp = client_of(world)
    browser = world.browser()
    code = browser.code(rp, world.account())
    with world.work() as work:
        from idp.directory import accounts
        from idp.session import sessions

        account = accounts.by_username(work, "holder1")
        sessions.end(work, sessions.active(work, account)[0], "signed_out", keep_offline=True)
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", ENDED)


def test_n27_a_password_reset_invalidates_a_code(world: World) -> None:
    """People reset their password when another person may know it."""
    from idp.credentials import passwords
    from idp.directory import accounts
    from idp.session import sessions

    rp = client_of(world)
    username = world.account()
    code = world.browser().code(rp, username)
    with world.work() as work:
        account = accounts.by_username(work, username)
        hasher = world.app.extensions["hasher"]
        assert passwords.change(work, hasher, account, NEW_PASSWORD, source="test") == ()
        sessions.end_all(work, account, "password_reset")
    assert_refused(world.redeem(rp, code), 400, "invalid_grant", ENDED)


@pytest.mark.parametrize("code", ["", "x", "x" * 8192, "é", "' OR 1=1 --", "\ud83d\ude00", None])
def test_a_code_that_was_never_issued_is_refused(world: World, code: str | None) -> None:
    """RFC 6749 section 5.2: missing is invalid_request, unknown is invalid_grant."""
    rp = client_of(world)
    params = {"grant_type": "authorization_code", "redirect_uri": rp.redirect_uri}
    if code is not None:
        params["code"] = code.encode("utf-16", "surrogatepass").decode("utf-16")
    response = world.post(rp, **params)
    if code:
        assert_refused(response, 400, "invalid_grant", NOT_VALID)
    else:
        assert_refused(response, 400, "invalid_request", "Missing parameter: code.")


def test_a7_the_redirect_uri_is_never_assumed(world: World) -> None:
    """OIDC Core 3.1.2.1: without it the person sees an error page, and there is no redirect."""
    rp = client_of(world)
    response = world.browser().authorize(rp, redirect_uri=None)
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_a8_the_redirect_to_the_client_is_a_303(world: World) -> None:
    """RFC 9700 section 4.12: a 307 would send the password on to the client."""
    rp = client_of(world)
    browser = world.browser()
    username = world.account()
    page = browser.authorize(rp)
    response = browser.sign_in(username, page=page)
    assert response.status_code == 303
    assert response.headers["Location"].startswith(f"{rp.redirect_uri}?code=")
    assert response.headers["Cache-Control"] == "no-store"


def test_a8_the_response_mode_is_not_ignored(world: World) -> None:
    """An unsupported mode is refused, not replaced by another."""
    answer = answer_of(world.browser().authorize(client_of(world), response_mode="fragment"))
    assert answer["error"] == "invalid_request"


def test_a9_refresh_tokens_rotate_and_the_nonce_is_returned(world: World) -> None:
    """Both are disabled by default in Authlib."""
    rp = client_of(world)
    first = world.signed_in_tokens(rp, world.account())
    second = world.refresh(rp, first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
