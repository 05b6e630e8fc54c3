"""Every endpoint accepts the tokens of people with very many role groups. A token is accepted only
for the use that it was issued for (N15, N38, N45, N57)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.clients import registry
from idp.directory import accounts, participants, role_group_assignments, role_groups
from idp.oidc.claims import MAX_GROUP_BYTES
from idp.oidc.jwks import MAX_TOKEN
from tests.security.test_signed_tokens import claims_of, header_of, userinfo
from tests.world import Browser, Rp, World, answer_of

LOGOUT = "/oauth2/v1/logout"
BACK = "https://emi.rp.test/signed-out"
#: A role group's name as long as those of the market are.
NAME = "EMI energy and operating reserve bids and offers"
#: What JSON needs most characters for.
FACE = "\N{GRINNING FACE}"


def hold(
    world: World, rp: Rp, username: str, count: int, name: str = NAME, *, places: int = 1
) -> None:
    """Give an account this many role groups of the application at this many participants."""
    with world.work() as work:
        companies = [
            participants.register(work, f"1091{number}", FACE * 198 + f"{number:02}")
            for number in range(places)
        ]
        client = registry.get(work, rp.client_id)
        account = accounts.by_username(work, username)
        for number in range(count):
            group = role_groups.create(work, f"{name} {number}", clients=[client])
            role_group_assignments.assign(work, account, group, companies[number % places])


@pytest.fixture
def rich(world: World) -> tuple[Browser, Rp, str]:
    """A person with 145 role groups of an application that requests them."""
    rp, username = world.relying_party(), world.account()
    hold(world, rp, username, 145)
    return world.browser(), rp, username


def tokens_of(world: World, rich: tuple[Browser, Rp, str]) -> dict[str, Any]:
    browser, rp, username = rich
    return dict(world.redeem(rp, browser.code(rp, username)).json or {})


def test_n15_a_large_id_token_is_a_hint_at_authorize(
    world: World, rich: tuple[Browser, Rp, str]
) -> None:
    """OIDC Core 3.1.2.1: 145 role groups, more than 14,000 characters; by GET and by POST."""
    browser, rp, _ = rich
    hint = tokens_of(world, rich)["id_token"]
    assert len(hint) > 14_000
    asked = {"prompt": "none", "id_token_hint": hint}
    assert "code" in answer_of(browser.authorize(rp, **asked))
    assert "code" in answer_of(browser.post("/oauth2/v1/authorize", rp.authorize_params(**asked)))


@pytest.mark.parametrize("method", ["get", "post"])
def test_n57_a_large_id_token_is_a_hint_at_logout(
    world: World, rich: tuple[Browser, Rp, str], method: str
) -> None:
    """RP-Initiated Logout section 2: the person is signed out and redirected back."""
    browser, _, _ = rich
    sent = {"id_token_hint": tokens_of(world, rich)["id_token"], "state": "s",
            "post_logout_redirect_uri": BACK}  # fmt: skip
    answer = browser.get(LOGOUT, **sent) if method == "get" else browser.post(LOGOUT, sent)
    assert answer.headers["Location"] == f"{BACK}?state=s"


def test_n38_a_large_access_token_is_introspected_used_and_revoked(
    world: World, rich: tuple[Browser, Rp, str]
) -> None:
    """RFC 7662, RFC 7009: the token of an account with many role groups can be revoked too."""
    rp, token = rich[1], str(tokens_of(world, rich)["access_token"])
    assert len(token) > 14_000
    assert len(world.introspect(rp, token)["groups"]) == 145
    assert len((userinfo(world, token).json or {})["groups"]) == 145
    body = world.app.test_client().post(
        "/oauth2/v1/userinfo", data={"access_token": token}, base_url=world.settings.issuer
    )
    assert body.status_code == 200
    assert world.post(rp, "/oauth2/v1/revoke", token=token).status_code == 200
    assert world.introspect(rp, token) == {"active": False}
    assert userinfo(world, token).status_code == 401


def test_the_largest_token_is_accepted_by_the_server(world: World) -> None:
    """With the longest names, nonce and scope. Above the limit of bytes, role groups become
    distributed claims (OIDC Core 5.6.2), so every endpoint can read the token."""
    names = ("given_name", "middle_name", "family_name", "preferred_name")
    scopes = tuple(f"{number:03}{'x' * 96}" for number in range(70))
    known = ("openid", "profile", "email", "phone", "groups", "participants")
    rp = world.relying_party(scopes=(*known, *scopes), audience="https://a.test/" + "a" * 1900)
    username = world.account(**dict.fromkeys(names, FACE * 100))
    hold(world, rp, username, 30, "x" * 96, places=30)
    nonce = FACE * 340
    browser = world.browser()
    scope = " ".join((*known, *scopes))
    answer = browser.post("/oauth2/v1/authorize", rp.authorize_params(scope=scope, nonce=nonce))
    code = answer_of(browser.sign_in(username, page=answer))["code"]
    tokens = world.redeem(rp, code).json or {}
    for kind in ("id_token", "access_token"):
        claims = claims_of(tokens[kind])
        assert claims["_claim_names"] == {"groups": "userinfo", "urn:ieso:participants": "userinfo"}
        assert len(tokens[kind]) + MAX_GROUP_BYTES * 4 / 3 < MAX_TOKEN
    assert len((userinfo(world, tokens["access_token"]).json or {})["groups"]) == 30
    asked = {"prompt": "none", "id_token_hint": tokens["id_token"], "scope": "openid"}
    assert "code" in answer_of(browser.authorize(rp, **asked))
    long = world.browser().authorize(rp, nonce=FACE * 342, scope="openid")
    assert answer_of(long)["error_description"] == "The nonce is too long."


@pytest.mark.parametrize("spoiled", ["long", "modified", "garbage", "nul", "repeated"])
def test_n57_a_malformed_hint_keeps_the_other_logout_parameters(world: World, spoiled: str) -> None:
    """N57: the page names the application, and the person is redirected back with the state."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    hint = str((world.redeem(rp, browser.code(rp, username)).json or {})["id_token"])
    bad = {"long": "x" * (MAX_TOKEN + 1), "modified": hint[:-6] + "AAAAAA", "garbage": "x",
           "nul": "\0", "repeated": hint}[spoiled]  # fmt: skip
    sent = {"id_token_hint": bad, "client_id": "emi", "state": "s", "ui_locales": "fr",
            "post_logout_redirect_uri": BACK}  # fmt: skip
    path = f"{LOGOUT}?id_token_hint={hint}" if spoiled == "repeated" else LOGOUT
    page = browser.post(path, sent)
    assert "Sign out of the gateway?" in page.text
    assert "EMI" in page.text
    done = browser.submit(page, "/oauth2/v1/logout/confirm")
    assert done.headers["Location"] == f"{BACK}?state=s"


