"""What people do, in a real browser against the running demo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from registration_bridge.bridge_client import BridgeClient
from registration_bridge.export_mapping import EXTENSION
from registration_bridge.reconciliation import PATCH

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
NEW_PASSWORD = "Violet-Canoe4-thunder"


def sign_in(page: Page, person: dict[str, Any], login: str = "username") -> None:
    """Fill in and send the sign-in page, and the code that comes by mail."""
    send_password(page, person, login)
    second_step(page, person)


def send_password(page: Page, person: dict[str, Any], login: str = "username") -> None:
    """Fill in and send the sign-in page."""
    page.locator('input[name="username"]').fill(person[login])
    page.locator('input[name="password"]').fill(person["password"])
    page.locator('main form[action="/signin"] button[type="submit"]').click()


def second_step(page: Page, person: dict[str, Any]) -> None:
    """Enter the code that comes by mail."""
    expect(page).to_have_url(re.compile("/signin/factor"))
    page.locator("#code").fill(mailed_code(page, person["email"]))
    page.locator("#code").press("Enter")
    expect(page).not_to_have_url(re.compile("/signin/factor"))


def enrol(page: Page, address: str) -> None:
    """All steps of the set-up from the recovery phone on, with codes by mail to this address."""
    heading = page.get_by_role("heading", level=1)
    page.get_by_role("button", name="Continue without a number").click()
    expect(heading).to_have_text("Extra verification")
    page.get_by_role("link", name="Set up E-mail code").click()
    page.get_by_role("button", name="Send code").click()
    expect(page.locator("main")).to_contain_text("We sent a verification code")
    page.locator("#code").fill(mailed_code(page, address))
    page.get_by_role("button", name="Verify").click()
    page.get_by_role("button", name="Continue").click()
    expect(heading).to_have_text("Security question")
    page.get_by_label("Answer").fill("Somewhere in Kapuskasing")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Show recovery codes").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("button", name="I saved my codes").click()
    page.get_by_role("button", name="Finish").click()


def sign_out(page: Page, issuer: str) -> None:
    """Sign out at the gateway, and wait until it is done."""
    page.goto(issuer + "/signout")
    page.locator('main form button[type="submit"]').click()
    expect(page.locator('main a[href="/signin"]')).to_be_visible()


def mailed_code(page: Page, address: str, after: int = 0) -> str:
    """The newest code in the demo's outbox for an address, or a telephone number, once the page
    asks for it."""
    expect(page.locator("#code")).to_be_visible()
    origin = re.match(r"http://localhost:\d+", page.url)
    assert origin
    for _ in range(60):
        outbox = page.context.request.get(f"{origin[0]}/demo/outbox").text()
        mails = [mail for mail in outbox.split("<article")[1:] if address in mail]
        codes = [found[0] for mail in mails if (found := re.findall(r"\b\d{6}\b", mail))]
        if len(codes) > after:
            return codes[0]
        page.wait_for_timeout(250)
    raise AssertionError(f"no code for {address}")


def test_activation_ends_in_the_application(
    page: Page, live_demo: dict[str, Any], apps: dict[str, Any]
) -> None:
    """K.01 to K.05, AC-03 to AC-09: from the mail's link to an application."""
    page.goto(live_demo["pending"]["activation_url"])
    expect(page).not_to_have_url(re.compile("token"))
    password = page.get_by_label("New password", exact=True)
    password.fill("short")
    expect(page.locator('li[data-rule="too-short"]')).to_have_attribute("data-met", "false")
    expect(page.locator('li[data-rule="no-lower"]')).to_have_attribute("data-met", "true")
    page.get_by_label("Confirm new password").fill("short")
    page.locator('form button[type="submit"]', has_text=re.compile("account", re.I)).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Confirm new password").fill(NEW_PASSWORD)
    page.locator('form button[type="submit"]', has_text=re.compile("account", re.I)).click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Recovery phone")
    # Elsewhere nothing opens before the end.
    page.goto(live_demo["issuer"] + "/settings")
    expect(page.get_by_label("Username")).to_be_visible()
    send_password(page, live_demo["pending"] | {"password": NEW_PASSWORD})
    expect(heading).to_have_text("Confirm your identity")
    page.get_by_role("button", name="Send code").click()
    page.locator("#code").fill(mailed_code(page, "jaspreet.singh@"))
    page.get_by_role("button", name="Continue").click()
    enrol(page, "jaspreet.singh@")
    expect(page).to_have_url(live_demo["issuer"] + "/settings")
    page.goto(live_demo["issuer"])
    page.get_by_role("link", name=re.compile("EMI")).click()
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"])))
    expect(page.locator("body")).to_contain_text(live_demo["pending"]["username"])
    assert page.complaints == []  # type: ignore[attr-defined]
    page.goto(live_demo["pending"]["activation_url"])
    expect(page.locator("main")).to_contain_text("used")


