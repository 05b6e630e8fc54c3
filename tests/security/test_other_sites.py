"""Forms of other sites, parameters without a value, and popups (OIDC Core 3.1.2.1)."""

from __future__ import annotations

import pytest

from idp.clients import registry
from tests.world import AUTHORIZE, Rp, World, answer_of, hidden_fields

LOGOUT = "/oauth2/v1/logout"


def send_form(world: World, path: str, data: dict[str, str]) -> str:
    """What the form of another site gets, without the cookies: where it goes on, setting none."""
    client = world.app.test_client(use_cookies=False)
    answer = client.post(path, data=data, base_url=world.settings.issuer)
    assert answer.status_code == 303, answer.text
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Location"].startswith(f"{path}/posted?asked=")
    return str(answer.headers["Location"])


def test_n53_a_request_by_post_keeps_the_session_and_other_tabs(world: World) -> None:
    """N53, OIDC Core 3.1.2.1: POST works as GET: the session is seen, also with ``prompt=none``,
    and a page of another tab still takes its form."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser().signed_in(username)
    other_tab = browser.authorize(rp, prompt="login")
    for changes in (
        {},
        {"prompt": "none"},
        {"response_mode": "query", "claims": '{"userinfo":{}}'},
    ):
        path = send_form(world, AUTHORIZE, rp.authorize_params(**changes))
        assert answer_of(browser.get(path))["state"] == "state-1"
        code = answer_of(browser.get(path))["code"]
        assert world.redeem(rp, code).status_code == 200
    assert "code" in answer_of(browser.sign_in(username, page=other_tab))


def test_n53_a_request_by_post_shows_the_sign_in_page(world: World) -> None:
    """OIDC Core 3.1.2.1: without a session the person signs in."""
    rp, username = world.relying_party(), world.account()
    path = send_form(world, AUTHORIZE, rp.authorize_params())
    browser = world.browser()
    page = browser.get(path)
    assert page.request.path == "/signin"
    assert "code" in answer_of(browser.sign_in(username, page=page))


@pytest.mark.parametrize(("seconds", "status"), [(-2, 400), (-1, 200), (299, 200), (300, 400)])
def test_n54_a_posted_request_is_valid_for_five_minutes(
    world: World, seconds: int, status: int
) -> None:
    """N54: the clock of another process may be one second behind."""
    path = send_form(world, AUTHORIZE, world.relying_party().authorize_params())
    world.clock.advance(seconds)
    assert world.browser().get(path).status_code == status


@pytest.mark.parametrize("spoil", ["x", "", "old"])
def test_n54_a_request_made_up_by_another_site_is_refused(world: World, spoil: str) -> None:
    """N54: only what was checked here goes on, for five minutes."""
    rp = world.relying_party()
    path = send_form(world, AUTHORIZE, rp.authorize_params())
    if spoil == "old":
        world.clock.advance(minutes=5)
    else:
        path = f"{AUTHORIZE}/posted?asked={path.split('=')[1] + spoil if spoil else ''}"
    page = world.browser().get(path)
    assert page.status_code == 400
    assert "incomplete or has expired" in page.text


def test_n54_a_request_sealed_for_one_endpoint_is_refused_at_another(world: World) -> None:
    """N54, N17: a request is no logout, and a logout no request."""
    rp = world.relying_party()
    asked = send_form(world, AUTHORIZE, rp.authorize_params()).partition("?")[2]
    browser = world.browser().signed_in(world.account())
    page = browser.get(f"{LOGOUT}/posted?{asked}")
    assert (page.status_code, "Sign out of the gateway?" in page.text) == (200, True)
    asked = send_form(world, LOGOUT, {"client_id": rp.client_id}).partition("?")[2]
    page = browser.get(f"{AUTHORIZE}/posted?{asked}")
    assert (page.status_code, "incomplete or has expired" in page.text) == (400, True)


def test_n18_a_client_disabled_during_the_request_gets_nothing(world: World) -> None:
    """N18: also between the POST and the GET."""
    rp = world.relying_party()
    path = send_form(world, AUTHORIZE, rp.authorize_params())
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    assert world.browser().get(path).status_code == 400


def test_n08_errors_of_a_posted_request_are_answered_at_once(world: World) -> None:
    """N08, N02: to the client by redirect, or on a page of our own; no cookie is set, and the
    page has no form, which would need one."""
    rp = world.relying_party()
    client = world.app.test_client(use_cookies=False)
    for changes in ({"redirect_uri": "https://evil.test/"}, {"scope": "profile"}):
        data = rp.authorize_params(**changes)
        answer = client.post(AUTHORIZE, data=data, base_url=world.settings.issuer)
        assert "Set-Cookie" not in answer.headers
        if "scope" in changes:
            assert answer_of(answer)["error"] == "invalid_scope"
        else:
            assert answer.status_code == 400
            assert "<form" not in answer.text


def test_n59_the_form_of_another_site_sets_no_cookie_anywhere(world: World) -> None:
    """N17, N59: the refusal of its form would replace the cookie that other tabs rely on."""
    client = world.app.test_client(use_cookies=False)
    sent = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/signin", "/recover", "/language", "/settings/password", LOGOUT + "/confirm"):
        answer = client.post(path, headers=sent, base_url=world.settings.issuer)
        assert answer.status_code == 400
        assert "Set-Cookie" not in answer.headers
        assert "<form" not in answer.text


def hint_of(world: World, rp: Rp, username: str) -> tuple[object, str]:
    """A browser that is signed in for an application, and its ID token."""
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    return browser, str(tokens["id_token"])


def test_n57_a_logout_by_post_ends_the_session(world: World) -> None:
    """N57, RP-Initiated Logout section 2: "signed out" is said when it is so; the person comes
    back to the application."""
    rp, username = world.relying_party(), world.account()
    browser, hint = hint_of(world, rp, username)
    back = "https://emi.rp.test/signed-out"
    data = {"id_token_hint": hint, "post_logout_redirect_uri": back, "state": "s1"}
    path = send_form(world, LOGOUT, data)
    answer = browser.get(path)  # type: ignore[attr-defined]
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{back}?state=s1")
    assert [event.data["why"] for event in world.events("session.ended")] == ["signed_out"]
    assert browser.get("/settings").request.path == "/signin"  # type: ignore[attr-defined]


def test_n17_a_logout_by_post_without_a_hint_asks(world: World) -> None:
    """N17: as by GET; the answer goes back to the application, whose hint was another's."""
    rp, username = world.relying_party(), world.account()
    _, hint = hint_of(world, rp, world.account())
    back = "https://emi.rp.test/signed-out"
    for data in (
        {"client_id": rp.client_id, "post_logout_redirect_uri": back},
        {"id_token_hint": hint, "post_logout_redirect_uri": back},
    ):
        browser = world.browser().signed_in(username)
        page = browser.get(send_form(world, LOGOUT, data))
        assert "Sign out of the gateway?" in page.text
        assert hidden_fields(page.text, f"{LOGOUT}/confirm")["client_id"] == rp.client_id
        done = browser.submit(page, f"{LOGOUT}/confirm")
        assert done.headers["Location"] == back
        assert browser.get("/settings").request.path == "/signin"


