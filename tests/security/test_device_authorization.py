"""Device authorization (RFC 8628): a code on a device, a decision in a browser, tokens once."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.clients import registry
from idp.directory import accounts
from idp.grants import device_authorizations
from idp.maintenance import purge, restoration
from idp.models import AccountKind, AccountState, DeviceAuthorization
from idp.policy import user_code
from idp.policy.scopes import ACR_MFA, DEVICE_CODE
from idp.session import sessions
from idp.session.end_reasons import EndReason
from tests.factor_steps import code, set_up_app
from tests.security.test_token_tables import METHODS, assert_refused
from tests.world import Browser, Rp, World, hidden_fields

DEVICE = "/oauth2/v1/device_authorization"
INVALID = "The device code is invalid or was used already."


def terminal(world: World, name: str = "Terminal", **changes: Any) -> Rp:
    """A program without a browser, for which people are asked."""
    values: dict[str, Any] = {
        "grant_types": (DEVICE_CODE, "refresh_token"),
        "redirect_uris": (),
        "auth_method": "none",
        "trusted": False,
    }
    return world.relying_party(name, **(values | changes))


def ask(world: World, rp: Rp, **params: str) -> dict[str, Any]:
    """The codes of a new request."""
    response = world.post(rp, DEVICE, **({"scope": "openid groups"} | params))
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def poll(world: World, rp: Rp, codes: dict[str, Any]) -> TestResponse:
    return world.post(rp, grant_type=DEVICE_CODE, device_code=codes["device_code"])


def error_of(response: TestResponse) -> str:
    assert response.status_code == 400, response.text
    return str((response.json or {})["error"])


def enter(browser: Browser, code: str) -> TestResponse:
    """Type the code into the page."""
    return browser.submit(browser.get("/device"), "/device", user_code=code)


def decide(browser: Browser, page: TestResponse, decision: str = "allow") -> TestResponse:
    return browser.submit(page, "/device/confirm", decision=decision)


def allow(world: World, codes: dict[str, Any], username: str) -> Browser:
    """A signed-in person allows it."""
    browser = world.browser().signed_in(username)
    assert "is connected" in decide(browser, enter(browser, codes["user_code"])).text
    return browser


@pytest.mark.parametrize("method", METHODS)
def test_a_device_gets_the_tokens_of_the_person_who_allows_it(world: World, method: str) -> None:
    """Sections 3.1 to 3.5: the whole way, with a sign-in, for each client authentication method."""
    rp, username = terminal(world, auth_method=method), world.account()
    world.role_group("Terminal Operator", rp.client_id)
    world.grant_role(username, "Terminal Operator")
    codes = ask(world, rp, scope="openid groups offline_access")
    page = f"{world.settings.issuer}/device"
    assert codes == {
        "device_code": codes["device_code"],
        "user_code": codes["user_code"],
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={codes['user_code']}",
        "expires_in": 600,
        "interval": 5,
    }
    assert re.fullmatch(r"[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", codes["user_code"])
    assert len(codes["device_code"]) >= 43
    assert error_of(poll(world, rp, codes)) == "authorization_pending"
    browser = world.browser()
    page = browser.sign_in(username, page=enter(browser, codes["user_code"]))
    for shown in ("Terminal", codes["user_code"], "127.0.0.1", username, "role groups"):
        assert shown in page.text
    assert "is connected" in decide(browser, page).text
    tokens = poll(world, rp, codes).json or {}
    assert tokens["scope"] == "openid groups offline_access"
    assert tokens["refresh_token"]
    with world.work() as work:
        subject = accounts.by_username(work, username).subject
    userinfo = world.app.test_client().get(
        "/oauth2/v1/userinfo",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        base_url=world.settings.issuer,
    )
    assert (userinfo.json or {})["sub"] == subject
    assert (userinfo.json or {})["groups"] == ["Terminal Operator"]
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 200


def test_the_trail_has_the_decision_with_the_address_of_the_device(world: World) -> None:
    """Who allowed which application where. Waiting leaves no events; none has a code (N84)."""
    rp, username = terminal(world), world.account()
    codes = ask(world, rp)
    for _ in range(3):
        poll(world, rp, codes)
    assert world.events("token.refused") == []
    allow(world, codes, username)
    assert poll(world, rp, codes).status_code == 200
    (granted,) = world.events("authorize.granted")
    assert (granted.client_id, granted.data["device_ip"]) == ("terminal", "127.0.0.1")
    assert granted.data["grant_type"] == DEVICE_CODE
    assert [event.data["scope"] for event in world.events("consent.given")] == ["openid groups"]
    (issued,) = world.events("token.issued")
    assert issued.data["grant_type"] == DEVICE_CODE
    written = " ".join(str(event.data) for event in world.events())
    assert codes["device_code"] not in written
    assert codes["user_code"] not in written


def test_n84_the_codes_are_not_stored_in_plain(world: World) -> None:
    codes = ask(world, terminal(world))
    with world.work() as work:
        row = work.db.scalars(select(DeviceAuthorization)).one()
        stored = str([getattr(row, column.key) for column in DeviceAuthorization.__table__.columns])
    for one in (codes["device_code"], codes["user_code"], codes["user_code"].replace("-", "")):
        assert one not in stored


@pytest.mark.parametrize(
    ("changes", "params", "error"),
    [
        ({"grant_types": ("client_credentials",), "scopes": ("api.read",)}, {"scope": "api.read"},
         "unauthorized_client"),
        ({}, {"scope": "openid email"}, "invalid_scope"),
        ({}, {"scope": "groups"}, "invalid_scope"),
        ({}, {"scope": ""}, "invalid_scope"),
        ({}, {"resource": "https://other.example"}, "invalid_target"),
    ],
    ids=["grant", "scope", "no-openid", "no-scope", "resource"],
)  # fmt: skip
def test_n31_n32_a_device_asks_for_what_is_registered(
    world: World, changes: dict[str, Any], params: dict[str, str], error: str
) -> None:
    """Section 3.1: grant type, scope and resource are checked before anybody is asked."""
    values = {"scopes": ("openid", "groups"), "auth_method": "client_secret_basic"} | changes
    response = world.post(terminal(world, **values), DEVICE, **({"scope": "openid"} | params))
    assert error_of(response) == error
    with world.work() as work:
        assert work.db.scalar(select(func.count(DeviceAuthorization.id))) == 0


def test_n17_n28_only_the_client_itself_asks(world: World) -> None:
    """Section 3.1: authenticated as at the token endpoint; unknown and disabled clients are 401."""
    rp = terminal(world, auth_method="client_secret_basic")
    for wrong in (replace(rp, secret="wrong"), replace(rp, auth_method="none"),
                  replace(rp, client_id="nobody")):  # fmt: skip
        response = world.post(wrong, DEVICE, scope="openid")
        assert (response.status_code, (response.json or {})["error"]) == (401, "invalid_client")
    client = world.app.test_client()
    sent: dict[str, Any] = {"headers": rp.basic(), "base_url": world.settings.issuer}
    assert (
        client.post(f"{DEVICE}?scope=openid", data={"scope": "openid"}, **sent).status_code == 400
    )
    assert client.post(DEVICE, json={"scope": "openid"}, **sent).status_code == 415
    twice = client.post(DEVICE, data={"scope": ["openid", "groups"]}, **sent)
    assert error_of(twice) == "invalid_request"
    assert client.get(DEVICE, **sent).status_code == 405
    answer = client.post(DEVICE, data={"scope": "openid"}, **sent)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_device_that_asks_too_soon_is_slowed_down_for_good(world: World) -> None:
    """Section 3.5: each slow_down adds five seconds, also for all later requests."""
    rp = terminal(world)
    codes = ask(world, rp)
    assert error_of(poll(world, rp, codes)) == "authorization_pending"
    for seconds, expected in (
        (5, "authorization_pending"),
        (3, "slow_down"),  # 10 seconds from now on
        (5, "slow_down"),  # 15
        (15, "authorization_pending"),
        (10, "slow_down"),  # 20
        (20, "authorization_pending"),
        (20, "authorization_pending"),
    ):
        world.clock.advance(seconds)
        assert error_of(poll(world, rp, codes)) == expected, seconds
    # Speed does not count once somebody has decided.
    allow(world, codes, world.account())
    assert poll(world, rp, codes).status_code == 200


def test_a_code_expires_for_the_person_and_the_device(world: World) -> None:
    """Section 3.5: expired_token after ten minutes, allowed or not; the page takes the code no
    longer, and a confirmation that was open comes too late."""
    rp, username = terminal(world), world.account()
    codes, allowed = ask(world, rp), ask(world, rp)
    browser = allow(world, allowed, username)
    page = enter(browser, codes["user_code"])
    world.clock.advance(599)
    assert error_of(poll(world, rp, codes)) == "authorization_pending"
    world.clock.advance(1)
    for each in (codes, allowed):
        assert error_of(poll(world, rp, each)) == "expired_token"
    assert "has expired" in enter(browser, codes["user_code"]).text
    late = decide(browser, page)
    assert (late.status_code, "no longer valid" in late.text) == (400, True)
    assert error_of(poll(world, rp, codes)) == "expired_token"


def test_a_person_can_refuse(world: World) -> None:
    """Section 3.5: access_denied, every time; the code cannot be used for another decision."""
    rp, username = terminal(world), world.account()
    codes, browser = ask(world, rp), world.browser().signed_in(username)
    page = decide(browser, enter(browser, codes["user_code"]), "refuse")
    assert "is not connected" in page.text
    assert [error_of(poll(world, rp, codes)) for _ in range(2)] == ["access_denied"] * 2
    assert "incorrect" in enter(browser, codes["user_code"]).text
    (refused,) = world.events("authorize.refused")
    assert (refused.reason, refused.data["device_ip"]) == ("access_denied", "127.0.0.1")


def test_n54_the_link_with_the_code_decides_nothing(world: World) -> None:
    """Sections 3.3.1 and 5.4: it fills in the code; nothing happens without the two forms, even for
    a trusted application and consent that was given before."""
    rp, username = terminal(world, trusted=True), world.account()
    codes, browser = ask(world, rp), world.browser().signed_in(username)
    page = browser.get("/device", user_code=codes["user_code"])
    assert codes["user_code"] in page.text
    assert "If somebody sent you" in page.text
    assert error_of(poll(world, rp, codes)) == "authorization_pending"
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    assert "Allow Terminal on another device?" in page.text
    assert "is connected" in decide(browser, page).text
    assert "Allow Terminal on another device?" in enter(browser, ask(world, rp)["user_code"]).text


def test_n54_the_confirmation_belongs_to_the_browser_that_typed_the_code(world: World) -> None:
    """The form of one person, sent by the browser of another, decides nothing."""
    rp = terminal(world)
    codes, browser = ask(world, rp), world.browser().signed_in(world.account())
    page = enter(browser, codes["user_code"])
    flow = hidden_fields(page.text, "/device/confirm")["flow"]
    other = world.browser().signed_in(world.account())
    token = hidden_fields(other.get("/device").text, "/device")["csrf_token"]
    other.post("/device/confirm", {"csrf_token": token, "flow": flow, "decision": "allow"})
    assert error_of(poll(world, rp, codes)) == "authorization_pending"


def test_n26_the_first_of_two_people_decides(world: World) -> None:
    """Both have the confirmation open: the second one's answer changes nothing."""
    rp, first, second = terminal(world), world.account(), world.account()
    codes = ask(world, rp)
    browser, other = world.browser().signed_in(first), world.browser().signed_in(second)
    page, late = enter(browser, codes["user_code"]), enter(other, codes["user_code"])
    assert "is connected" in decide(browser, page).text
    answer = decide(other, late)
    assert (answer.status_code, "no longer valid" in answer.text) == (400, True)
    token = (poll(world, rp, codes).json or {})["access_token"]
    assert world.introspect(
        world.relying_party("API", audience=world.settings.issuer, is_resource_server=True), token
    )["username"] == first  # fmt: skip


