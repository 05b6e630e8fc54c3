"""Sign people in to ``gateway demo`` with unmodified client libraries, each in a small program.

The libraries are installed from their registries into build/interop. Every program answers at
/signin, /reader and /editor (pages for one role group each), /refresh and /signout, where its
library has that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyotp
import yaml
from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright

from idp.demo.home import Home
from interop.catalogue import CLIENTS, NODE, Client
from tests.gallery.chromium import launch
from tests.live import free_ports, start_demo

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = ROOT / "build" / "interop"
PROGRAMS = Path(__file__).with_name("clients")
READER, EDITOR = "Interop Reader", "Interop Editor"
#: People take turns: a code of an authenticator app is accepted once.
PEOPLE = ("trader", "outage_coordinator", "settlements_analyst")
COLUMNS = ("sign-in", "role groups", "refresh", "logout", "back-channel", "frame")
OK, FAILED, ABSENT = "ok", "failed", "–"
#: The library ends its own session, and leaves that of the gateway.
LOCAL = "own session"
START_SECONDS = 30
NOTICE_SECONDS = 15
#: The library asks the frame every two seconds.
MONITORED_MS = 5_000
TOTP_SECONDS = 30
SCOPES = ("openid", "profile", "email", "groups", "offline_access")


class Failed(Exception):
    """A step of a client did not do what it has to."""


@dataclass
class Result:
    """One line of the table."""

    client: str
    version: str = ABSENT
    steps: dict[str, str] = field(default_factory=lambda: dict.fromkeys(COLUMNS, ABSENT))
    reason: str = ""


class Person:
    """Somebody at a browser who answers the pages of the gateway."""

    def __init__(self, issuer: str, known: dict[str, Any]) -> None:
        self.username = known["username"]
        self._issuer = issuer
        self._password = known["password"]
        self._totp = pyotp.TOTP(known["totp_secret"])
        self._spent = 0

    def visit(self, page: Page, address: str) -> int:
        """Open an address, answer the pages that ask for something, and return the last status."""
        seen = page.goto(address)
        for _ in range(6):
            button = self._button(page)
            if not button.count():
                break
            self._fill(page)
            with page.expect_navigation() as answered:
                button.click()
            # The gateway leads back by a page that goes on by itself.
            page.wait_for_load_state("networkidle")
            seen = answered.value
        return seen.status if seen else 0

    def is_signed_in(self, page: Page) -> bool:
        """Whether the gateway still knows this browser."""
        page.goto(f"{self._issuer}/settings")
        return not page.locator("#password").count()

    def _button(self, page: Page) -> Locator:
        """The button of a page that asks for something, of the gateway or of a library."""
        if not page.url.startswith(self._issuer):
            return page.locator("form button[type=submit]").first
        name = "Continue"
        if page.locator("#username").count():
            name = "Sign in"
        elif page.get_by_role("heading", name="Sign out of the gateway?").count():
            name = "Sign out"
        elif page.get_by_role("button", name="Allow", exact=True).count():
            name = "Allow"
        return page.get_by_role("button", name=name, exact=True).first

    def _fill(self, page: Page) -> None:
        known = {"#username": lambda: self.username, "#password": lambda: self._password}
        for field_id, value in {**known, "#code": self._code}.items():
            if page.url.startswith(self._issuer) and page.locator(field_id).count():
                page.fill(field_id, value())

    def _code(self) -> str:
        """A code of a step that was not used yet."""
        while int(time.time()) // TOTP_SECONDS <= self._spent:
            time.sleep(0.5)
        self._spent = int(time.time()) // TOTP_SECONDS
        return self._totp.now()


class Trial:
    """One client, seen from a new browser."""

    def __init__(self, client: Client, base: str, issuer: str, person: Person, page: Page) -> None:
        self._client = client
        self._base = base
        self._issuer = issuer
        self._person = person
        self._page = page

    @property
    def ends_both(self) -> bool:
        """Whether signing out ends the session of the gateway too."""
        return self._client.signs_out

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Every step that the library has, in order."""
        yield "sign-in", self._sign_in
        yield "role groups", self._role_groups
        if self._client.refreshes:
            yield "refresh", self._refresh
        if self._client.backchannel:
            yield "back-channel", self._end_at_the_gateway
        if self._client.monitors:
            yield "frame", self._end_in_another_tab
        yield "logout", self._sign_out

    def _sign_in(self) -> None:
        self._status("/signin")
        self._expect("/reader", 200, self._person.username)

    def _role_groups(self) -> None:
        self._expect("/reader", 200, READER)
        self._expect("/editor", 403)

    def _refresh(self) -> None:
        self._expect("/refresh", 200, "refreshed")
        self._expect("/reader", 200, self._person.username)

    def _end_at_the_gateway(self) -> None:
        """OpenID Connect Back-Channel Logout 1.0: the client hears of it; then sign in again."""
        self._person.visit(self._page, f"{self._issuer}/oauth2/v1/logout")
        end = time.monotonic() + NOTICE_SECONDS
        while self._status("/reader") != 401:
            if time.monotonic() > end:
                raise Failed("still signed in after the session of the gateway ended")
            time.sleep(0.5)
        self._sign_in()

    def _end_in_another_tab(self) -> None:
        """OpenID Connect Session Management 1.0: the page of the client notices the end,
        and nothing before it; then sign in again."""
        self._expect("/monitor", 200, "monitoring")
        self._page.wait_for_timeout(MONITORED_MS)
        if self._page.title() != "200":
            raise Failed("the session ended for the client before it did at the gateway")
        other = self._page.context.new_page()
        self._person.visit(other, f"{self._issuer}/oauth2/v1/logout")
        other.close()
        self._page.wait_for_function("document.title === '401'", timeout=NOTICE_SECONDS * 1000)
        self._status("/forget")
        self._sign_in()

    def _sign_out(self) -> None:
        if not self._person.is_signed_in(self._page):
            raise Failed("there is no session of the gateway to end")
        self._status("/signout")
        if not self._page.url.startswith(self._base):
            raise Failed(f"signing out ended at {_place(self._page)}")
        self._expect("/reader", 401)
        if self._person.is_signed_in(self._page) == self.ends_both:
            raise Failed("the session of the gateway is not as it should be after signing out")

    def _status(self, path: str) -> int:
        """Open a page of the client and answer what is asked; where that ended."""
        status = self._person.visit(self._page, self._base + path)
        if self._client.in_browser and self._page.url.startswith(self._base):
            self._page.wait_for_function("document.title")
            return int(self._page.title())
        return status

    def _expect(self, path: str, status: int, text: str = "") -> None:
        seen = self._status(path)
        if seen != status or text not in self._page.content():
            raise Failed(f"{path} ended at {_place(self._page)} with {seen}, not {status} {text}")


