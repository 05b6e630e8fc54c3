"""The frame of session management in a real browser (OpenID Connect Session Management 1.0)."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from idp.settings import Settings
from tests.browser.site import open_site
from tests.browser.test_onward import landed, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
#: A page of an application that sends messages to the frame and returns what it answered.
APP = """<title>app</title><iframe src="%s/oauth2/v1/check_session"></iframe><script>
const loaded = new Promise((done) => addEventListener("load", done));
async function ask(message) {
  await loaded;
  const answer = new Promise((done) => addEventListener("message", done, { once: true }));
  frames[0].postMessage(message, "%s");
  return (await answer).data;
}
</script>"""


def test_the_frame_answers_what_became_of_the_sign_in(page: Page, settings: Settings) -> None:
    """Section 3.2: unchanged while the session lasts, changed after the sign-out and for another
    client or origin, error for anything that is no such message."""
    with open_site(settings) as site:
        rp, username = site.register(), site.world.account()
        page.goto(site.address(rp))
        sign_in(page, username)
        landed(page, site)
        state = parse_qs(urlsplit(page.url).query)["session_state"][0]
        site.app.pages |= dict.fromkeys(("/app", "/landed/app"), APP % (site.origin, site.origin))
        page.goto(f"{site.app.url}/app")

        def ask(message: object) -> str:
            return str(page.evaluate("(message) => ask(message)", message))

        assert ask(f"{rp.client_id} {state}") == "unchanged"
        assert ask(f"other {state}") == "changed"
        assert ask(f"{rp.client_id} {'0' * 64}.{state.split('.')[1]}") == "changed"
        for malformed in ("", "x", f"{rp.client_id}", f" {state}", f"a b {state}", f"{state} x", 7):
            assert ask(malformed) == "error"
        page.goto(f"{site.origin}/signout")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name=re.compile("signed out"))).to_be_visible()
        page.goto(f"{site.app.url}/app")
        assert ask(f"{rp.client_id} {state}") == "changed"
    assert page.complaints == []  # type: ignore[attr-defined]
