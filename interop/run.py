"""Sign people in to ``gateway demo`` with unmodified software, each in a small program.

The software is installed from its registries into build/interop. Most programs answer at /signin,
/reader and /editor (pages for one role group each), /refresh and /signout, where their library has
that. Others run a recipe of docs/recipes as it is written. What this machine lacks is not run; with
CI set, that is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml
from playwright.sync_api import Browser, Error, sync_playwright

from idp.demo.home import Home
from interop import recipes
from interop.catalogue import CLIENTS, NODE, Client
from interop.install import INSTALLED, SEARCHED, Absent, install
from interop.trial import EDITOR, READER, Failed, Person, Trial
from tests.gallery.chromium import launch
from tests.live import free_ports, start_demo

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(__file__).with_name("clients")
#: People take turns: a code of an authenticator app is accepted once.
PEOPLE = ("trader", "outage_coordinator", "settlements_analyst")
PARTICIPANT = "109120"
#: A client has one port, and two for what is behind it.
PORTS = 3
COLUMNS = ("sign-in", "role groups", "refresh", "logout", "back-channel", "frame")
OK, FAILED, ABSENT = "ok", "failed", "–"
#: The library ends its own session, and leaves that of the gateway.
LOCAL = "own session"
#: Answers of a program, or of what is before it, that is not ready.
STARTING = (404, 502, 503)
SCOPES = ("openid", "profile", "email", "groups", "offline_access")


@dataclass
class Result:
    """One line of the table."""

    client: str
    version: str = ABSENT
    steps: dict[str, str] = field(default_factory=lambda: dict.fromkeys(COLUMNS, ABSENT))
    reason: str = ""

    @property
    def has_failed(self) -> bool:
        return FAILED in self.steps.values()

    @property
    def is_absent(self) -> bool:
        """Whether this machine lacks what the client needs."""
        return not self.has_failed and OK not in self.steps.values()


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
        assign(home, person, READER)
    return made


def assign(home: Home, person: Person, role_group: str) -> None:
    """Give a person a role group."""
    account = ("--account", person.username, "--participant", PARTICIPANT)
    _gateway(home, "role-group", "assign", *account, "--role-group", role_group)


def prepare(client: Client, home: Home, issuer: str, base: str) -> tuple[recipes.Recipe, str]:
    """Run the commands of a recipe and write its files; returns the recipe and the secret."""
    recipe = recipes.read(client.recipe)
    secret = ""
    for words in recipe.commands:
        given = [recipes.filled(word, recipe, issuer, base) for word in words]
        made = json.loads(_gateway(home, *given, "--json"))
        secret = secret or made.get("client_secret", "")
    folder = INSTALLED / client.id / "recipe"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in recipe.files.items():
        written = recipes.filled(text, recipe, issuer, base).replace("the-secret", secret)
        for slow, quick in client.hurried:
            written = written.replace(slow, quick)
        (folder / name).write_text(written, encoding="utf-8")
    return recipe, secret


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


def _gateway(home: Home, *words: str) -> str:
    """A command of the gateway, as an operator at the terminal; what it prints."""
    command = [sys.executable, "-m", "idp.cli", *words]
    done = subprocess.run(
        command, env=home.environ(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"gateway {words[0]}: {done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def started(client: Client, environ: dict[str, str], log: Path) -> Iterator[None]:
    """The program of a client, as long as the block runs."""
    folder = INSTALLED / client.id
    program = PROGRAMS / client.program
    python = str(folder / "bin/python") if client.pip_packages else sys.executable
    command = [python, str(program)]
    if client.is_node:
        # Node.js looks for packages beside the program.
        command = ["node", str(shutil.copy(program, folder / f"program{NODE}"))]
    inherited = {"PATH": SEARCHED, "HOME": os.environ.get("HOME", "")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, client, environ["BASE_URL"], log)
        yield
    finally:
        # With what it started.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], client: Client, base: str, log: Path) -> None:
    """Until the program answers, and what is behind it too."""
    end = time.monotonic() + client.start_seconds
    while time.monotonic() < end and process.poll() is None:
        with suppress(requests.ConnectionError, requests.Timeout):
            seen = requests.get(base + client.pages.signin, allow_redirects=False, timeout=5)
            if seen.status_code not in STARTING:
                return
        time.sleep(0.2)
    raise Failed(f"the program does not start; see {log}")


def attempt(result: Result, trial: Trial) -> None:
    """Run the steps of a client. The first that fails ends them."""
    for name, step in trial.steps():
        result.steps[name] = FAILED
        step()
        result.steps[name] = OK if name != "logout" or trial.ends_both else LOCAL


def run(clients: dict[str, Client], browser: Browser) -> Iterator[Result]:
    """Run every client against one demo."""
    port = free_ports(PORTS * len(clients))
    bases = {key: f"http://localhost:{port + PORTS * n}" for n, key in enumerate(clients)}
    say("starting the demo")
    with tempfile.TemporaryDirectory() as folder, start_demo(Path(folder)) as demo:
        issuer = demo["issuer"]
        known = {person["role"]: person for person in demo["people"]}
        people = [Person(issuer, known[role]) for role in PEOPLE]
        home = Home(Path(folder), int(issuer.rpartition(":")[2]))
        declared = {key: client for key, client in clients.items() if not client.recipe}
        secrets = register(declared, bases, home, people)
        for number, (key, client) in enumerate(clients.items()):
            say(f"running {client.name}")
            result = Result(client.name)
            person, outsider = (people[(number + n) % len(people)] for n in range(2))
            context = browser.new_context(locale="en-CA")
            context.set_default_timeout(20_000)
            page = context.new_page()
            result.steps["sign-in"] = FAILED
            try:
                result.version = install(client)
                environ = {
                    "ISSUER": issuer,
                    "CLIENT_ID": key,
                    "CLIENT_SECRET": secrets.get(key, ""),
                    "BASE_URL": bases[key],
                    "PORT": bases[key].rpartition(":")[2],
                }
                if client.recipe:
                    recipe, secret = prepare(client, home, issuer, bases[key])
                    environ |= {"CLIENT_ID": recipe.client_id, "CLIENT_SECRET": secret}
                    assign(home, person, recipe.role_group)
                trial = Trial(client, bases[key], issuer, person, outsider, page)
                with started(client, environ, INSTALLED / client.id / "program.log"):
                    attempt(result, trial)
            except Absent as absent:
                result.steps["sign-in"] = ABSENT
                result.reason = str(absent)
                say(f"  {absent}")
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
    sys.exit(any(one.has_failed or (one.is_absent and "CI" in os.environ) for one in results))


if __name__ == "__main__":
    main()
