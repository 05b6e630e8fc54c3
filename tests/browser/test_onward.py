"""The way back to an application, in a real browser: whatever its callback redirects to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from idp.settings import Settings
from tests.browser.site import Site, open_site
from tests.world import NEW_PASSWORD, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A gateway of this test's own."""
    with open_site(settings) as opened:
        yield opened


def sign_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Fill in and send the sign-in page."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def landed(page: Page, site: Site, path: str = "/callback", holds: str = "code=") -> None:
    """The browser is where the callback redirected to, with the answer."""
    expect(page).to_have_url(re.compile(re.escape(f"{site.app.elsewhere}{path}?") + f".*{holds}"))


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_n59_a_sign_in_ends_where_the_callback_redirects_to(
    page: Page, site: Site, mode: str
) -> None:
    """N59: form-action of the sign-in page does not hold the application's own redirects."""
    rp, username = site.register(), site.world.account()
    page.goto(site.address(rp, response_mode=mode))
    sign_in(page, username)
    landed(page, site, holds="" if mode == "form_post" else "code=")
    assert page.complaints == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("decision", ["Allow", "Do not allow"])
def test_n59_consent_ends_where_the_callback_redirects_to(
    page: Page, site: Site, decision: str
) -> None:
    """N59: the same after the page of consent, whatever the answer."""
    rp, username = site.register(trusted=False), site.world.account()
    page.goto(site.address(rp))
    sign_in(page, username)
    page.get_by_role("button", name=decision, exact=True).click()
    landed(page, site, holds="code=" if decision == "Allow" else "error=access_denied")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_n59_a_sign_out_ends_where_the_application_redirects_to(page: Page, site: Site) -> None:
    """N59: the same after the question of a sign-out."""
    rp, username = site.register(), site.world.account()
    page.goto(site.address(rp))
    sign_in(page, username)
    landed(page, site)
    back = quote(f"{site.app.url}/signed-out")
    page.goto(
        f"{site.origin}/oauth2/v1/logout?client_id={rp.client_id}&post_logout_redirect_uri={back}"
    )
    page.get_by_role("button", name="Sign out").click()
    landed(page, site, "/signed-out", holds="")
    assert page.complaints == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("has_script", [True, False])
def test_n57_a_sign_out_opens_the_address_of_the_application_in_a_frame(
    chromium: Browser, site: Site, has_script: bool
) -> None:
    """Front-Channel Logout 1.0: the policy of the page lets it load, and the browser goes on."""
    rp, username = (
        site.register(
            frontchannel_logout_uri=f"{site.app.url}/front",
            frontchannel_logout_session_required=True,
        ),
        site.world.account(),
    )
    context = chromium.new_context(java_script_enabled=has_script, locale="en-CA")
    page = context.new_page()
    loaded: list[str] = []
    page.on("response", lambda answer: loaded.append(answer.url))
    page.goto(site.address(rp))
    sign_in(page, username)
    landed(page, site)
    back = quote(f"{site.app.url}/signed-out")
    page.goto(
        f"{site.origin}/oauth2/v1/logout?client_id={rp.client_id}&post_logout_redirect_uri={back}"
    )
    page.get_by_role("button", name="Sign out").click()
    landed(page, site, "/signed-out", holds="")
    (frame,) = [url for url in loaded if url.startswith(f"{site.app.url}/front?")]
    assert "sid=" in frame
    assert quote(site.origin, safe="") in frame
    context.close()


def test_n59_the_return_to_the_application_needs_no_script(chromium: Browser, site: Site) -> None:
    """N59: the page goes on by refresh, and has a link; Back does not return to it."""
    rp, username = site.register(), site.world.account()
    plain = chromium.new_context(java_script_enabled=False, locale="en-CA")
    page = plain.new_page()
    page.goto(site.address(rp))
    sign_in(page, username)
    landed(page, site)
    page.go_back()
    expect(page).not_to_have_url(re.compile("/resume"))
    plain.close()


def test_n59_a_sign_in_continues_to_an_authorization_request(page: Page, site: Site) -> None:
    """N59: ``next`` may be an authorization request, whose redirects no form holds either."""
    rp, username = site.register(), site.world.account()
    path = site.address(rp).removeprefix(site.origin)
    page.goto(f"{site.origin}/signin?next={quote(path, safe='')}")
    sign_in(page, username)
    landed(page, site)
    assert page.complaints == []  # type: ignore[attr-defined]


def test_n59_a_sign_in_with_a_password_change_ends_where_the_callback_redirects_to(
    page: Page, settings: Settings
) -> None:
    """N59: a page between the first form and the last."""
    with open_site(replace(settings, password_max_age_days=90)) as site:
        rp, username = site.register(), site.world.account()
        site.world.clock.advance(days=91)
        page.goto(site.address(rp))
        sign_in(page, username)
        page.get_by_label("Current password").fill(PASSWORD)
        page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
        page.get_by_label("Confirm new password").fill(NEW_PASSWORD)
        page.get_by_role("button", name="Change password").click()
        landed(page, site)
    assert page.complaints == []  # type: ignore[attr-defined]


