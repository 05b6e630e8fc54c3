"""Response times of the console's pages with few and with many accounts, in one run.

Creates a demo database of each size, serves it, signs in as an agent and as the auditor, and
requests each page over one kept-alive connection. The baseline is the ``/healthz`` of the same
process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

import pyotp
from sqlalchemy import create_engine, make_url, text

from idp.demo.crowd import FAMILY, GIVEN

ROOT = Path(__file__).resolve().parents[1]
PORT = 18820


@dataclass
class Visitor:
    """A browser with cookies and one connection."""

    connection: HTTPConnection
    cookies: dict[str, str]

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, str, str]:
        """Send one request; returns status, Location and body."""
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body or None, headers)
        answer = self.connection.getresponse()
        for value in answer.headers.get_all("Set-Cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer.status, answer.headers.get("Location", ""), answer.read().decode()

    def sign_in(self, username: str, password: str, secret: str) -> None:
        """Sign in through the page."""
        page = self.ask("GET", "/signin")[2]
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
        form = {"csrf_token": token, "username": username, "password": password}
        status, where, _ = self.ask("POST", "/signin", urlencode(form))
        if status != 303:
            raise SystemExit(f"sign-in as {username} answered {status}")
        where = self.ask("GET", where)[1]
        page = self.ask("GET", where)[2]
        hidden = dict(re.findall(r'name="(csrf_token|flow)" value="([^"]+)"', page))
        form = hidden | {"code": pyotp.TOTP(secret).now()}
        status, where, _ = self.ask("POST", "/signin/factor", urlencode(form))
        if status != 303:
            raise SystemExit(f"the second step of {username} answered {status}")
        self.ask("GET", where)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PostgreSQL server; SQLite when left out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--requests", type=int, default=200, help="of each page")
    options = parser.parse_args()
    print(f"{'accounts':>9}  {'page':24} {'median':>8} {'95 %':>8} {'slowest':>8}   milliseconds")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder, data(size, folder, options.database) as env:
            for page, times in measure(env, options.requests):
                high = quantiles(times, n=20)[-1]
                print(
                    f"{size:9}  {page:24} {median(times):8.1f} {high:8.1f} {max(times):8.1f}",
                    flush=True,
                )


@contextmanager
def data(size: int, folder: str, server: str) -> Iterator[dict[str, str]]:
    """Create a demo of this size; yields the environment of its server."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("IDP_")}
    more = {"IDP_DATABASE_URL": scratch(server)} if server else {}
    subprocess.run(
        [
            sys.executable, "-m", "idp.cli", "demo", "--data", folder, "--port", str(PORT),
            "--accounts", str(size), "--only-data",
            *(["--database", more["IDP_DATABASE_URL"]] if more else []),
        ],
        env=plain, cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    lines = (Path(folder) / "gateway.env").read_text().splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines)
    environ = {name: value.strip("'") for name, _, value in pairs}
    secrets = json.loads((Path(folder) / "secrets.json").read_text())
    yield plain | environ | {"DEMO_SECRETS": json.dumps(secrets)}


def measure(environ: dict[str, str], requests: int) -> Iterator[tuple[str, list[float]]]:
    """The times of each page in milliseconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "serve", "--port", str(PORT), "--workers", "1"],
        env=environ, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        wait()
        known = json.loads(environ["DEMO_SECRETS"])
        agent = Visitor(HTTPConnection("localhost", PORT, timeout=60), {})
        agent.sign_in(
            "haddadl",
            known["passwords"]["customer_relations"],
            known["totp_secrets"]["customer_relations"],
        )
        rng = random.Random(1)
        yield "floor: /healthz", times(agent, ["/healthz"] * requests)
        for page, queries in searches(rng, requests).items():
            yield page, times(agent, [f"/console?{urlencode({'q': q})}" for q in queries])
        listed = agent.ask("GET", "/console?" + urlencode({"q": "smith"}))[2]
        subjects = re.findall(r'href="/console/accounts/([\w-]+)\?', listed)
        paths = [f"/console/accounts/{rng.choice(subjects)}" for _ in range(requests)]
        yield "account page", times(agent, paths)
        auditor = Visitor(HTTPConnection("localhost", PORT, timeout=60), {})
        auditor.sign_in("nakamurh", *credentials(known, "auditor"))
        for page, query in REPORTS.items():
            path = f"/console/access?{urlencode(query)}"
            yield page, times(auditor, [path] * (requests // 4))
        yield (
            "audit: one person",
            times(auditor, ["/console/audit?person=gagnon"] * (requests // 4)),
        )
        yield "audit: newest", times(auditor, ["/console/audit"] * (requests // 4))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def credentials(known: dict[str, dict[str, str]], role: str) -> tuple[str, str]:
    """The password, and the secret of the authenticator app."""
    return known["passwords"][role], known["totp_secrets"][role]


REPORTS = {
    "access: everybody": {},
    "access: a participant": {"participant": "700003"},
    "access: a role group": {"group": "CROW Viewer"},
    "access: a past day": {"participant": "700003", "at": "2025-06-01"},
}


def searches(rng: random.Random, requests: int) -> dict[str, list[str]]:
    """Typical queries, and the widest possible ones."""

    def names() -> str:
        return f"{rng.choice(GIVEN)} {rng.choice(FAMILY)[:4]}"

    return {
        "search: a letter": [rng.choice("abcdefghijklmnopqrstuvwyz") for _ in range(requests)],
        "search: family name": [rng.choice(FAMILY) for _ in range(requests)],
        "search: two names": [names() for _ in range(requests)],
        "search: two letters": [f"{rng.choice('cglmps')} {rng.choice('acjmnt')}"
                                for _ in range(requests)],
        "search: Person ID": [str(500_000 + rng.randrange(20, 900)) for _ in range(requests)],
        "search: telephone": ["705 555 0142"] * requests,
        "search: participant": ["700003"] * requests,
        "search: nothing fits": ["zzzzz"] * requests,
    }  # fmt: skip


def times(visitor: Visitor, paths: list[str]) -> list[float]:
    """Milliseconds for each request; stops on any status but 200 or 303."""
    found = []
    for path in paths:
        start = time.perf_counter()
        status, _, body = visitor.ask("GET", path)
        found.append((time.perf_counter() - start) * 1000)
        if status not in (200, 303) or 'name="password"' in body:
            raise SystemExit(f"{path} answered {status}")
    return found


def scratch(server: str) -> str:
    """Create an empty database on the server."""
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS gateway_bench WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE gateway_bench"))
    engine.dispose()
    return url.set(database="gateway_bench").render_as_string(hide_password=False)


def wait() -> None:
    """Wait until the server answers."""
    for _ in range(300):
        try:
            connection = HTTPConnection("localhost", PORT, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not start")


if __name__ == "__main__":
    main()
