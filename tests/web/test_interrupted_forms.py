"""A page whose session or cookie is gone: nothing typed is lost, and it goes on where it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from idp.web.field_names import LABELS, UNSHOWN
from idp.web.interrupted_forms import MAX_KEPT, SECRETS
from tests.factor_steps import code, half_signed_in, set_up_app
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World, answer_of, hidden_fields

HERE = {"Sec-Fetch-Site": "same-origin"}
KEPT = "/signin/kept"
PROFILE = "/settings/preferences"


@dataclass
class Chromium(Browser):
    """A browser that says where a request comes from, as all current ones do."""

    def post(self, path: str, data: dict[str, str]) -> TestResponse:
        answer = self.client.post(path, data=data, base_url=self.base, headers=HERE)
        self.client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        try:
            return self._follow(answer)
        finally:
            del self.client.environ_base["HTTP_SEC_FETCH_SITE"]

    def lose(self, *purposes: str) -> None:
        """Delete cookies."""
        for purpose in purposes:
            self.client.delete_cookie(
                self.world.settings.cookie_name(purpose), domain="gateway.test"
            )


@pytest.fixture
def browser(world: World) -> Chromium:
    return Chromium(world, world.app.test_client())


def alert_of(page: TestResponse) -> str:
    return unescape(re.findall(r'role="alert">([^<]*)<', page.text)[0])


def test_a_sign_in_page_without_its_cookie_continues(world: World, browser: Chromium) -> None:
    """GW-03: the name is kept and the password is not; what happened is said; the sign-in ends at
    the application that began it."""
    rp, username = world.relying_party(), world.account()
    page = browser.authorize(rp)
    browser.lose("form")
    again = browser.sign_in(username, page=page)
    assert again.status_code == 400
    assert "did not send a cookie" in alert_of(again)
    assert f'value="{username}"' in again.text
    assert PASSWORD not in again.text
    assert "Sign in to continue to EMI" in again.text
    answer = answer_of(browser.sign_in(username, page=again))
    assert (answer["state"], "code" in answer) == ("state-1", True)


def test_an_expired_sign_in_page_continues(world: World, browser: Chromium) -> None:
    """GW-03: by its form, by loading it again, and by Back after it was finished."""
    rp, username = world.relying_party(), world.account()
    page = browser.authorize(rp)
    world.clock.advance(hours=2)
    path = page.request.full_path
    late = browser.get(path)
    assert "Sign in again to continue" in late.text
    assert "code" in answer_of(browser.sign_in(username, page=page))
    fields = hidden_fields(late.text, "/signin")
    done = browser.get(f"/signin?flow={fields['flow']}")
    assert "code" in answer_of(done)
    back = browser.get(f"/signin?flow={fields['flow']}")
    assert back.request.path == "/"


def test_n54_a_sign_in_of_another_browser_is_not_continued(world: World) -> None:
    """N54: neither by a link nor by the form of another site."""
    rp = world.relying_party()
    flow = hidden_fields(world.browser().authorize(rp).text, "/signin")["flow"]
    victim = world.browser()
    victim.get("/signin")
    for site in (None, "cross-site", "same-site", "none"):
        headers = {"Sec-Fetch-Site": site} if site else {}
        page = victim.client.get(f"/signin?flow={flow}", base_url=victim.base, headers=headers)
        assert hidden_fields(page.text, "/signin")["flow"] == ""


def test_a_browser_without_cookies_gets_an_explanation(world: World) -> None:
    """GW-09: before anything is typed, and after."""
    rp = world.relying_party()
    client = world.app.test_client(use_cookies=False)
    plain = Browser(world, client)
    page = plain.authorize(rp)
    assert "allow them for gateway.test" in alert_of(page)
    assert "allow them" not in world.browser().authorize(rp).text
    data = hidden_fields(page.text, "/signin") | {"username": "x", "password": "y"}
    answer = client.post("/signin", data=data, base_url=plain.base, headers=HERE)
    assert answer.status_code == 400
    assert "allow them for gateway.test" in alert_of(answer)


def profile(page: TestResponse, **typed: str) -> dict[str, str]:
    return (
        hidden_fields(page.text, PROFILE) | {"zoneinfo": "America/Halifax", "locale": "en"} | typed
    )


def test_a_form_after_the_session_ended_is_sent_after_signing_in(
    world: World, browser: Chromium
) -> None:
    """SP-01: kept over the sign-in, shown, and sent when its person says so."""
    username = world.account()
    page = browser.signed_in(username).get(PROFILE)
    world.clock.advance(hours=2)
    asked = browser.post(PROFILE, profile(page))
    assert asked.request.path == "/signin"
    assert "What you entered is kept" in alert_of(asked)
    shown = browser.sign_in(username, page=asked)
    assert shown.request.path == KEPT
    assert "America/Halifax" in shown.text
    assert world.account_row(username).zoneinfo != "America/Halifax"
    browser.submit(shown, PROFILE)
    assert world.account_row(username).zoneinfo == "America/Halifax"


def test_a_form_without_any_cookies_is_kept(world: World, browser: Chromium) -> None:
    """SP-01: the form check comes first, and leads the same way."""
    username = world.account()
    page = browser.signed_in(username).get(PROFILE)
    browser.lose("form", "session")
    shown = browser.sign_in(username, page=browser.post(PROFILE, profile(page)))
    assert "America/Halifax" in shown.text
    browser.submit(shown, PROFILE)
    assert world.account_row(username).zoneinfo == "America/Halifax"


def test_a_kept_form_is_shown_to_its_person_only(world: World, browser: Chromium) -> None:
    """N73: not to whoever signs in next in this browser, nor in another browser."""
    page = browser.signed_in(world.account()).get(PROFILE)
    world.clock.advance(hours=2)
    asked = browser.post(PROFILE, profile(page))
    target = hidden_fields(asked.text, "/signin")["next"]
    stranger = world.browser().signed_in(world.account())
    assert stranger.get(target).request.path == "/"
    other = browser.sign_in(world.account(), page=asked)
    assert other.request.path == "/"
    assert "America/Halifax" not in other.text


def test_n73_after_a_sign_out_a_kept_form_is_shown_to_its_person_only(
    world: World, browser: Chromium
) -> None:
    """N73: the session ended in another tab of a shared browser, and its cookie is deleted."""
    username = world.account()
    page = browser.signed_in(username).get(PROFILE)
    browser.submit(browser.get("/signout"), "/signout")
    asked = browser.post(PROFILE, profile(page))
    target = hidden_fields(asked.text, "/signin")["next"]
    other = browser.sign_in(world.account(), page=asked)
    assert (other.request.path, "America/Halifax" in other.text) == ("/", False)
    browser.submit(browser.get("/signout"), "/signout")
    browser.signed_in(username)
    assert "America/Halifax" in browser.get(target).text


def test_n73_a_kept_form_without_a_person_is_shown_once(world: World, browser: Chromium) -> None:
    """N73: without any cookie, the first who signs in sees it, and nobody after."""
    page = browser.signed_in(world.account()).get(PROFILE)
    browser.lose("form", "session")
    asked = browser.post(PROFILE, profile(page))
    target = hidden_fields(asked.text, "/signin")["next"]
    assert "America/Halifax" in browser.sign_in(world.account(), page=asked).text
    browser.submit(browser.get("/signout"), "/signout")
    browser.signed_in(world.account())
    assert browser.get(target).request.path == "/"


def test_n87_kept_forms_of_anonymous_senders_are_limited(world: World, browser: Chromium) -> None:
    """N87: a form of whatever length leads to the sign-in page; what is too long is not kept."""
    token = hidden_fields(browser.get("/signin").text, "/signin")["csrf_token"]
    asked = browser.post(PROFILE, {"csrf_token": token, "zoneinfo": "x" * (MAX_KEPT + 1)})
    assert asked.request.path == "/signin"
    assert hidden_fields(asked.text, "/signin")["next"] == PROFILE


def test_a_form_with_an_expired_token_can_be_sent_again(world: World, browser: Chromium) -> None:
    """SP-01: the session lives, the page is too old: one button sends it."""
    username = world.account()
    page = browser.signed_in(username).get(PROFILE)
    browser.lose("form")
    shown = browser.post(PROFILE, profile(page))
    assert shown.status_code == 400
    assert "did not send a cookie" in alert_of(shown)
    assert world.account_row(username).zoneinfo != "America/Halifax"
    browser.submit(shown, PROFILE)
    assert world.account_row(username).zoneinfo == "America/Halifax"


def test_passwords_and_codes_are_never_kept(world: World, browser: Chromium) -> None:
    """N84: the page says so and leads back to the form."""
    page = browser.signed_in(world.account()).get("/settings/password")
    typed = {"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    fields = hidden_fields(page.text, "/settings/password") | typed
    stale = browser.post("/settings/password", fields | {"csrf_token": "x"})
    assert stale.status_code == 400
    assert "We do not keep passwords or codes" in stale.text
    assert 'href="/settings/password"' in stale.text
    world.clock.advance(hours=2)
    gone = browser.post("/settings/password", fields)
    assert gone.request.full_path == "/signin?next=/settings/password"
    for answer in (stale, gone):
        assert PASSWORD not in answer.text
        assert NEW_PASSWORD not in answer.text


def test_every_secret_field_of_the_pages_is_known() -> None:
    """N84: a field that hides what is typed, or takes a code, is on the list."""
    root = Path(__file__).parents[2]
    found = set()
    for path in [*root.glob("idp/**/*.html"), *root.glob("hosted_pages/**/*.html")]:
        for tag in re.findall(r"<input\b[^>]*>", path.read_text()):
            if 'type="password"' in tag or "one-time-code" in tag or 'name="credential"' in tag:
                found |= set(re.findall(r' name="(\w+)"', tag))
    assert found
    assert found <= SECRETS


def test_what_was_entered_is_listed_with_the_labels_of_its_fields(
    world: World, browser: Chromium
) -> None:
    """A value alone does not say what it is."""
    page = browser.signed_in(world.account()).get(PROFILE)
    browser.lose("form")
    text = browser.post(PROFILE, profile(page)).text
    assert "<li>Time zone: America/Halifax</li>" in text


#: Fields that no form keeps, or whose value says what it is; and parameters of searches.
WITHOUT_LABEL = SECRETS | {
    "account", "actor", "application", "at", "client", "csrf_token", "days", "event", "logo_file",
    "outcome", "person", "q", "service", "since", "state", "text", "until", "viewport", "who",
}  # fmt: skip


def test_every_field_that_people_fill_in_has_a_label() -> None:
    """Also one that a page builds with a macro."""
    root, found = Path(__file__).parents[2], set()
    uses = re.compile(
        r"ui\.(?:field|textarea|select|check|date)\('(\w+)'|radios\(choice, '(\w+)'"
        r"|\{\{ (?:text|lines|choice|flag)\('(\w+)'"
        r"|<(?:input|select|textarea)\b[^>]* name=\"(\w+)\""
    )
    for path in root.glob("idp/templates/**/*.html"):
        if path.parent.name != "demo":
            found |= {name for names in uses.findall(path.read_text()) for name in names if name}
    assert len(found) > 60
    assert found - set(LABELS) - UNSHOWN - WITHOUT_LABEL == set()


@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none"])
def test_n17_a_form_of_another_site_is_not_kept(
    world: World, browser: Chromium, site: str | None
) -> None:
    """N17: a form that no page of ours sent is refused, and nothing of it is shown."""
    browser.signed_in(world.account())
    headers = {"Sec-Fetch-Site": site} if site else {}
    data = {"zoneinfo": "America/Halifax"}
    answer = browser.client.post(PROFILE, data=data, base_url=browser.base, headers=headers)
    assert answer.status_code == 400
    assert "America/Halifax" not in answer.text


def test_a_sign_in_in_one_tab_continues_the_others(world: World) -> None:
    """GW-06: pages that wait say where they go on; the first page after a sign-in, and it alone,
    tells them; each then ends at its own application."""
    emi, crow, username = world.relying_party(), world.relying_party("CROW"), world.account()
    secret, _ = set_up_app(world, username)
    browser, half = half_signed_in(world, username)
    waiting = browser.authorize(emi)
    forced = browser.authorize(crow, prompt="login")
    for page in (half, waiting, forced):
        assert "data-entered" not in page.text
    first = browser.submit(half, "/signin/factor", code=code(world, secret))
    assert "data-entered" in first.text
    assert "data-entered" not in browser.get("/").text
    goes_on = unescape(re.findall(r'data-goes-on="([^"]+)"', waiting.text)[0])
    assert goes_on.startswith("/oauth2/v1/authorize/resume?flow=")
    assert "code" in answer_of(browser.get(goes_on))
    asked = browser.get(unescape(re.findall(r'data-goes-on="([^"]+)"', forced.text)[0]))
    assert asked.request.path == "/signin"
    assert 'data-goes-on="/' not in asked.text


def test_a_second_factor_in_another_tab_continues_this_one(world: World) -> None:
    """GW-06, N62: once the same person is in, what another tab still owed was done; a sign-in of
    somebody else stays pending."""
    rp, username, other = world.relying_party(), world.account(), world.account()
    secrets = [set_up_app(world, name)[0] for name in (username, other)]
    browser = world.browser()
    mine = browser.sign_in(username, page=browser.authorize(rp))
    theirs = browser.sign_in(other, page=browser.authorize(rp))
    flows = [hidden_fields(page.text, "/signin/factor")["flow"] for page in (mine, theirs)]
    page = browser.sign_in(username)
    assert browser.submit(page, "/signin/factor", code=code(world, secrets[0])).request.path == "/"
    assert "code" in answer_of(browser.get("/oauth2/v1/authorize/resume", flow=flows[0]))
    pending = browser.get("/oauth2/v1/authorize/resume", flow=flows[1])
    assert pending.request.path == "/signin/factor"


def test_rs02_a_link_page_in_another_browser_says_so(world: World) -> None:
    """RS-02, AC-02: the address without the link's secret, opened elsewhere."""
    for path in ("/activate", "/recover/open", "/recover/unlock/open", "/recover/not-me", "/call"):
        page = world.browser().get(path)
        assert page.status_code == 400
        assert "Open the link from your e-mail in this browser" in page.text
        assert "continue in the other browser" in page.text
        assert world.events("link.refused")[-1].reason == "link_elsewhere"


def test_rs03_a_code_page_in_another_browser_says_so(world: World) -> None:
    """RS-03: back to the start, with a reason."""
    page = world.browser().get("/recover/code")
    assert page.request.path == "/recover"
    assert "you requested it in another browser" in page.text
