"""Response times of every page of registration, in a database of 1,000 organizations and 50,000
people; the grid has 500 people and 40 roles.

Fills an empty database, serves it by one process, and asks for each page over one kept-alive
connection: time, CPU time of that process and of PostgreSQL for a response, and statements that the
page sends to the database. The baseline is the ``/healthz`` of the same process. A gateway that
answers at once stands in for the real one (``registration_peer``). Ends with exit code 1 if a page
is over its bar.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from statistics import median, quantiles
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask
from sqlalchemy import event, text

from benchmarks import gateway
from benchmarks.load import cpu_of_backends, cpu_of_session
from benchmarks.registration_data import Cast, sign_in, write
from benchmarks.registration_pages import ANYBODY, IESO, PROGRAM, RETURNING, Page, pages, unmeasured
from benchmarks.registration_peer import Peer, answering, new_key
from registration.app import create_app
from registration.ports import Ports
from registration.schema import upgrade
from registration.settings import Settings
from registration.transaction import Origin, Runtime

PORT = 18825
Measured = dict[str, Any]
#: An address and the headers that the visitor sends.
Visit = tuple[str, dict[str, str]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database",
        default=os.environ.get("TEST_DATABASE_URL", ""),
        help="PostgreSQL server (or TEST_DATABASE_URL); SQLite when left out",
    )
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=100, help="of each page")
    parser.add_argument(
        "--page", default="", help="only pages whose name or endpoint has this text"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    if not options.json:
        heads = ("median", "p95", "slowest", "CPU ms", "database")
        print(f"{'page':32} {' '.join(f'{one:>8}' for one in heads)} {'SQL':>5} {'bytes':>10}")
    with tempfile.TemporaryDirectory() as folder:
        url = gateway.scratch(options.database, folder)
        rows = []
        for row in measured(url, options):
            rows.append(row)
            if not options.json:
                show(row)
    if options.json:
        print(json.dumps({"organizations": options.organizations, "people": options.people,
                          "requests": options.requests, "database": url.partition(":")[0],
                          "pages": rows}, indent=1))  # fmt: skip
    if slow := [row["page"] for row in rows if row["bar"] and row["p95"] > row["bar"]]:
        raise SystemExit(f"over the bar: {', '.join(slow)}")


def show(row: Measured) -> None:
    """A line of the table: milliseconds, statements, bytes."""
    bar = f"  bar {row['bar']:.0f}" if row["bar"] else ""
    times = " ".join(
        f"{row[name]:8.1f}" for name in ("median", "p95", "slowest", "cpu", "database")
    )
    print(f"{row['page']:32} {times} {row['statements']:5} {row['bytes']:10,}{bar}", flush=True)


def measured(url: str, options: argparse.Namespace) -> Iterator[Measured]:
    """Each page, with its times in milliseconds."""
    peer = Peer.at(PORT + 1)
    settings = Settings(
        secret_key="registration-secret-of-the-benchmark", database_url=url,
        url=f"http://127.0.0.1:{PORT}", issuer=peer.issuer, push_key=new_key(), log_level="ERROR",
    )  # fmt: skip
    app = create_app(settings, Ports.of(settings))
    runtime = app.extensions["runtime"]
    cast = filled(runtime, options.organizations, options.people)
    every = pages(cast, random.Random(1), options.requests)
    if missing := unmeasured(app):
        raise SystemExit(f"no page is measured of {', '.join(missing)}")
    statements = counter(app)
    command = [sys.executable, "-m", "registration.cli", "serve", "--port", str(PORT),
               "--workers", "1"]  # fmt: skip
    with answering(peer), gateway.served(command, PORT, environment(settings)) as server:
        cpu, database = cpu_of_session(server.pid), cpu_of_backends(gateway.DATABASE)
        connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
        for page in every:
            if options.page not in f"{page.name} {page.endpoint}":
                continue
            visits = Visitor(runtime, peer, cast, connection).visits(page)
            sent = statements(*visits[0])
            # What is new to the process is not measured: the first requests.
            ask(connection, page, visits[1:4])
            before = sum(cpu().values()), sum(database().values())
            times, size = ask(connection, page, visits[4:])
            spent = sum(cpu().values()) - before[0], sum(database().values()) - before[1]
            yield {
                "page": page.name, "endpoint": page.endpoint, "median": round(median(times), 1),
                "p95": round(quantiles(times, n=20)[-1], 1), "slowest": round(max(times), 1),
                "cpu": round(spent[0] * 1000 / len(times), 1),
                "database": round(spent[1] * 1000 / len(times), 1),
                "statements": sent, "bytes": size, "bar": page.bar,
            }  # fmt: skip
    runtime.close()


def filled(runtime: Runtime, organizations: int, people: int) -> Cast:
    """The empty database, with everybody in it."""
    upgrade(runtime.engine)
    with runtime.work(Origin("bench")) as work:
        cast = write(work, organizations, people)
    if runtime.engine.dialect.name == "postgresql":
        with runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))
    return cast


class Visitor:
    """Signs people in for a page. Sessions are new for each page, so that none grows too old for
    what needs a recent second factor."""

    def __init__(
        self, runtime: Runtime, peer: Peer, cast: Cast, connection: HTTPConnection
    ) -> None:
        self._runtime, self._peer, self._cast = runtime, peer, cast
        self._connection, self._settings = connection, runtime.settings

    def visits(self, page: Page) -> list[Visit]:
        """Each address of the page, and what the visitor sends; four more, which are not
        measured."""
        paths = (*page.paths[:1] * 4, *page.paths)
        if page.who == RETURNING:
            return [self._return() for _ in paths]
        headers = self._headers(page.who)
        return [(path, headers) for path in paths]

    def _headers(self, who: str) -> dict[str, str]:
        if who == ANYBODY:
            return {}
        with self._runtime.work(Origin("bench")) as work:
            if who == PROGRAM:
                token = self._peer.access_token(self._settings, self._cast.subject, work.now)
                return {"Authorization": f"Bearer {token}"}
            is_ieso = who == IESO
            person = self._cast.outsider if is_ieso else self._cast.offices[who]
            cookie = sign_in(work, person, (self._settings.operator_group,) if is_ieso else ())
        return {"Cookie": f"{self._settings.cookie_name('session')}={cookie}"}

    def _return(self) -> Visit:
        """What the gateway sends the browser back with, after a sign-in that the browser began."""
        self._connection.request("GET", "/signin")
        answer = self._connection.getresponse()
        answer.read()
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
        code = f"{asked['nonce'][0]} {int(time.time())} {self._cast.people[0]}"
        query = {"code": code, "state": asked["state"][0], "iss": self._peer.issuer}
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return f"/callback?{urlencode(query)}", {"Cookie": cookie}


def counter(app: Flask) -> Callable[[str, dict[str, str]], int]:
    """How many statements a visit sends to the database."""
    sent: list[str] = []

    @event.listens_for(app.extensions["runtime"].engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    def statements(path: str, headers: dict[str, str]) -> int:
        sent.clear()
        client = app.test_client(use_cookies=False)
        client.get(path, base_url=app.extensions["runtime"].settings.url, headers=headers)
        return len(sent)

    return statements


def ask(connection: HTTPConnection, page: Page, visits: list[Visit]) -> tuple[list[float], int]:
    """Milliseconds for each request, and the bytes of the last; stops on another status than that
    of the page."""
    times, size = [], 0
    for path, headers in visits:
        start = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        size = len(answer.read())
        times.append((time.perf_counter() - start) * 1000)
        if answer.status != page.status:
            raise SystemExit(
                f"{path} answered {answer.status} {answer.headers.get('Location', '')}"
            )
    return times, size


def environment(settings: Settings) -> dict[str, str]:
    """The settings for the process that is measured."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRATION_")}
    return plain | {
        "REGISTRATION_SECRET_KEY": settings.secret_key,
        "REGISTRATION_DATABASE_URL": settings.database_url,
        "REGISTRATION_URL": settings.url,
        "REGISTRATION_ISSUER": settings.issuer,
        "REGISTRATION_PUSH_KEY": settings.push_key,
        "REGISTRATION_LOG_LEVEL": "ERROR",
    }


if __name__ == "__main__":
    main()