def test_n16_a_made_up_code_is_refused_on_the_page(world: World) -> None:
    """Too short, too long, other letters, other widths, hostile text."""
    browser = world.browser()
    for typed in ("", "x", "AAAA-AAAA", "WDJBMJH", "WDJB-MJHTB", "ＷＤＪＢＭＪＨＴ", "' OR 1=1 --",
                  "\0" * 8, "<script>", "W" * 5000):  # fmt: skip
        page = enter(browser, typed)
        assert page.status_code == 400
        assert "This code is incorrect" in page.text
        assert "<script>" not in page.text.replace("<script nonce", "")


def test_a_code_is_typed_in_any_form(world: World) -> None:
    """Lower case, spaces, no grouping (section 6.1)."""
    codes = ask(world, terminal(world))
    letters = codes["user_code"].replace("-", "").lower()
    browser = world.browser().signed_in(world.account())
    for typed in (letters, f" {letters[:3]} {letters[3:]} ", f"{letters[:4]}–{letters[4:]}"):
        assert codes["user_code"] in enter(browser, typed).text


def test_n63_codes_cannot_be_guessed_without_end(world: World) -> None:
    """Section 5.1: wrong codes of one session and one network are limited; then even a right one is
    429, and other people are not affected."""
    settings = replace(world.settings, signin_failure_limit="3 per 15 minute")
    app = create_app(settings, world.app.extensions["runtime"].ports)
    world = replace(world, settings=settings, app=app)
    rp, username = terminal(world), world.account()
    codes = ask(world, rp)
    stranger, holder = world.browser(), world.browser().signed_in(username)
    for browser in (stranger, holder):
        assert [enter(browser, "BBBB-BBBB").status_code for _ in range(3)] == [400] * 3
        form = hidden_fields(browser.get("/device").text, "/device")
        assert browser.post("/device", form | {"user_code": codes["user_code"]}).status_code == 429
    other = world.browser().signed_in(world.account())
    assert enter(other, codes["user_code"]).status_code == 200


