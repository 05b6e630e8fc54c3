"""Second factors as people see them: enrolment, passkeys by Chromium's virtual authenticator, an
app, text messages (AC-04, MF-01, MF-08, N67)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from tests.browser.test_journeys import (
    mailed_code,
    second_step,
    send_password,
    sign_in,
    sign_out,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def authenticator(context: BrowserContext, page: Page) -> Iterator[tuple[CDPSession, str]]:
    """A platform authenticator in this tab."""
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    added = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield devtools, added["authenticatorId"]
    devtools.detach()


def prove_by_mail(page: Page, person: dict[str, Any]) -> None:
    """The proof before a change in settings."""
    page.get_by_role("button", name="Send code", exact=True).click()
    page.locator("#code").fill(mailed_code(page, person["email"]))
    page.locator("#code").press("Enter")


def open_setting(page: Page, issuer: str, name: str, person: dict[str, Any]) -> None:
    """Open a page of extra verification, proving who is here first."""
    page.goto(issuer + "/settings/factors")
    page.locator("ul.factors").get_by_role("link", name=name).click()
    expect(page).not_to_have_url(issuer + "/settings/factors")
    page.wait_for_load_state()
    if "/settings/verify" not in page.url:
        return
    if page.get_by_role("button", name="Use passkey").count():
        page.get_by_role("button", name="Use passkey").click()
    else:
        prove_by_mail(page, person)


def test_a_passkey_is_registered_and_used_alone_and_as_second_factor(
    page: Page,
    authenticator: tuple[CDPSession, str],
    live_demo: dict[str, Any],
    people: dict[str, dict[str, Any]],
) -> None:
    """MF-01: set up, alone (by the button), as second step, renamed, offered first, removed."""
    person, issuer = people["access_management"], live_demo["issuer"]
    devtools, number = authenticator
    page.goto(issuer)
    sign_in(page, person)
    open_setting(page, issuer, "Set up Passkey", person)
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I saved my codes").click()
    expect(page.locator("main")).to_contain_text("My laptop")
    (key,) = devtools.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"]
    assert key["isResidentCredential"]

    sign_out(page, issuer)
    # Signing in by the key that the field of the user name offers: nothing is typed or pressed.
    page.goto(issuer + "/signin")
    expect(page.get_by_role("heading", level=1)).to_have_text("Console")

    open_setting(page, issuer, "Change My laptop", person)
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Save name").click()
    open_setting(page, issuer, "Change Work laptop", person)
    page.get_by_role("button", name="Make preferred").click()

    sign_out(page, issuer)
    # A person who is not at the sensor yet: the password first, then the key.
    presence = {"authenticatorId": number, "enabled": False}
    devtools.send("WebAuthn.setAutomaticPresenceSimulation", presence)
    page.goto(issuer + "/signin")
    send_password(page, person)
    expect(page.locator(".why")).to_contain_text("Your account is new")
    devtools.send("WebAuthn.setAutomaticPresenceSimulation", presence | {"enabled": True})
    page.get_by_role("button", name="Use passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Console")

    # An authenticator that cannot say who is there proves nothing.
    sign_out(page, issuer)
    unverified = {"authenticatorId": number, "isUserVerified": False}
    devtools.send("WebAuthn.setUserVerified", unverified)
    page.goto(issuer + "/signin")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("Your passkey was not used")
    devtools.send("WebAuthn.setUserVerified", unverified | {"isUserVerified": True})
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Console")

    open_setting(page, issuer, "Change Work laptop", person)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status").first).to_have_text("Your verification method was removed.")
    # The browser forgets it too (WebAuthn level 3, signalAllAcceptedCredentials).
    for _ in range(200):
        kept = devtools.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"]
        if not kept:
            break
        page.wait_for_timeout(50)
    assert kept == []
    assert page.complaints == []  # type: ignore[attr-defined]


#: The virtual authenticator has no password manager, without which Chromium creates no passkey
#: unasked. The page's script is told to ask; all else is as it is.
ASKS = """
const create = navigator.credentials.create.bind(navigator.credentials);
navigator.credentials.create = ({ publicKey, mediation }) =>
  mediation === "conditional" ? create({ publicKey }) : Promise.reject(new Error("asked"));