@pytest.mark.parametrize("name", ["post_logout_redirect_uri", "client_id", "state", "x"])
def test_n57_a_malformed_parameter_keeps_the_hint(world: World, name: str) -> None:
    """N57: a valid hint signs the person out even if another parameter is malformed. A repeated one
    is ignored."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    hint = str((world.redeem(rp, browser.code(rp, username)).json or {})["id_token"])
    sent = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s"}
    for extra in (f"{name}=x&{name}=y", f"{name}=%00", f"{name}={'x' * 9000}"):
        kept = {key: value for key, value in sent.items() if key != name}
        answer = browser.post(f"{LOGOUT}?{extra}", kept)
        expected = {"post_logout_redirect_uri": None, "state": BACK}.get(name, f"{BACK}?state=s")
        assert answer.headers.get("Location") == expected
        assert answer_of(browser.authorize(rp, prompt="none"))["error"] == "login_required"
        assert "code" in answer_of(browser.sign_in(username, page=browser.authorize(rp)))


def other_use(world: World, tokens: dict[str, Any], typ: str) -> str:
    """The claims of the ID token, signed by the gateway for another use."""
    with world.work() as work:
        ring = world.app.extensions["oidc"].ring
        return str(ring.sign(work, "RS256", typ, claims_of(tokens["id_token"])))


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt"])
def test_n45_other_tokens_are_not_accepted_as_hints(world: World, typ: str) -> None:
    """N15, N45, N57: an access token or a logout token with all the claims of an ID token is not
    accepted as a hint: no code at authorize, and no sign-out without confirmation."""
    rp, username, browser = world.relying_party(), world.account(), world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    assert header_of(tokens["access_token"])["typ"] == "at+jwt"
    for hint in (other_use(world, tokens, typ), tokens["access_token"]):
        refused = answer_of(browser.authorize(rp, prompt="none", id_token_hint=hint))
        assert refused["error"] == "login_required"
        assert refused["error_description"] == "the hint is not valid here"
        page = browser.get(LOGOUT, id_token_hint=hint)
        assert "Sign out of the gateway?" in page.text
        assert "code" in answer_of(browser.authorize(rp, prompt="none"))
        assert world.introspect(rp, tokens["access_token"])["active"]


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt"])
def test_n45_other_tokens_are_not_accepted_as_access_tokens(world: World, typ: str) -> None:
    """N45: userinfo, introspection, revocation and SCIM refuse an ID token or a logout token with
    all the claims of an access token."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    with world.work() as work:
        ring = world.app.extensions["oidc"].ring
        other = str(ring.sign(work, "ES256", typ, claims_of(tokens["access_token"])))
    assert userinfo(world, other).status_code == 401
    assert world.introspect(rp, other) == {"active": False}
    assert world.post(rp, "/oauth2/v1/revoke", token=other).status_code == 200
    pushed = world.app.test_client().get(
        "/scim/v2/Users", headers={"Authorization": f"Bearer {other}"},
        base_url=world.settings.issuer,
    )  # fmt: skip
    assert pushed.status_code == 401
    assert userinfo(world, tokens["access_token"]).status_code == 200