def test_a_malformed_logout_by_post_asks_the_person(world: World) -> None:
    """N17: what cannot be read asks the person."""
    browser = world.browser().signed_in(world.account())
    assert "Sign out of the gateway?" in browser.get(f"{LOGOUT}/posted?asked=x").text


OPTIONAL = (
    "state", "nonce", "prompt", "max_age", "id_token_hint", "claims", "response_mode", "request",
    "request_uri", "login_hint", "ui_locales", "acr_values", "display",
)  # fmt: skip


def test_n07_a_parameter_without_a_value_counts_as_omitted(world: World) -> None:
    """RFC 6749 section 3.1: at authorize, by GET and by POST; an empty second value is none."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser().signed_in(username)
    empty = dict.fromkeys(OPTIONAL, "")
    answer = answer_of(browser.authorize(rp, **empty))
    assert sorted(answer) == ["code", "iss", "session_state"]
    posted = browser.get(send_form(world, AUTHORIZE, rp.authorize_params(**empty)))
    assert sorted(answer_of(posted)) == ["code", "iss", "session_state"]
    query = "&".join(f"{name}={value}" for name, value in rp.authorize_params().items())
    twice = browser.get(f"{AUTHORIZE}?state=&{query}&state=&client_id=")
    assert answer_of(twice)["state"] == "state-1"
    missing = answer_of(browser.authorize(rp, scope=""))
    assert missing["error"] == "invalid_scope"
    waived = world.relying_party("CROW", require_pkce=False)
    none = {"code_challenge": "", "code_challenge_method": ""}
    assert "code" in answer_of(browser.authorize(waived, **none))
    assert browser.authorize(rp, redirect_uri="").status_code == 400


def test_n36_empty_parameters_of_a_token_request_count_as_omitted(world: World) -> None:
    """RFC 6749 section 3.2: at the token endpoint, introspection, revocation, userinfo, logout."""
    rp, username = world.relying_party(), world.account()
    empty = dict.fromkeys(("client_id", "client_secret", "scope", "resource", "refresh_token",
                           "client_assertion", "client_assertion_type"), "")  # fmt: skip
    code = world.browser().code(rp, username)
    tokens = world.redeem(rp, code, **empty)
    assert tokens.status_code == 200, tokens.text
    access, refresh = tokens.json["access_token"], tokens.json["refresh_token"]  # type: ignore[index]
    renewed = world.refresh(rp, refresh, scope="", client_secret="")
    assert renewed.status_code == 200
    seen = world.post(
        rp, "/oauth2/v1/introspect?token=", token=access, token_type_hint="", client_id=""
    )
    assert (seen.json or {})["active"] is True
    client = world.app.test_client(use_cookies=False)
    claims = client.post(
        "/oauth2/v1/userinfo?access_token=",
        data={"access_token": ""},
        headers={"Authorization": f"Bearer {access}"},
        base_url=world.settings.issuer,
    )
    assert claims.status_code == 200
    done = world.post(rp, "/oauth2/v1/revoke", token=access, token_type_hint="")
    assert done.status_code == 200
    assert not (world.post(rp, "/oauth2/v1/introspect", token=access).json or {})["active"]
    again = world.redeem(rp, "", redirect_uri="")
    assert (again.status_code, (again.json or {})["error"]) == (400, "invalid_request")
    browser = world.browser().signed_in(username)
    asked = browser.get(LOGOUT, id_token_hint="", client_id="", post_logout_redirect_uri="")
    assert "Sign out of the gateway?" in asked.text


def test_n59_pages_of_a_popup_keep_their_opener(world: World) -> None:
    """N59: for clients that are registered for it, on the pages of their sign-ins and sign-outs
    only."""
    plain, popup = world.relying_party(), world.relying_party("CROW", uses_popups=True)
    username = world.account()
    header = "Cross-Origin-Opener-Policy"
    browser = world.browser()
    page = browser.authorize(popup, prompt="consent")
    assert page.headers[header] == "unsafe-none"
    assert browser.authorize(plain).headers[header] == "same-origin"
    page = browser.sign_in(username, page=page)
    assert page.request.path == "/signin/consent"
    assert page.headers[header] == "unsafe-none"
    page = browser.submit(page, "/signin/consent", decision="allow")
    assert "code" in answer_of(page)
    assert page.headers[header] == "unsafe-none"
    assert browser.authorize(popup, response_mode="form_post").headers[header] == "unsafe-none"
    assert browser.get(LOGOUT, client_id=popup.client_id).headers[header] == "unsafe-none"
    for path in ("/", "/settings", "/recover"):
        assert browser.get(path).headers[header] == "same-origin"
