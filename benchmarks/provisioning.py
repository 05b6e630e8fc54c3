"""Response times of the registration bridge compared with scim2-server's in-memory store, in one
run.

Creates a demo database of each size and a peer with as many users in memory, serves each with one
process, and pushes over one kept-alive connection.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import quote

from benchmarks.console import ROOT, data
from benchmarks.gateway import wait

PORT, PEER_PORT = 18830, 18831
USERS = "/scim/v2/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
EXTENSION = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PREFIX = "bench"
PATIENCE = 20


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PostgreSQL server; SQLite when left out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--requests", type=int, default=100, help="of each kind")
    options = parser.parse_args()
    print(f"{'users':>8}  {'request':26} {'gateway':>9} {'in memory':>9}   milliseconds, median")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder, data(size, folder, options.database) as env:
            command = [sys.executable, "-m", "idp.cli", "serve", "--port", str(PORT), "--workers"]
            peer = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port",
                    str(PEER_PORT), "benchmarks.scim_peer:app"]  # fmt: skip
            with (
                served([*command, "1"], PORT, env | {"IDP_PUSH_LIMIT": "1000000 per minute"}),
                served(peer, PEER_PORT, os.environ | {"PEER_USERS": str(size)}),
            ):
                ours, theirs = Pusher(PORT, token(env)), Pusher(PEER_PORT, "")
                mine, others = ours.cases(options.requests), theirs.cases(options.requests)
                for (name, times), (_, there) in zip(mine, others, strict=True):
                    print(f"{size:8}  {name:26} {median(times):9.1f} {median(there):9.1f}",
                          flush=True)  # fmt: skip


@contextmanager
def served(command: list[str], port: int, environ: dict[str, str]) -> Iterator[None]:
    """Run a server for the duration of the block."""
    process = subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True)
    try:
        for _ in range(PATIENCE):
            # A hundred thousand users in memory take some time to create.
            with suppress(SystemExit):
                wait(port, "/healthz")
                break
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def token(environ: dict[str, str]) -> str:
    """Get an access token for the demo's registration system."""
    secrets = json.loads(environ["DEMO_SECRETS"])["client_secrets"]
    basic = base64.b64encode(f"registration:{secrets['registration']}".encode()).decode()
    connection = HTTPConnection("localhost", PORT, timeout=60)
    connection.request(
        "POST", "/oauth2/v1/token", "grant_type=client_credentials",
        {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    return str(json.loads(connection.getresponse().read())["access_token"])


class Pusher:
    """One connection to a SCIM service."""

    def __init__(self, port: int, bearer: str) -> None:
        self._connection = HTTPConnection("localhost", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {bearer}",
                         "Content-Type": "application/scim+json"}  # fmt: skip

    def send(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Send a request and return the response; stops on any error status."""
        text = json.dumps(body) if body is not None else None
        self._connection.request(method, path, text, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path} answered {answer.status}: {content[:300]!r}")
        return dict(json.loads(content)) if content else {}

    def cases(self, requests: int) -> Iterator[tuple[str, list[float]]]:
        """The times of each kind of request in milliseconds."""
        numbers = iter(range(10**9))
        total = int(str(self.send("GET", f"{USERS}?count=0")["totalResults"]))
        made: list[str] = []

        def create() -> None:
            made.append(str(self.send("POST", USERS, user(next(numbers)))["id"]))

        def patch() -> None:
            operation = {"op": "replace", "path": "nickName", "value": f"n{next(numbers)}"}
            body = {"schemas": [PATCH], "Operations": [operation]}
            self.send("PATCH", f"{USERS}/{random.choice(made)}", body)

        def ask(query: str) -> Callable[[], None]:
            return lambda: void(self.send("GET", f"{USERS}?{query}"))

        equal = quote(f'userName eq "{PREFIX}1"')
        starts = quote(f'userName sw "{PREFIX}"')
        cases: dict[str, tuple[int, Callable[[], None]]] = {
            "create": (requests, create),
            "PATCH": (requests, patch),
            "GET": (requests, lambda: void(self.send("GET", f"{USERS}/{made[0]}"))),
            'filter userName eq "..."': (requests, ask(f"filter={equal}")),
            'filter userName sw "..."': (requests // 10, ask(f"filter={starts}&count=10")),
            "first page of 100": (requests // 10, ask("count=100")),
            "last page of 100": (requests // 10, ask(f"count=100&startIndex={total - 99}")),
        }
        for name, (times, act) in cases.items():
            yield name, [timed(act) for _ in range(max(times, 3))]


def user(number: int) -> dict[str, object]:
    """The body of a push."""
    return {
        "schemas": [CORE, EXTENSION],
        "userName": f"{PREFIX}{number}",
        "externalId": f"{PREFIX}-{number}",
        "name": {"givenName": "Jim", "familyName": "Smith"},
        "emails": [{"value": f"{PREFIX}{number}@participant.example", "primary": True}],
        "active": True,
        EXTENSION: {"personId": f"{PREFIX}-{number}"},
    }


def timed(act: Callable[[], None]) -> float:
    """The milliseconds of one request."""
    begin = perf_counter()
    act()
    return (perf_counter() - begin) * 1000


def void(_value: object) -> None:
    """Ignore the response."""


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
