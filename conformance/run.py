"""Run plans of the conformance suite against ``gateway demo --conformance`` and print the results.

The suite has a browser automation of its own, which reads scripts. This one drives Chromium: it
signs in, verifies a second factor, allows, signs out, and uploads the screenshots that a module
asks for.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyotp
import requests
import urllib3
from playwright.sync_api import Browser, Error, Page, sync_playwright

from conformance.plans import LOOKED, PLANS, REFUSED, ROTATED, Plan, configuration, possible
from idp.demo.home import Home

MODULE_SECONDS = 240
TOTP_SECONDS = 30
#: A process of the gateway has read new keys after this time.
KEY_SECONDS = 6
#: A module that is given no page for so long wants a picture; sooner, it may be reading an answer.
PICTURE_SECONDS = 5
ENDED = ("FINISHED", "INTERRUPTED")


@dataclass(frozen=True)
class Outcome:
    """What the suite says of a module."""

    plan: str
    module: str
    result: str
    #: The texts of conditions that warn or fail.
    remarks: tuple[str, ...]
    seconds: int


class Suite:
    """The suite's API."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        # Both ends are on this machine, with a certificate that nobody signed.
        self._session.trust_env = self._session.verify = False
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def call(self, method: str, path: str, **named: Any) -> Any:
        """The JSON answer. Raises requests.HTTPError."""
        answer = self._session.request(method, f"{self._address}/api/{path}", timeout=150, **named)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def create_plan(self, plan: Plan, settings: dict[str, Any]) -> dict[str, Any]:
        """The plan with its modules."""
        params = {"planName": plan.name, "variant": json.dumps(plan.variant)}
        return dict(self.call("POST", "plan", params=params, json=settings))

    def start(self, plan_id: str, module: dict[str, Any]) -> str:
        """Start a module of a plan; returns its id."""
        params = {"test": module["testModule"], "plan": plan_id}
        if module.get("variant"):
            params["variant"] = json.dumps(module["variant"])
        return str(self.call("POST", "runner", params=params)["id"])

    def remarks(self, module_id: str) -> Iterator[str]:
        """What the log of a module warns of, or calls a failure."""
        for entry in self.call("GET", f"log/{module_id}"):
            if entry.get("result") in ("WARNING", "FAILURE"):
                yield f"{entry.get('src', '')}: {entry.get('msg', '')}"

    def wanted_pictures(self, module_id: str) -> list[str]:
        """The placeholders of screenshots that are missing."""
        entries = self.call("GET", f"log/{module_id}/images")
        return [entry["upload"] for entry in entries if entry.get("upload")]


class Person:
    """Somebody at a browser who answers every page of the gateway, and allows everything or
    nothing."""

    def __init__(self, browser: Browser, known: dict[str, Any], *, refuses: bool = False) -> None:
        person = known["refuser" if refuses else "person"]
        self._issuer = known["issuer"]
        self._username = person["username"]
        self._password = person["password"]
        self._totp = pyotp.TOTP(person["totp_secret"])
        self._consent = "Do not allow" if refuses else "Allow"
        self._context = browser.new_context(locale="en-CA", ignore_https_errors=True)
        self._context.set_default_timeout(20_000)
        self._spent = 0
        self._last = b""
        self.page = self._context.new_page()

    def begin(self) -> None:
        """Forget the session, but not that this browser is remembered."""
        kept = [one for one in self._context.cookies() if "session" not in str(one.get("name"))]
        self._context.clear_cookies()
        self._context.add_cookies(kept)  # type: ignore[arg-type]

    def visit(self, address: str, method: str) -> None:
        """Open an address of the suite and answer the gateway's pages until one is the last."""
        try:
            if method == "POST":
                self._post(address)
            else:
                self.page.goto(address)
        except Error as error:
            if "ERR_ABORTED" not in str(error):
                raise
        for _ in range(8):
            self.page.wait_for_load_state()
            if not self.page.url.startswith(self._issuer) or not self._answer(self.page):
                break
        if not self.page.url.startswith(self._issuer):
            self.page.wait_for_load_state("networkidle")

    def look(self, address: str) -> None:
        """Open an address and answer nothing."""
        self.page.goto(address)

    def picture(self) -> str:
        """The page of the gateway where the person is now, or the last sign-in page, as a data
        URL."""
        if self.page.url.startswith(self._issuer):
            self._last = self.page.screenshot()
        return "data:image/png;base64," + base64.b64encode(self._last).decode()

    def _post(self, address: str) -> None:
        parts = urlsplit(address)
        fields = "".join(
            f'<input name="{name}" value="{value}">' for name, value in parse_qsl(parts.query)
        )
        target = address.partition("?")[0]
        self.page.set_content(f'<form method="post" action="{target}">{fields}</form>')
        with self.page.expect_navigation():
            self.page.evaluate("document.forms[0].submit()")

    def _answer(self, page: Page) -> bool:
        """Answer a page of the gateway; False if it asks for nothing."""
        if page.locator("#password").count() and page.locator("#username").count():
            self._last = page.screenshot()
            page.fill("#username", self._username)
            page.fill("#password", self._password)
            page.locator("#remember").set_checked(True)
            button = "Sign in"
        elif page.locator("#password").count():
            page.fill("#password", self._password)
            button = "Continue"
        elif page.locator("#code").count():
            page.fill("#code", self._code())
            trust = page.locator("input[type=checkbox]")
            if trust.count():
                trust.first.set_checked(True)
            button = "Continue"
        elif page.get_by_role("button", name="Allow", exact=True).count():
            button = self._consent
        elif page.get_by_role("heading", name="Sign out of the gateway?").count():
            button = "Sign out"
        else:
            return False
        with page.expect_navigation():
            page.get_by_role("button", name=button, exact=True).first.click()
        return True

    def _code(self) -> str:
        """A code of a step that was not used yet."""
        while int(time.time()) // TOTP_SECONDS <= self._spent:
            time.sleep(1)
        self._spent = int(time.time()) // TOTP_SECONDS
        return self._totp.now()