def test_single_sign_on_from_emi_to_crow(
    page: Page, apps: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-06: the second relying party needs no password, and sees only its own role groups."""
    trader = people["trader"]
    page.goto(apps["EMI"]["url"] + "/signin")
    expect(page.locator("main")).to_contain_text("EMI")
    sign_in(page, trader)
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"])))
    expect(page.locator("body")).to_contain_text("EMI Bids and Offers")
    page.goto(apps["CROW"]["url"] + "/signin")
    expect(page).to_have_url(re.compile(re.escape(apps["CROW"]["url"])))
    expect(page.locator("body")).to_contain_text(trader["username"])
    expect(page.locator("body")).not_to_contain_text("EMI Bids and Offers")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_sign_in_by_email_and_tiles(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-03, GW-05: an e-mail address works too; tiles are exactly the applications held."""
    page.goto(live_demo["issuer"])
    sign_in(page, people["outage_coordinator"], login="email")
    expect(page.get_by_role("link", name=re.compile("CROW"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Reports"))).to_have_count(0)


def test_sign_out_ends_the_gateway_session(
    page: Page, live_demo: dict[str, Any], apps: dict[str, Any], people: dict[str, Any]
) -> None:
    """A sign-out at a relying party ends the session; the next application asks again."""
    page.goto(apps["EMI"]["url"] + "/signin")
    sign_in(page, people["trader"])
    page.get_by_role("button", name=re.compile("sign out", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile(re.escape(apps["EMI"]["url"]) + "/signed-out"))
    page.goto(apps["CROW"]["url"] + "/signin")
    expect(page.get_by_label("Username")).to_be_visible()
    page.goto(live_demo["issuer"] + "/settings")
    expect(page.get_by_label("Username")).to_be_visible()


def test_n57_applications_receive_back_channel_logouts(
    page: Page, live_demo: dict[str, Any], apps: dict[str, Any], people: dict[str, Any]
) -> None:
    """N57, RG: registration takes a role group away, and the application that sees it asks its
    person to sign on again, who then has what is left; a sign-out at the gateway ends all."""
    trader, emi = people["trader"], apps["EMI"]["url"]
    page.goto(emi + "/signin")
    sign_in(page, trader)
    expect(page.locator("body")).to_contain_text("EMI Bids and Offers")
    credentials = live_demo["provisioning"]
    with BridgeClient(
        live_demo["issuer"], credentials["client_id"], credentials["client_secret"]
    ) as client:
        before = (client.find("userName", trader["username"]) or {})[EXTENSION]["grants"]
        left = [grant for grant in before if grant["roleGroup"] != "EMI Bids and Offers"]
        try:
            push_grants(client, trader["username"], left)
            signed_out(page, emi, trader)
            page.goto(emi + "/signin")
            expect(page.locator("body")).to_contain_text(trader["username"])
            expect(page.locator("body")).not_to_contain_text("EMI Bids and Offers")
        finally:
            push_grants(client, trader["username"], before)
    sign_out(page, live_demo["issuer"])
    signed_out(page, emi, trader)
    assert page.complaints == []  # type: ignore[attr-defined]


def push_grants(client: BridgeClient, username: str, grants: list[dict[str, str]]) -> None:
    """What registration does when role groups change."""
    user = client.find("userName", username)
    assert user is not None
    change = {"op": "replace", "path": f"{EXTENSION}:grants", "value": grants}
    body = {"schemas": [PATCH], "Operations": [change]}
    path = f"/Users/{user['id']}"
    (result,) = client.bulk([{"method": "PATCH", "path": path, "data": body}])
    assert result.is_done, result.detail


def signed_out(page: Page, url: str, person: dict[str, Any]) -> None:
    """The application does not know the person any more, within seconds."""
    for _ in range(40):
        page.goto(url)
        if person["username"] not in page.inner_text("main"):
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{person['username']} is still signed in at {url}")


def test_sign_out_from_the_name_menu(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """GW-05: the name menu holds Settings and Sign out; signing out asks first."""
    page.goto(live_demo["issuer"])
    sign_in(page, people["settlements_analyst"])
    page.locator("header summary").click()
    page.locator("header").get_by_role("link").last.click()
    page.locator('main form button[type="submit"]').click()
    expect(page.locator('main a[href="/signin"]')).to_be_visible()
    page.goto(live_demo["issuer"])
    expect(page).to_have_url(re.compile("/signin"))


def test_french(chromium: Browser, live_demo: dict[str, Any], people: dict[str, Any]) -> None:
    """GW-10: the browser's language, all the way to the applications."""
    context = chromium.new_context(locale="fr-CA")
    page = context.new_page()
    page.goto(live_demo["issuer"])
    expect(page.locator("html")).to_have_attribute("lang", re.compile("^fr"))
    page.get_by_label("Mot de passe", exact=True).fill("faux")
    page.locator('input[name="username"]').fill(people["trader"]["username"])
    page.locator('main form button[type="submit"]').first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, people["trader"])
    expect(page.get_by_role("heading", level=1)).to_contain_text("applications")
    context.close()


def test_without_javascript_at_320_pixels(
    chromium: Browser, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """The pages work without scripts, and nothing needs sideways scrolling at 320 px."""
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 700}, locale="en-CA"
    )
    page = context.new_page()
    page.goto(live_demo["issuer"])
    sign_in(page, people["trader"])
    for path in ("/", "/settings", "/settings/password", "/signout", "/recover", "/nowhere"):
        page.goto(live_demo["issuer"] + path)
        box = page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= 320, path
    context.close()


def test_a_wrong_password_gets_the_same_answer_for_a_locked_account(
    page: Page, live_demo: dict[str, Any], people: dict[str, Any]
) -> None:
    """N47 as a person sees it: a wrong password reads the same, whether the account is locked or
    not; who knows the password learns that it is locked."""
    texts = []
    wrong = {"password": "not-the-password"}
    for person in (people["locked"] | wrong, people["trader"] | wrong, people["locked"]):
        page.goto(live_demo["issuer"] + "/signin")
        send_password(page, person)
        # What was typed stays, but not the password: this is the answer, not the page before it.
        expect(page.locator('input[name="password"]')).to_have_value("")
        texts.append(page.get_by_role("alert").inner_text())
    assert texts[0] == texts[1]
    assert texts[2].startswith("Your account is locked.")


def test_mail_is_seen_in_the_demo_outbox(page: Page, live_demo: dict[str, Any]) -> None:
    """RS-02: a requested reset arrives, through the worker, on the outbox page."""
    person = next(p for p in live_demo["people"] if p["role"] == "auditor")
    page.goto(live_demo["issuer"] + "/recover")
    page.locator('input[name="username"]').fill(person["username"])
    page.locator('main form button[type="submit"]').first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    for _ in range(120):
        page.goto(live_demo["issuer"] + "/demo/outbox")
        link = page.locator('a[href*="/recover/open?token="]').first
        if link.count():
            break
        page.wait_for_timeout(500)
    link.click()
    expect(page.get_by_label("New password", exact=True)).to_be_visible()
    expect(page).not_to_have_url(re.compile("token"))