def test_n24_a_device_code_belongs_to_its_client(world: World) -> None:
    """Presented by another client it ends, with what was granted."""
    rp, other, username = terminal(world), terminal(world, "Other"), world.account()
    codes = ask(world, rp)
    allow(world, codes, username)
    assert_refused(poll(world, other, codes), 400, "invalid_grant", INVALID)
    assert error_of(poll(world, rp, codes)) == "expired_token"
    unknown = {"device_code": "made-up"}
    assert_refused(poll(world, rp, unknown), 400, "invalid_grant", INVALID)
    missing = world.post(rp, grant_type=DEVICE_CODE)
    assert error_of(missing) == "invalid_request"


def test_n25_a_device_code_twice_ends_what_it_gave(world: World) -> None:
    rp, username = terminal(world), world.account()
    codes = ask(world, rp, scope="openid offline_access")
    allow(world, codes, username)
    tokens = poll(world, rp, codes).json or {}
    assert_refused(poll(world, rp, codes), 400, "invalid_grant", INVALID)
    assert error_of(world.refresh(rp, tokens["refresh_token"])) == "invalid_grant"


def test_n26_of_sixteen_at_once_one_gets_the_tokens(world: World) -> None:
    """Two processes, eight requests each."""
    rp, username = terminal(world), world.account()
    codes = ask(world, rp)
    allow(world, codes, username)
    apps = [world.app, create_app(world.settings, world.app.extensions["runtime"].ports)]
    barrier, answers = threading.Barrier(16), []

    def run(each: World) -> None:
        barrier.wait()
        answers.append(poll(each, rp, codes).status_code)

    threads = [
        threading.Thread(target=run, args=(replace(world, app=apps[n % 2]),)) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [400] * 15


def _sign_out(world: World, browser: Browser, username: str) -> None:
    browser.submit(browser.get("/signout"), "/signout")


def _suspend(world: World, browser: Browser, username: str) -> None:
    world.set_state(username, AccountState.SUSPENDED)


def _end_everything(world: World, browser: Browser, username: str) -> None:
    with world.work() as work:
        sessions.end_all(work, accounts.by_username(work, username), EndReason.ENDED_BY_OPERATOR)


@pytest.mark.parametrize("what", [_sign_out, _suspend, _end_everything])
def test_n27_n33_n58_what_ends_the_person_ends_the_device(world: World, what: Any) -> None:
    """A device that waits for its tokens gets none, and the refresh tokens of another end. A
    sign-out leaves those with offline_access, as for every grant."""
    rp, username = terminal(world), world.account()
    first, waiting = ask(world, rp, scope="openid offline_access"), ask(world, rp)
    browser = allow(world, first, username)
    tokens = poll(world, rp, first).json or {}
    assert "is connected" in decide(browser, enter(browser, waiting["user_code"])).text
    what(world, browser, username)
    assert error_of(poll(world, rp, waiting)) == "invalid_grant"
    refreshed = world.refresh(rp, tokens["refresh_token"]).status_code
    assert refreshed == (200 if what is _sign_out else 400)


def test_a_revoked_role_group_ends_a_device_code_that_waits(world: World) -> None:
    """GW-09: as for authorization codes, nothing starts that no logout would end."""
    rp = terminal(world, backchannel_logout_uri="https://terminal.rp.test/logout")
    username = world.account()
    world.role_group("Terminal Operator", rp.client_id)
    world.grant_role(username, "Terminal Operator")
    codes = ask(world, rp, scope="openid offline_access")
    allow(world, codes, username)
    world.revoke_role(username, "Terminal Operator")
    assert error_of(poll(world, rp, codes)) == "expired_token"


def test_n14_the_person_reaches_the_level_that_the_application_demands(world: World) -> None:
    """A minimum level leads to the second factor before the confirmation; a person who cannot reach
    it reads why, and the device is refused."""
    rp, strict = terminal(world, minimum_acr=ACR_MFA), terminal(world, "Strict", minimum_acr="phr")
    username = world.account()
    secret, _ = set_up_app(world, username)
    codes, browser = ask(world, rp), world.browser()
    page = browser.sign_in(username, page=enter(browser, codes["user_code"]))
    assert page.request.path == "/signin/factor"
    assert error_of(poll(world, rp, codes)) == "authorization_pending"
    page = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert "Allow Terminal on another device?" in page.text
    codes = ask(world, strict)
    page = enter(browser, codes["user_code"])
    assert (page.status_code, "stronger verification method" in page.text) == (403, True)
    assert error_of(poll(world, strict, codes)) == "access_denied"


def test_en_03_an_account_of_another_kind_cannot_connect_a_device(world: World) -> None:
    rp = terminal(world, account_kinds=(AccountKind.EMAIL,))
    codes, browser = ask(world, rp), world.browser().signed_in(world.account())
    page = enter(browser, codes["user_code"])
    assert "requires another account" in page.text
    browser.submit(page, "/signin/other-account", choice="back")
    assert error_of(poll(world, rp, codes)) == "access_denied"


def test_n18_a_disabled_client_connects_nothing(world: World) -> None:
    """Its waiting codes are refused on the page."""
    rp = terminal(world)
    codes = ask(world, rp)
    with world.work() as work:
        registry.disable(work, registry.get(work, rp.client_id))
    assert enter(world.browser(), codes["user_code"]).status_code == 400


def test_two_devices_never_have_the_same_user_code(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 6.1: a code that a row has is drawn again."""
    drawn = iter(["WDJBMJHT", "WDJBMJHT", "WDJBMJHW"])
    monkeypatch.setattr(user_code, "generate", lambda _: next(drawn))
    rp = terminal(world)
    assert [ask(world, rp)["user_code"] for _ in range(2)] == ["WDJB-MJHT", "WDJB-MJHW"]


def test_n91_a_restored_backup_brings_no_device_code_back(world: World) -> None:
    """Neither one that waits nor one that was allowed."""
    rp, username = terminal(world), world.account()
    waiting, allowed = ask(world, rp), ask(world, rp)
    allow(world, allowed, username)
    with world.work() as work:
        assert restoration.complete(work, why="test").ended["device_authorizations"] == 2
    for codes in (waiting, allowed):
        assert error_of(poll(world, rp, codes)) == "expired_token"


def test_old_device_authorizations_are_purged_before_their_grants(world: World) -> None:
    """A day after they expired; a grant stays as long as a code refers to it (R22)."""
    rp = terminal(world)
    codes = ask(world, rp)
    allow(world, codes, world.account())
    world.clock.advance(86400 + 500)
    with world.work() as work:
        assert purge.purge_batch(work, "device_authorizations") == 0
        assert purge.purge_batch(work, "grants") == 0
    world.clock.advance(200)
    with world.work() as work:
        assert purge.purge_batch(work, "device_authorizations") == 1
        assert purge.purge_batch(work, "grants") == 1
    assert device_authorizations.SECONDS == 600
