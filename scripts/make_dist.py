"""Build the source distribution and the wheel, and try the wheel where nothing else of ours is.

The wheel is built from the source distribution, so that both are complete or neither is. It is
installed in an empty environment, in a folder outside the repository, with the dependencies of
requirements.lock. What that environment holds is written down as an SBOM (CycloneDX). Then the demo
is started from there, and somebody signs in to one of its applications over HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "idp", "hosted_pages", "migrations", "registration", "registration_bridge",
    "service_base", "examples",
)  # fmt: skip
TOOLS = Path(sys.executable).parent
SECONDS = 120


class Broken(Exception):
    """What was built does not work."""


def run(*command: str | Path, folder: Path | None = None) -> str:
    """The output of a program. Raises Broken with all that it printed when it fails."""
    done = subprocess.run(  # noqa: S603 - our own tools, no shell
        command, cwd=folder, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise Broken(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def environment() -> dict[str, str]:
    """That of this process without the settings and without the way to the repository."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("IDP_", "PYTHON", "VIRTUAL"))}


def build(target: Path) -> Path:
    """Both distributions in an empty folder; returns the wheel."""
    shutil.rmtree(target, ignore_errors=True)
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", target, ROOT)
    return next(target.glob("*.whl"))


def check_contents(wheel: Path) -> None:
    """Every file of the packages in the repository is in the wheel, each catalogue compiled."""
    wanted = set(run("git", "ls-files", *PACKAGES, folder=ROOT).split())
    wanted |= {name.removesuffix(".po") + ".mo" for name in wanted if name.endswith(".po")}
    with zipfile.ZipFile(wheel) as archive:
        missing = sorted(wanted - set(archive.namelist()))
    if missing:
        raise Broken(f"the wheel lacks {', '.join(missing)}")


def install(wheel: Path, target: Path) -> None:
    """An environment of the locked dependencies and the wheel, complete by its own metadata."""
    uv, python = TOOLS / "uv", target / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, target)
    into = ("pip", "install", "--quiet", "--python", python)
    run(uv, *into, "--require-hashes", "--requirement", ROOT / "requirements.lock")
    run(uv, *into, "--no-deps", wheel)
    run(uv, "pip", "check", "--quiet", "--python", python)


def describe(python: Path, wheel: Path) -> Path:
    """The SBOM of the environment, beside the wheel."""
    path = wheel.parent / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    run(
        TOOLS / "cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON",
        "--output-file", path, python,
    )  # fmt: skip
    names = {part["name"] for part in json.loads(path.read_text())["components"]}
    if not {"ieso-gateway", "Flask", "Authlib"} <= names:
        raise Broken(f"the SBOM does not name what is installed: {sorted(names)}")
    return path


@contextmanager
def demo(gateway: Path, folder: Path, port: int) -> Iterator[dict[str, Any]]:
    """The demo of an installed gateway; yields what its demo.json says."""
    log = folder / "demo.log"
    command: list[str | Path] = [
        gateway,
        "demo",
        "--port",
        str(port),
        "--data",
        str(folder / "data"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=environment(), stdout=output, stderr=output
        )
    try:
        known = folder / "data" / "demo.json"
        waited(lambda: known.exists() or process.poll() is not None)
        if not known.exists():
            raise Broken(f"the demo stopped:\n{log.read_text()}")
        yield json.loads(known.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    if process.returncode:
        raise Broken(f"the demo ended with {process.returncode}:\n{log.read_text()}")


def waited(condition: Any) -> Any:
    """The first result that is true. Raises Broken when none comes."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise Broken(f"nothing happened for {SECONDS} seconds")


def sign_in(known: dict[str, Any]) -> None:
    """Sign in to the first application: password, mailed code, consent where it is asked."""
    person, application = known["people"][0], known["relying_parties"][0]
    with requests.Session() as browser:
        page = browser.get(f"{application['url']}/signin", headers={"Accept-Language": "fr"})
        if "Mot de passe" not in page.text:
            raise Broken("the sign-in page is not in French")
        style = re.search(r'href="(/static/style[^"]+)"', page.text)
        if style is None or not browser.get(known["issuer"] + style[1]).ok:
            raise Broken("there is no style sheet")
        page = send(browser, page, username=person["username"], password=person["password"])
        code = waited(lambda: mailed_code(known["issuer"], person["email"]))
        page = send(browser, page, code=code)
    if not page.url.startswith(application["url"]) or person["username"] not in page.text:
        raise Broken(f"nobody is signed in at {page.url}:\n{page.text}")


def send(browser: requests.Session, page: requests.Response, **values: str) -> requests.Response:
    """Send the form that has these fields, and go where the answer leads, if by a page of ours."""
    for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL):
        if all(f'name="{name}"' in form for name in values):
            break
    else:
        raise Broken(f"{page.url} has no form with {', '.join(values)}:\n{page.text}")
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    action = re.findall(r'action="([^"]*)"', form)[0]
    data = {name: unescape(value) for name, value in hidden} | values
    answer = browser.post(urljoin(page.url, unescape(action)), data)
    onward = re.search(r'http-equiv="refresh" content="0; ?url=([^"]+)"', answer.text)
    return browser.get(urljoin(answer.url, unescape(onward[1]))) if onward else answer


def mailed_code(issuer: str, address: str) -> str | None:
    """The newest code in the outbox of the demo for an address. A number in parentheses is that of
    an organization."""
    mails = requests.get(f"{issuer}/demo/outbox", timeout=10).text.split("<article")[1:]
    codes = (re.search(r"(?<!\()\b\d{6}\b(?!\))", mail) for mail in mails if address in mail)
    return next((found[0] for found in codes if found), None)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--port", type=int, default=18440, help="of the demo; it takes five more")
    options = parser.parse_args()
    try:
        wheel = build(options.output)
        check_contents(wheel)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            install(wheel, folder / "environment")
            gateway = folder / "environment" / "bin" / "gateway"
            run(gateway, "--help", folder=folder)
            bill = describe(gateway.with_name("python"), wheel)
            with demo(gateway, folder, options.port) as known:
                sign_in(known)
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{wheel.name} works outside the repository; its parts are in {bill.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