"""


def test_a_passkey_is_created_after_a_sign_in_where_the_person_agreed(
    page: Page,
    authenticator: tuple[CDPSession, str],
    live_demo: dict[str, Any],
    people: dict[str, dict[str, Any]],
) -> None:
    """Off at first: nothing. Turned on: after the next sign-in, and once."""
    person, issuer = people["settlements_analyst"], live_demo["issuer"]
    devtools, number = authenticator
    page.goto(issuer)
    sign_in(page, person)
    open_setting(page, issuer, "Change Automatic passkeys", person)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("status").first).to_have_text("Automatic passkeys are turned on.")
    sign_out(page, issuer)
    page.add_init_script(ASKS)
    page.goto(issuer)
    sign_in(page, person)
    expect(page.get_by_role("status").first).to_contain_text("Your browser created a passkey.")
    (key,) = devtools.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"]
    assert key["isResidentCredential"]
    page.reload()
    expect(page.locator("form[data-passkey]")).to_have_count(0)
    open_setting(page, issuer, "Change Passkey", person)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status").first).to_have_text("Your verification method was removed.")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_n67_a_passkey_response_for_another_origin_is_refused(
    page: Page,
    authenticator: tuple[CDPSession, str],
    live_demo: dict[str, Any],
    apps: dict[str, dict[str, Any]],
    people: dict[str, dict[str, Any]],
) -> None:
    """N67: another port of this host has the same RP id; the browser names its own origin."""
    person, issuer = people["customer_relations"], live_demo["issuer"]
    devtools, number = authenticator
    page.goto(issuer)
    sign_in(page, person)
    open_setting(page, issuer, "Set up Passkey", person)
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.locator("main")).to_contain_text("saved my codes")
    sign_out(page, issuer)
    devtools.send("WebAuthn.setAutomaticPresenceSimulation",
                  {"authenticatorId": number, "enabled": False})  # fmt: skip
    page.goto(issuer + "/signin")
    form = page.locator("form[data-passkey]")
    options = form.get_attribute("data-options")
    fields = {
        name: form.locator(f'[name="{name}"]').input_value() for name in ("csrf_token", "flow")
    }
    devtools.send("WebAuthn.setAutomaticPresenceSimulation",
                  {"authenticatorId": number, "enabled": True})  # fmt: skip
    page.goto(apps["EMI"]["url"] + "/signed-out")
    answer = page.evaluate(STEAL, options)
    stolen = page.context.request.post(
        issuer + "/signin/passkey", form=fields | {"credential": answer}, max_redirects=0
    )
    assert stolen.status == 400
    assert "does not belong to an account" in stolen.text()


#: What a page of another origin would do with a challenge that it got hold of.
STEAL = """async (text) => {
  const bytes = (t) => Uint8Array.from(
    atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const plain = (b) => btoa(String.fromCharCode(...new Uint8Array(b)))
    .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=/g, "");
  const asked = JSON.parse(text);
  asked.challenge = bytes(asked.challenge);
  const key = await navigator.credentials.get({ publicKey: asked });
  return JSON.stringify({
    id: key.id, rawId: plain(key.rawId), type: key.type, clientExtensionResults: {},
    response: {
      clientDataJSON: plain(key.response.clientDataJSON),
      authenticatorData: plain(key.response.authenticatorData),
      signature: plain(key.response.signature),
      userHandle: plain(key.response.userHandle),
    },
  });
}"""


def test_an_authenticator_app_and_printed_recovery_codes(
    chromium: Browser, page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """MF-01: set up by QR and key, a code on paper in another browser without JavaScript."""
    person, issuer = people["auditor"], live_demo["issuer"]
    page.goto(issuer)
    sign_in(page, person)
    open_setting(page, issuer, "Set up Authenticator app", person)
    page.get_by_label("Name").fill("My telephone")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".qr svg")).to_be_visible()
    app = pyotp.TOTP(page.locator("main code").inner_text().replace(" ", ""))
    page.get_by_label("Code").fill("000000" if app.now() != "000000" else "000001")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code").fill(app.now())
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".codes code")).to_have_count(10)
    paper = page.locator(".codes code").all_inner_texts()
    page.get_by_role("link", name="I saved my codes").click()
    expect(page.locator("main")).to_contain_text("My telephone")

    home = chromium.new_context(locale="en-CA", java_script_enabled=False)
    own = home.new_page()
    own.goto(issuer)
    send_password(own, person)
    expect(own.get_by_role("heading", level=1)).to_have_text("Verify your identity")
    own.get_by_text("Use another method").click()
    own.get_by_label("Recovery code").fill(paper[0].lower())
    own.get_by_role("button", name="Use recovery code").click()
    expect(own.get_by_role("heading", level=1)).to_have_text("Console")
    home.close()
    assert page.complaints == []  # type: ignore[attr-defined]


def test_text_messages_at_320_pixels_in_french(
    chromium: Browser, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """AC-06: country, number, code; then as the other way of a second step; without JavaScript,
    and without sideways scrolling."""
    person, issuer = people["outage_coordinator"], live_demo["issuer"]
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 700}, locale="fr-CA"
    )
    page = context.new_page()
    page.goto(issuer)
    send_password(page, person)
    assert_narrow(page)
    second_step(page, person)
    page.goto(issuer + "/settings/factors")
    page.get_by_role("link", name="Configurer Message texte").click()
    assert_narrow(page)
    page.get_by_role("button", name="Envoyer le code", exact=True).click()
    page.locator("#code").fill(mailed_code(page, person["email"]))
    page.locator("#code").press("Enter")
    page.locator("#number").fill("416 967 1112")
    assert_narrow(page)
    page.get_by_role("button", name="Envoyer le code", exact=True).click()
    page.locator("#code").fill(mailed_code(page, "+14169671112"))
    assert_narrow(page)
    page.locator("#code").press("Enter")
    expect(page.locator("#code")).to_have_count(0)
    sign_out(page, issuer)
    page.goto(issuer)
    send_password(page, person)
    page.get_by_text("Utiliser un autre moyen").click()
    page.get_by_role("button", name=re.compile("Message texte")).click()
    assert_narrow(page)
    page.locator("#code").fill(mailed_code(page, "+14169671112", after=1))
    page.locator("#code").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("applications")
    context.close()


def assert_narrow(page: Page) -> None:
    """Nothing needs sideways scrolling."""
    box = page.locator("body").bounding_box()
    assert box is not None
    assert box["width"] <= 320, page.url