OPENER = """<title>waiting</title><script>
addEventListener("message", (event) => { document.title = "told " + event.data; });
window.open(%r);
</script>"""
LANDED = """<title>landed</title><script>
document.title = opener ? "with its opener" : "without its opener";
if (opener) { opener.postMessage(location.search.slice(0, 6), "*"); }
</script>"""


@pytest.mark.parametrize("registered", [True, False])
def test_n59_a_popup_can_send_its_result_to_its_opener(
    page: Page, site: Site, registered: bool
) -> None:
    """N59: Cross-Origin-Opener-Policy parts windows, except for a client that uses popups."""
    rp, username = site.register(uses_popups=registered), site.world.account()
    site.app.pages |= {"/opener": OPENER % site.address(rp), "/landed/callback": LANDED}
    with page.expect_popup() as opened:
        page.goto(f"{site.app.url}/opener")
    popup = opened.value
    sign_in(popup, username)
    if registered:
        expect(page).to_have_title("told ?code=")
    else:
        expect(popup).to_have_title("without its opener")


FORM = """<title>form</title><form method="post" action="%s">%s<button>Go</button></form>"""


def form_of(site: Site, path: str, fields: dict[str, str]) -> str:
    """A page of another site with a form that leads to the gateway; returns its address."""
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    site.app.pages["/form"] = FORM % (site.origin + path, inputs)
    return f"http://127.0.0.1:{site.app.port}/form"


def test_n53_a_request_posted_by_another_site_works_like_a_link(
    context: BrowserContext, page: Page, site: Site
) -> None:
    """N53: single sign-on is kept, a form of another tab still counts, a logout ends the session;
    the cookies are Lax, so the POST itself comes without them."""
    rp, other, username = site.register(), site.register("CROW"), site.world.account()
    page.goto(site.address(rp))
    sign_in(page, username)
    landed(page, site)
    waiting = context.new_page()
    waiting.goto(site.address(other, prompt="login"))
    page.goto(form_of(site, "/oauth2/v1/authorize", rp.authorize_params()))
    page.get_by_role("button", name="Go").click()
    landed(page, site)
    sign_in(waiting, username)
    landed(waiting, site)
    code = re.findall(r"code=([^&]+)", waiting.url)[0]
    hint = (site.world.redeem(other, code).json or {})["id_token"]
    back = f"{site.app.url}/signed-out"
    fields = {"id_token_hint": hint, "post_logout_redirect_uri": back}
    page.goto(form_of(site, "/oauth2/v1/logout", fields))
    page.get_by_role("button", name="Go").click()
    landed(page, site, "/signed-out", holds="")
    page.goto(f"{site.origin}/settings")
    expect(page.get_by_label("Username")).to_be_visible()


def test_gw06_waiting_tabs_continue_after_a_sign_in_in_one_of_them(
    context: BrowserContext, page: Page, site: Site
) -> None:
    """GW-06: three tabs wait on the sign-in page; one signs in, the others reach their own
    applications without a hand."""
    emi, crow, username = site.register(), site.register("CROW"), site.world.account()
    page.goto(site.address(emi))
    second, third = context.new_page(), context.new_page()
    second.goto(site.address(crow))
    third.goto(f"{site.origin}/signin?next=/settings")
    sign_in(page, username)
    for tab in (page, second):
        landed(tab, site)
    expect(third).to_have_url(f"{site.origin}/settings")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_input_is_kept_when_the_cookies_are_lost(
    context: BrowserContext, page: Page, site: Site
) -> None:
    """GW-03, SP-01: by what a browser really sends: the name is kept on the sign-in page, which
    goes on to the application; a form of the settings is sent after signing in again."""
    rp, username = site.register(), site.world.account()
    page.goto(site.address(rp))
    context.clear_cookies()
    sign_in(page, username)
    expect(page.get_by_role("alert")).to_contain_text("did not send a cookie")
    expect(page.get_by_label("Username")).to_have_value(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    landed(page, site)
    page.goto(f"{site.origin}/settings/preferences")
    page.locator('select[name="zoneinfo"]').select_option("America/Halifax")
    context.clear_cookies()
    page.locator('form[action="/settings/preferences"] button[type="submit"]').click()
    expect(page.get_by_role("alert")).to_contain_text("What you entered is kept")
    sign_in(page, username)
    expect(page.get_by_text("America/Halifax")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.locator('select[name="zoneinfo"]')).to_have_value("America/Halifax")


def test_the_sign_in_page_says_that_cookies_are_blocked(page: Page, site: Site) -> None:
    """GW-09: on the sign-in page, before anything is typed."""
    rp, served = site.register(), site.world.app.wsgi_app

    def without_cookies(environ: dict[str, Any], start: Any) -> Any:
        return served({k: v for k, v in environ.items() if k != "HTTP_COOKIE"}, start)

    site.world.app.wsgi_app = without_cookies  # type: ignore[method-assign]
    page.goto(site.address(rp))
    expect(page.get_by_role("alert")).to_contain_text("allow them for localhost")
