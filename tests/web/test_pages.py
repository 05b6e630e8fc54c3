"""Pages as people see them: names that are inert, rules that are told, links that are there."""

from __future__ import annotations

import pytest

from idp.directory import accounts, activation
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import AccountState
from tests.world import NEW_PASSWORD, PASSWORD, World, answer_of

PAGES = ("/", "/settings", "/settings/password", "/signout", "/nowhere")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "{{7*7}}", "A" * 100, "&amp;"])
def test_n82_a_display_name_is_escaped_on_every_page(world: World, name: str) -> None:
    """N82: escaped wherever it is shown."""
    username = world.account(given_name=name)
    browser = world.browser()
    browser.sign_in(username)
    for path in PAGES:
        text = browser.get(path).text
        assert "<img src=x" not in text
        assert ">49 " not in text


@pytest.mark.parametrize("name", ["a\0b", "a\u202eb", "a\nb", "a\x1bb", "x" * 101])
def test_n82_a_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    """N82: control and direction characters do not get in."""
    from idp.errors import Invalid

    with pytest.raises(Invalid):
        world.account(given_name=name)


def test_the_sign_in_page_has_the_elements_of_the_manual(world: World) -> None:
    """GW-02 to GW-04, GW-09, GW-11, GW-13: fields, disclaimer before the button, help, contact."""
    text = world.browser().get("/signin").text
    for words in ("Username", "Password", "Remember me", "Need help signing in?",
                  "Forgot password?", "Unlock account?", "Conditions of use", "Caps Lock is on.",
                  "Edge, Chrome", "905-403-6900", "1-888-448-7777", "905-403-6921",
                  "customer.relations@ieso.ca"):  # fmt: skip
        assert words in text
    assert "Conditions of use" in text


def test_activation_ends_on_the_dashboard(world: World) -> None:
    """AC-03 to AC-05, AC-09, K: link, rules told one by one, password, signed in."""
    username = world.account("moreaua", state=AccountState.PENDING)
    with world.work() as work:
        path = activation.invite(work, accounts.by_username(work, username))
    browser = world.browser()
    page = browser.get(path)
    assert "token" not in (page.request.query_string or b"").decode()
    page = browser.submit(page, "/activate", password="moreaua<", again="other")
    assert page.status_code == 400
    for rule in ("no-upper", "no-digit", "forbidden-character", "contains-user-name", "mismatch"):
        assert f'data-broken="{rule}"' in page.text
    page = browser.submit(page, "/activate", password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert "Your applications" in page.text
    assert world.account_row(username).state == AccountState.ACTIVE
    other = world.browser()
    assert "Your applications" in other.sign_in(username, NEW_PASSWORD).text


def test_every_password_form_enforces_the_same_rules(world: World) -> None:
    """PW-13, PW-08: reset and settings refuse what activation refuses, and the last four."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username)
    current = PASSWORD
    used = [PASSWORD]
    for n in range(4):
        new = f"Violet-Canoe{n}-thunder"
        page = browser.get("/settings/password")
        fields = {"current": current, "password": new, "again": new}
        assert "Password changed successfully" in browser.submit(page, "/settings/password", **fields).text  # fmt: skip  # noqa: E501
        current = new
        used.append(new)
    page = browser.get("/settings/password")
    for old in used[1:]:
        fields = {"current": current, "password": old, "again": old}
        refused = browser.submit(page, "/settings/password", **fields)
        assert 'data-broken="reused"' in refused.text
    fields = {"current": current, "password": used[0], "again": used[0]}
    assert "Password changed successfully" in browser.submit(page, "/settings/password", **fields).text  # fmt: skip  # noqa: E501


def test_a_wrong_current_password_is_refused(world: World) -> None:
    """SP-02."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username)
    page = browser.get("/settings/password")
    fields = {"current": "wrong", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    refused = browser.submit(page, "/settings/password", **fields)
    assert 'data-broken="current"' in refused.text
    assert world.events("password.confirmed")[-1].reason == "wrong_current"


def test_a_reset_by_mail_starts_no_session(world: World) -> None:
    """RS-02, RS-05, N66: mail, page, new password, other sessions ended, sign in with it."""
    username = world.account()
    elsewhere = world.browser()
    elsewhere.sign_in(username)
    browser = world.browser()
    page = browser.submit(browser.get("/recover"), "/recover", username=username)
    assert "Check your e-mail" in page.text
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0]
    page = browser.get(link.removeprefix(world.settings.issuer))
    page = browser.submit(page, "/recover/open", password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert "Password changed successfully" in page.text
    assert "Your applications" not in browser.get("/").text
    assert "Your applications" not in elsewhere.get("/").text
    assert "Incorrect user name or password" in browser.sign_in(username).text
    assert "Your applications" in browser.sign_in(username, NEW_PASSWORD).text


def test_pages_reached_by_the_back_button_continue(world: World) -> None:
    """keycloak 24112 and others: a finished, an expired, an unknown and a foreign flow."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    page = browser.authorize(rp)
    from tests.world import hidden_fields

    flow = hidden_fields(page.text, "/signin")["flow"]
    assert "Your sign-in has expired" in world.browser().get("/signin", flow=flow).text
    browser.sign_in(username, page=page)
    assert "Your applications" in browser.get("/signin", flow=flow).text
    assert "Your applications" in browser.get("/oauth2/v1/authorize/resume", flow=flow).text
    late = world.browser()
    page = late.authorize(rp)
    world.clock.advance(world.settings.interaction_ttl)
    assert "code" in answer_of(late.sign_in(username, page=page))


def test_health_and_readiness_report_their_checks(world: World) -> None:
    """/healthz: the process; /readyz: database, keys, and for how long the outbox has waited. A
    worker that is gone makes no gateway unready."""
    client, base = world.app.test_client(), world.settings.issuer
    assert client.get("/healthz", base_url=base).json == {"status": "ok"}
    ready = client.get("/readyz", base_url=base)
    well = {"status": "ok", "database": "ok", "keys": True, "outbox_seconds": 0}
    assert ready.json == well
    with world.work() as work:
        queue.enqueue(work, MailKind.ACCOUNT_RESTORED, accounts.by_username(work, world.account()))
    world.clock.advance(90)
    late = client.get("/readyz", base_url=base)
    assert (late.status_code, late.json) == (200, well | {"outbox_seconds": 90})
    assert client.get("/demo/outbox", base_url=base).status_code == 404