class Operator:
    """Somebody with the command line of the gateway."""

    def __init__(self, folder: Path, known: dict[str, Any]) -> None:
        home = Home(folder, 0, known["database"], known["issuer"])
        self._environ = home.environ()

    def rotate_keys(self) -> None:
        """Sign with the next key from now on, and publish a new one."""
        command = [sys.executable, "-m", "idp.cli", "key", "rotate", "--force"]
        subprocess.run(command, env=self._environ, check=True)  # noqa: S603
        time.sleep(KEY_SECONDS)


def run_module(
    suite: Suite, person: Person, operator: Operator, plan: Plan, plan_id: str, entry: Any
) -> Outcome:
    """Run one module to its end."""
    person.begin()
    module_id = suite.start(plan_id, entry)
    visited: set[str] = set()
    must_look, must_rotate = (entry["testModule"] in names for names in (LOOKED, ROTATED))
    begun = acted = time.monotonic()
    while True:
        info = suite.call("GET", f"info/{module_id}")
        if info["status"] in ENDED:
            break
        if time.monotonic() > begun + MODULE_SECONDS:
            suite.call("DELETE", f"runner/{module_id}")
            break
        if info["status"] == "CONFIGURED":
            if must_rotate:
                operator.rotate_keys()
            suite.call("POST", f"runner/{module_id}")
        elif info["status"] == "WAITING" and must_look:
            must_look = not _look(suite, person, module_id)
        elif info["status"] == "WAITING":
            if _act(suite, person, module_id, visited):
                acted = time.monotonic()
            elif time.monotonic() > acted + PICTURE_SECONDS:
                _upload(suite, person, module_id)
        time.sleep(0.3)
    info = suite.call("GET", f"info/{module_id}")
    result = info.get("result") or info["status"]
    remarks = tuple(dict.fromkeys(suite.remarks(module_id)))
    seconds = round(time.monotonic() - begun)
    return Outcome(plan.title, entry["testModule"], result, remarks, seconds)


def _look(suite: Suite, person: Person, module_id: str) -> bool:
    """Look at the page that the module waits for. False if there is none yet."""
    urls = suite.call("GET", f"runner/{module_id}")["browser"]["urls"]
    for url in urls:
        person.look(url)
        suite.call("POST", f"runner/browser/{module_id}/visit", params={"url": url})
    return bool(urls)


def _act(suite: Suite, person: Person, module_id: str, visited: set[str]) -> bool:
    """Visit what the module waits for. False if that is nothing."""
    browser = suite.call("GET", f"runner/{module_id}")["browser"]
    methods = {one["url"]: one["method"] for one in browser.get("urlsWithMethod", [])}
    fresh = [url for url in browser["urls"] if url not in visited]
    for url in fresh:
        visited.add(url)
        suite.call("POST", f"runner/browser/{module_id}/visit", params={"url": url})
        person.visit(url, methods.get(url, "GET"))
    return bool(fresh)


def _upload(suite: Suite, person: Person, module_id: str) -> None:
    """Upload the last page if the module wants a picture."""
    for placeholder in suite.wanted_pictures(module_id):
        path = f"log/{module_id}/images/{placeholder}"
        kind = {"Content-Type": "text/plain"}
        suite.call("POST", path, data=person.picture(), headers=kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=Path, help="conformance.json of the demo's folder")
    parser.add_argument("--plan", action="append", choices=sorted(PLANS), help="default: all")
    parser.add_argument("--module", help="only modules with this in their name")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    known = json.loads(given.settings.read_text(encoding="utf-8"))
    suite = Suite(known["suite"])
    outcomes: list[Outcome] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=given.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        operator = Operator(given.settings.parent, known)
        person, refuser = Person(browser, known), Person(browser, known, refuses=True)
        for name in given.plan or possible(known):
            plan = PLANS[name]
            made = suite.create_plan(plan, configuration(plan, known))
            for entry in made["modules"]:
                if given.module and given.module not in entry["testModule"]:
                    continue
                who = refuser if entry["testModule"] in REFUSED else person
                outcome = run_module(suite, who, operator, plan, made["id"], entry)
                outcomes.append(outcome)
                print(
                    f"{outcome.result:10}{outcome.seconds:4} s  {name} {outcome.module}", flush=True
                )
                for remark in outcome.remarks:
                    print(f"           {remark}", flush=True)
    if given.json:
        given.json.write_text(json.dumps([vars(one) for one in outcomes], indent=1))
    sys.exit(any(one.result in ("FAILED", *ENDED, "WAITING") for one in outcomes))


if __name__ == "__main__":
    main()
