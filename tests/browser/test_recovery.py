"""Recovery, the telephone desk and renewal as people see them (procedures E, F, K and L)."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_journeys import second_step, send_password, sign_in
from tests.live import free_ports

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live")]
ROOT = Path(__file__).resolve().parents[2]


def message(page: Page, issuer: str, subject: str, recipient: str) -> Any:
    """The newest message in the outbox with this subject; waits for the worker."""
    # Texts have no subject: they are found by their words.
    mails = page.locator("article.mail", has_text=recipient)
    titled = page.locator("h2", has_text=subject)
    texts = page.locator("h2", has_text=re.compile("^(Text message|Message texte)$"))
    found = mails.filter(has=titled).or_(mails.filter(has=texts).filter(has_text=subject)).first
    for _ in range(120):
        page.goto(issuer + "/demo/outbox")
        if found.count():
            return found
        page.wait_for_timeout(500)
    raise AssertionError(f"no message {subject} to {recipient}")


def choose(page: Page, password: str, current: str | None = None) -> None:
    """Fill in the page where a password is chosen."""
    if current is not None:
        page.locator("#current").fill(current)
    page.locator("#password").fill(password)
    page.locator("#again").fill(password)
    page.locator('main form button[type="submit"]').click()


def order(page: Page, action: str, ticket: str) -> None:
    """Press the button of an action and confirm it; the page proposes the ticket of the call."""
    page.get_by_role("button", name=action, exact=True).click()
    expect(page.get_by_label("Ticket reference")).to_have_value(ticket)
    page.get_by_label("Reason", exact=True).select_option("request_of_holder")
    page.get_by_role("button", name=action, exact=True).click()


def test_e_reset_by_mail(
    page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """E.01 to E.06, Z-06: from "Need help signing in?" to a session: the new password, the
    second factor, and the person is in."""
    person, issuer = people["outage_coordinator"], live_demo["issuer"]
    page.goto(issuer)
    page.get_by_text("Need help signing in?").click()
    page.get_by_role("link", name="Forgot password?").click()
    page.get_by_label("Username").fill(person["email"])
    page.get_by_role("button", name="Reset by e-mail").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    mail = message(page, issuer, "Reset your password", person["email"])
    mail.get_by_role("link").first.click()
    expect(page).not_to_have_url(re.compile("token"))
    choose(page, "Marble-Otter3-window")
    expect(page.get_by_role("status").first).to_contain_text("Password changed successfully")
    person["password"] = "Marble-Otter3-window"
    second_step(page, person)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your applications")
    message(page, issuer, "Your password was changed", person["email"])
    assert page.complaints == []  # type: ignore[attr-defined]


def test_e_reset_by_text_message(
    page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """RS-03: the code from the telephone, by keyboard alone."""
    person, issuer = people["trader"], live_demo["issuer"]
    page.goto(issuer + "/recover")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(person["username"])
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter the verification code")
    where = page.url
    text = message(page, issuer, "code to reset your password", "+17055550142").inner_text()
    code = re.findall(r"\b\d{6}\b", text)[0]
    page.goto(where)
    page.get_by_label("Code").fill("000000" if code != "000000" else "000001")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code").fill(code)
    page.keyboard.press("Enter")
    choose(page, "Marble-Otter3-window")
    expect(page.get_by_role("heading", level=1)).to_have_text("Verify your identity")
    expect(page.get_by_role("status").first).to_contain_text("Password changed successfully")
    person["password"] = "Marble-Otter3-window"
    assert page.complaints == []  # type: ignore[attr-defined]


def test_f_k_customer_relations_helps_by_phone(
    chromium: Browser,
    page: Page,
    context: BrowserContext,
    live_demo: dict[str, Any],
    people: dict[str, dict[str, Any]],
) -> None:
    """F.03 to F.06, K.02, CR-05, CR-06: search, verify, temporary password read aloud, the holder
    signs in with it and chooses an own one; one agent, one holder, two browsers."""
    issuer, holder = live_demo["issuer"], people["settlements_analyst"]
    page.goto(issuer)
    sign_in(page, people["customer_relations"])
    expect(page).to_have_url(f"{issuer}/console")
    page.locator("#q").focus()
    page.keyboard.type("gauthier noe")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Noémie Gauthier")
    expect(page.locator("main")).to_contain_text("This account can sign in")
    expect(page.get_by_role("button", name="Issue a temporary password")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.get_by_label("Gave the user name").check()
    page.get_by_label("Gave the Person ID").check()
    page.get_by_label("Named the organization").check()
    page.get_by_label("Ticket reference").fill("CR-1001")
    page.get_by_role("button", name="Record verification").click()
    order(page, "Issue a temporary password", "CR-1001")
    temporary = page.locator(".big code").inner_text()
    expect(page.locator(".spelled li")).to_have_count(len(temporary))
    expect(page.locator("main")).to_contain_text("A temporary password was issued")

    home = chromium.new_context(locale="en-CA")
    own = home.new_page()
    own.goto(issuer)
    send_password(own, holder | {"password": temporary})
    expect(own.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    choose(own, "Marble-Otter3-window", current="not-it")
    expect(own.get_by_role("alert")).to_contain_text("temporary password is incorrect")
    choose(own, "Marble-Otter3-window", current=temporary)
    expect(own.locator(".why")).to_contain_text("Your password was changed")
    second_step(own, holder)
    expect(own.get_by_role("heading", level=1)).to_have_text("Your applications")
    holder["password"] = "Marble-Otter3-window"
    home.close()
    message(page, issuer, "mot de passe temporaire", holder["email"])
    assert page.complaints == []  # type: ignore[attr-defined]


def test_the_account_holder_sees_the_name_of_the_calling_agent(
    chromium: Browser, page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """A code by mail, read back; the page behind the mail names the agent."""
    issuer, holder = live_demo["issuer"], people["locked"]
    page.goto(issuer)
    sign_in(page, people["customer_relations"])
    page.goto(issuer + "/console?q=kowalskp")
    expect(page.locator("main")).to_contain_text("Locked since")
    page.get_by_label("Ticket reference").fill("CR-1002")
    page.get_by_role("button", name="Send a code by e-mail").click()
    expect(page.get_by_label("Code")).to_be_visible()
    where = page.url
    mail = message(page, issuer, "Your code for Customer Relations", holder["email"])
    code = re.findall(r"\b\d{6}\b", mail.inner_text())[0]
    link = mail.get_by_role("link").first.get_attribute("href")
    home = chromium.new_context(locale="fr-CA")
    own = home.new_page()
    own.goto(link or "")
    expect(own.locator("main")).to_contain_text("Leila Haddad")
    home.close()
    page.goto(where)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Check").click()
    order(page, "Unlock", "CR-1002")
    expect(page.get_by_role("status").first).to_contain_text("The account is unlocked")
    expect(page.locator("main")).to_contain_text("This account can sign in")
    # As it was, for the tests beside this one.
    order(page, "Lock", "CR-1002")
    expect(page.locator("main")).to_contain_text("Locked since")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_the_recovery_telephone_in_settings(
    page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """SP-03: number, password, code, and it is shown."""
    person, issuer = people["auditor"], live_demo["issuer"]
    page.goto(issuer)
    sign_in(page, person)
    page.goto(issuer + "/settings/factors")
    page.get_by_role("link", name="Add number").click()
    page.get_by_label("Mobile number").fill("416 967 1111 ext 3")
    page.get_by_label("Current password").fill(person["password"])
    page.get_by_role("button", name="Send code").click()
    expect(page.get_by_role("alert")).to_contain_text("extension")
    page.get_by_label("Mobile number").fill("416 967 1111")
    page.get_by_label("Current password").fill(person["password"])
    page.get_by_role("button", name="Send code").click()
    expect(page.get_by_label("Code")).to_be_visible()
    where = page.url
    text = message(page, issuer, "confirm your recovery phone", "+14169671111").inner_text()
    page.goto(where)
    page.get_by_label("Code").fill(re.findall(r"\b\d{6}\b", text)[0])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("status").first).to_have_text("Phone number successfully verified")
    assert page.complaints == []  # type: ignore[attr-defined]


def test_the_audit_pages(
    page: Page, live_demo: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    """The auditor searches, downloads and proves; no page logs an error."""
    issuer = live_demo["issuer"]
    page.goto(issuer)
    sign_in(page, people["auditor"])
    page.goto(issuer + "/console/audit")
    page.get_by_label("Event", exact=True).select_option(label="Account created")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr").first).to_contain_text("Account created")
    page.locator("tbody tr").first.get_by_text("Show").click()
    expect(page.locator("tbody tr").first).to_contain_text("account.created")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "audit.csv"
    page.get_by_role("button", name="Verify audit log integrity").click()
    expect(page.get_by_role("status").first).to_contain_text("Integrity check passed")
    page.goto(issuer + "/console/access?participant=109120")
    expect(page.locator("tbody tr").first).to_contain_text("109120")
    assert page.complaints == []  # type: ignore[attr-defined]


@pytest.fixture
def renewing(tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """A gateway where passwords are renewed every day, and a person whose password is old."""
    port = free_ports(4)
    plain = {k: v for k, v in os.environ.items() if not k.startswith("IDP_")}
    command = [sys.executable, "-m", "idp.cli"]
    subprocess.run(
        [*command, "demo", "--data", str(tmp_path), "--port", str(port), "--only-data"],
        env=plain, cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    lines = (tmp_path / "gateway.env").read_text().splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines)
    environ = plain | {name: value.strip("'") for name, _, value in pairs}
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        database.execute("UPDATE account SET password_changed_at = '2020-01-01 00:00:00.000000'")
        database.commit()
    process = subprocess.Popen(
        [*command, "serve", "--port", str(port), "--workers", "1"],
        env=environ | {"IDP_PASSWORD_MAX_AGE_DAYS": "1"}, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        _wait(port)
        passwords = json.loads((tmp_path / "secrets.json").read_text())["passwords"]
        address = "marie.tremblay@lakes-generation.example"
        person = {"username": "tremblam", "password": passwords["trader"], "email": address}
        yield f"http://localhost:{port}", person
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            with closing(HTTPConnection("localhost", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the gateway does not start")


def test_l_renewal_in_the_sign_in(page: Page, renewing: tuple[str, dict[str, Any]]) -> None:
    """L.04 to L.06: the sign-in asks for a new password, then goes on to where one wanted to go."""
    issuer, person = renewing
    page.goto(issuer + "/settings")
    send_password(page, person)
    expect(page.locator("main")).to_contain_text("password has expired")
    choose(page, person["password"], current=person["password"])
    expect(page.get_by_role("alert")).to_contain_text("last 4 passwords")
    choose(page, "Marble-Otter3-window", current=person["password"])
    second_step(page, person)
    expect(page).to_have_url(issuer + "/settings")
    assert page.complaints == []  # type: ignore[attr-defined]