def _place(page: Page) -> str:
    """An address without its query, which may hold codes and tokens."""
    return page.url.partition("?")[0]


def install(client: Client) -> str:
    """Install the packages of a client, unless they are there; returns the version of the first."""
    folder = INSTALLED / client.id
    folder.mkdir(parents=True, exist_ok=True)
    wanted = "\n".join(client.packages)
    mark = folder / "installed.txt"
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        (_install_node if client.is_node else _install_python)(client, folder)
        mark.write_text(wanted, encoding="utf-8")
    if client.is_node:
        name = client.packages[0].rpartition("@")[0]
        package = folder / "node_modules" / name / "package.json"
        return str(json.loads(package.read_text(encoding="utf-8"))["version"])
    name = re.split(r"[\[<>=]", client.packages[0])[0]
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run(
        [folder / "bin/python", "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def _install_python(client: Client, folder: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", folder], check=True)
    command = [str(uv), "pip", "install", "--quiet", "--python", str(folder / "bin/python")]
    subprocess.run([*command, *client.packages], check=True)


def _install_node(client: Client, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    command = ["npm", "install", "--loglevel=error", "--no-audit", "--no-fund", "--prefix"]
    subprocess.run([*command, str(folder), *client.packages], check=True, stdout=subprocess.DEVNULL)


def register(
    clients: dict[str, Client], bases: dict[str, str], home: Home, people: list[Person]
) -> dict[str, str]:
    """Register the clients and two role groups, and assign the first; returns the secrets."""
    with tempfile.TemporaryDirectory() as folder:
        file, secrets = Path(folder, "interop.yaml"), Path(folder, "secrets.json")
        file.write_text(declaration(clients, bases), encoding="utf-8")
        _gateway(home, "apply", str(file), "--yes", "--secrets", str(secrets))
        # A client in the browser has no secret.
        made = json.loads(secrets.read_text(encoding="utf-8")) if secrets.exists() else {}
    for person in people:
        account = ("--account", person.username, "--participant", "109120")
        _gateway(home, "role-group", "assign", *account, "--role-group", READER)
    return made


def declaration(clients: dict[str, Client], bases: dict[str, str]) -> str:
    """What ``gateway apply`` reads: the clients at their addresses, and two role groups."""
    declared = {
        "role_groups": {READER: {"description": "Read"}, EDITOR: {"description": "Edit"}},
        "clients": {key: _declared(client, bases[key]) for key, client in clients.items()},
    }
    return str(yaml.safe_dump(declared))


def _declared(client: Client, base: str) -> dict[str, Any]:
    declared: dict[str, Any] = {
        "name": client.name,
        "role_groups": [READER, EDITOR],
        "redirect_uris": [base + client.callback],
        "post_logout_redirect_uris": [base + client.post_logout],
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": list(SCOPES),
        "trusted": True,
        "require_pkce": client.pkce,
    }
    if client.in_browser:
        declared |= {"auth_method": "none", "allowed_origins": [base]}
    if client.backchannel:
        declared["backchannel_logout_uri"] = base + client.backchannel
    return declared


def _gateway(home: Home, *words: str) -> None:
    """A command of the gateway, as an operator at the terminal."""
    command = [sys.executable, "-m", "idp.cli", *words]
    done = subprocess.run(
        command, env=home.environ(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"gateway {words[0]}: {done.stdout}{done.stderr}")


@contextmanager
def started(client: Client, environ: dict[str, str], log: Path) -> Iterator[None]:
    """The program of a client, as long as the block runs."""
    folder = INSTALLED / client.id
    program = PROGRAMS / client.program
    command = [str(folder / "bin/python"), str(program)]
    if client.is_node:
        # Node.js looks for packages beside the program.
        command = ["node", str(shutil.copy(program, folder / f"program{NODE}"))]
    inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=inherited | environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, int(environ["PORT"]), log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Failed(f"the program does not start; see {log}")


def attempt(result: Result, trial: Trial) -> None:
    """Run the steps of a client. The first that fails ends them."""
    for name, step in trial.steps():
        result.steps[name] = FAILED
        step()
        result.steps[name] = OK if name != "logout" or trial.ends_both else LOCAL


def run(clients: dict[str, Client], browser: Browser) -> Iterator[Result]:
    """Run every client against one demo."""
    port = free_ports(len(clients))
    bases = {key: f"http://localhost:{port + n}" for n, key in enumerate(clients)}
    say("starting the demo")
    with tempfile.TemporaryDirectory() as folder, start_demo(Path(folder)) as demo:
        issuer = demo["issuer"]
        known = {person["role"]: person for person in demo["people"]}
        people = [Person(issuer, known[role]) for role in PEOPLE]
        home = Home(Path(folder), int(issuer.rpartition(":")[2]))
        secrets = register(clients, bases, home, people)
        for number, (key, client) in enumerate(clients.items()):
            say(f"running {client.name}")
            result = Result(client.name)
            person = people[number % len(people)]
            environ = {
                "ISSUER": issuer,
                "CLIENT_ID": key,
                "CLIENT_SECRET": secrets.get(key, ""),
                "BASE_URL": bases[key],
                "PORT": bases[key].rpartition(":")[2],
            }
            context = browser.new_context(locale="en-CA")
            context.set_default_timeout(20_000)
            page = context.new_page()
            result.steps["sign-in"] = FAILED
            try:
                result.version = install(client)
                with started(client, environ, INSTALLED / client.id / "program.log"):
                    attempt(result, Trial(client, bases[key], issuer, person, page))
            except (Failed, Error, subprocess.CalledProcessError) as error:
                result.reason = str(error).partition("\n")[0]
                say(f"  {result.reason}")
            finally:
                context.close()
            yield result


def table(results: list[Result]) -> str:
    """The results in Markdown."""
    heads = ("client", "version", *COLUMNS)
    rows = [heads, tuple("---" for _ in heads)]
    rows += [(one.client, one.version, *one.steps.values()) for one in results]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def say(text: str) -> None:
    """A line about the progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="make interop", usage='make interop [ARGS="options"]', description=__doc__
    )
    known = {client.id: client for client in CLIENTS}
    parser.add_argument(
        "--client", action="append", choices=known, help="only this one; repeat for several"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    given = parser.parse_args()
    chosen = {key: one for key, one in known.items() if not given.client or key in given.client}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        results = list(run(chosen, browser))
        browser.close()
    if given.json:
        print(json.dumps([asdict(one) for one in results], indent=1, ensure_ascii=False))
    else:
        print(table(results))
    sys.exit(any(FAILED in one.steps.values() for one in results))


if __name__ == "__main__":
    main()
